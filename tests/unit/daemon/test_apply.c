/* SPDX-License-Identifier: MIT */
/* A configuration that changes under a server: what holds at once and is said, and
 * what waits. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/serve/apply.h"

static struct config now, file;
static struct apply_text said;

static void begin(void)
{
	set_up();
	config_defaults(&now);
	strcpy(now.socket, "/s");
	strcpy(now.control, "/c");
	now.pools[0] = *first->config;
	now.pools[0].balance = now.balance;
	first->config = &now.pools[0];
	balance_configure(first, &now.balance);
	file = now;
}

TestSuite(apply, .init = begin, .fini = tear_down);

static bool apply(void)
{
	said = (struct apply_text){.text = ""};
	return apply_config(&server, &now, &file, &said);
}

/* What waits, as the log has it. */
static void waits(const char *restart, const char *anew)
{
	struct apply_text a = {.text = ""};
	struct apply_text b = {.text = ""};
	apply_waits(&server, &now, &file, &a, &b);
	cr_expect_str_eq(a.text, restart);
	cr_expect_str_eq(b.text, anew);
}

Test(apply, nothing)
{
	cr_expect_not(apply());
	cr_expect_str_empty(said.text);
	waits("", "");
}

Test(apply, what_holds_at_once)
{
	file.log_level = LOG_LEVEL_WARN;
	strcpy(file.metrics, "127.0.0.1:9");
	file.balance.hold_ms = 2000;
	file.pools[0].balance = file.balance;
	file.pools[0].max_clients = 2;
	file.pools[0].floor_bytes = 0;
	file.pools[0].max_bytes = 4 * MIB;
	cr_expect(apply());
	cr_expect_str_eq(said.text,
	                 "[slabd] log_level info -> warn, [slabd] metrics off -> "
	                 "127.0.0.1:9, [balance] hold 1s -> 2s, [pool default] max 8M -> 4M, [pool default] floor "
	                 "the default -> 0, [pool default] max_clients 4 -> 2");
	cr_expect_eq(now.log_level, LOG_LEVEL_WARN);
	cr_expect_eq(balance_config(first)->hold_ms, 2000);
	cr_expect_eq(first->config->max_clients, 2);
	cr_expect_eq(first->config->floor_bytes, 0);
	cr_expect_eq(pages_max(&first->pages, 0), 2);
	waits("", "");
	cr_expect_not(apply(), "and nothing of it a second time");
	cr_expect_str_empty(said.text);
}

/* The file is what slabd runs with afterwards, also where a file says nothing. */
Test(apply, over_what_slabctl_set)
{
	struct config_balance set = now.balance;
	set_up_pool(1, "other");
	now.pools[1] = *server.pools[1].config;
	now.pools[1].balance = now.balance;
	server.pools[1].config = &now.pools[1];
	now.n_pools = 2;
	file = now;
	set.idle_s = 5;
	balance_configure(&server.pools[1], &set);
	cr_expect_not(apply(), "the configuration is as it was");
	cr_expect_str_eq(said.text, "[balance] idle 5s -> 1m");
	cr_expect_eq(balance_config(&server.pools[1])->idle_s, 60);
}

Test(apply, what_waits)
{
	unsigned at = 0;
	struct apply_wait wait;
	strcpy(file.socket, "/elsewhere");
	file.log_level = LOG_LEVEL_ERROR;
	file.pools[0].max_bytes = 64 * MIB;
	file.pools[0].start_bytes = 4 * MIB;
	file.n_pools = 2;
	config_default_pool(&file.pools[1], "more");
	cr_expect(apply());
	cr_expect_str_eq(said.text, "[slabd] log_level info -> error");
	waits("[slabd] socket /s -> /elsewhere, [pool more] is new, "
	      "[pool default] start 2 MiB -> 4 MiB",
	      "[pool default] max 8 MiB -> 64 MiB");
	cr_expect_str_eq(now.socket, "/s");
	cr_expect_eq(now.n_pools, 1);
	cr_assert(apply_next_wait(&now, &file, &at, &wait));
	cr_expect_str_eq(wait.what, "socket");
	cr_expect_null(wait.of_pool);
	cr_expect_str_eq(wait.file, "/elsewhere");
	cr_expect_str_eq(wait.running, "/s");
	cr_assert(apply_next_wait(&now, &file, &at, &wait));
	cr_expect_str_eq(wait.what, "[pool more]");
	cr_expect_str_eq(wait.of_pool, "new");
	cr_expect_not(apply_next_wait(&now, &file, &at, &wait));
}

/* Its clients go on as they were. */
Test(apply, a_pool_that_is_gone)
{
	strcpy(file.pools[0].name, "renamed");
	file.pools[0].max_clients = 2;
	cr_expect_not(apply());
	cr_expect_str_empty(said.text);
	cr_expect_str_eq(first->config->name, "default");
	cr_expect_neq(first->config->max_clients, 2);
	waits("[pool renamed] is new, [pool default] is gone", "");
}

/* One that only its clients have is not in now. */
Test(apply, a_pool_that_leaves_is_left_alone)
{
	static struct config_pool leaving;
	leaving = now.pools[0];
	leaving.leaving = true;
	leaving.balance.idle_s = 5;
	first->config = &leaving;
	balance_configure(first, &leaving.balance);
	strcpy(now.pools[0].name, "another");
	file = now;
	file.balance.hold_ms = 2000;
	cr_expect(apply());
	cr_expect_eq(balance_config(first)->idle_s, 5);
	cr_expect_eq(balance_config(first)->hold_ms, 1000);
}

Test(apply, sections_in_another_order)
{
	set_up_pool(1, "other");
	now.pools[1] = *server.pools[1].config;
	now.pools[1].balance = now.balance;
	server.pools[1].config = &now.pools[1];
	now.n_pools = 2;
	file = now;
	file.pools[0] = now.pools[1];
	file.pools[1] = now.pools[0];
	file.pools[0].max_clients = 3;
	cr_expect(apply());
	cr_expect_str_eq(server.pools[1].config->name, "other");
	cr_expect_eq(server.pools[1].config->max_clients, 3);
	cr_expect_str_eq(first->config->name, "default");
	waits("", "");
}

/* A line of the log has an end, and counts what it has no room for. */
Test(apply, more_than_a_line_holds)
{
	struct apply_text a = {.text = ""};
	struct apply_text b = {.text = ""};
	file.n_pools = CONFIG_POOLS_MAX;
	for (unsigned i = 1; i < CONFIG_POOLS_MAX; i++) {
		char name[64];
		snprintf(name, sizeof(name), "a_pool_of_a_rather_long_name_%u",
		         i);
		config_default_pool(&file.pools[i], name);
	}
	apply_waits(&server, &now, &file, &a, &b);
	cr_expect_gt(a.n_more, 0);
	cr_expect_lt(strlen(a.text), APPLY_TEXT);
	cr_expect(strstr(a.text, " more") != NULL, "%s", a.text);
	cr_expect_str_empty(b.text);
	for (unsigned i = 1; i < CONFIG_POOLS_MAX; i++)
		set_up_pool(i, file.pools[i].name);
	now = file;
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++) {
		server.pools[i].config = &now.pools[i];
		balance_configure(&server.pools[i], &now.balance);
		file.pools[i].max_clients = 77;
	}
	apply();
	cr_expect_gt(said.n_more, 0);
	cr_expect(strstr(said.text, " more") != NULL, "%s", said.text);
}
