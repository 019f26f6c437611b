/* SPDX-License-Identifier: MIT */
#include "daemon/serve/apply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/pool/waiting.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/machine.h"
#include "daemon/serve/overdue.h"

#define MORE_BYTES 20u /* of ", and 4294967295 more" less one */

/* ---- in words ------------------------------------------------------------- */

/* One more, as long as there is room. */
__attribute__((format(printf, 2, 3))) static void
add(struct apply_text *to, const char *format, ...)
{
	size_t len = strlen(to->text);
	char one[APPLY_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(one, sizeof(one), format, args);
	va_end(args);
	if (to->n_more > 0 || len + strlen(one) + 2 + MORE_BYTES >= APPLY_TEXT)
		to->n_more++;
	else
		snprintf(to->text + len, APPLY_TEXT - len, "%s%s",
		         len > 0 ? ", " : "", one);
}

static void end(struct apply_text *text)
{
	size_t len = strlen(text->text);
	if (text->n_more > 0)
		snprintf(text->text + len, APPLY_TEXT - len, ", and %u more",
		         text->n_more);
}

static void add_change(struct apply_text *to, const char *section,
                       const struct config_change *change)
{
	add(to, "[%s] %s %s -> %s", section, change->key->name, change->was,
	    change->is);
}

static const char *section_of(const char *pool, char out[80])
{
	snprintf(out, 80, "pool %s", pool);
	return out;
}

/* ---- what holds from now on ----------------------------------------------- */

static bool is_live(const struct config_key *key)
{
	return strcmp(key->name, "log_level") == 0 ||
	       strcmp(key->name, "metrics") == 0;
}

static void follow_slabd(struct config *now, const struct config *file,
                         struct apply_text *said)
{
	struct config_change change;
	unsigned at = 0;
	while (config_next_change(&config_slabd_keys, now, file, &at, &change))
		if (is_live(change.key))
			add_change(said, "slabd", &change);
	now->log_level = file->log_level;
	strcpy(now->metrics, file->metrics);
}

/* A key is said once, as the first pool had it that had it otherwise. */
static void follow_balance(struct server *server, struct config *now,
                           const struct config *file, struct apply_text *said)
{
	bool is_said[CONFIG_KEYS_MAX] = {false};
	now->balance = file->balance;
	for (unsigned i = 0; i < now->n_pools; i++)
		now->pools[i].balance = file->balance;
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		struct config_change change;
		unsigned at = 0;
		if (pool->config->leaving)
			continue;
		while (config_next_change(&config_balance_keys,
		                          balance_config(pool), &file->balance,
		                          &at, &change)) {
			if (!is_said[at - 1])
				add_change(said, "balance", &change);
			is_said[at - 1] = true;
		}
		balance_configure(pool, &file->balance);
	}
}

static bool waits(const struct waiting *list, unsigned n, const char *key)
{
	while (n > 0 && strcmp(list[n - 1].key, key) != 0)
		n--;
	return n > 0;
}

static void follow_pool(struct pool *pool, const struct config_pool *was,
                        struct apply_text *said)
{
	struct waiting list[WAITING_MAX];
	struct config_change change;
	char section[80];
	unsigned at = 0;
	unsigned n;
	waiting_follow(pool);
	n = waiting_list(pool, list);
	while (config_next_change(&config_pool_keys, was, pool->config, &at,
	                          &change))
		if (!waits(list, n, change.key->name))
			add_change(said, section_of(pool->name, section),
			           &change);
}

/* Pools go by their sections of now, whose places stay. */
static void follow_pools(struct server *server, struct config *now,
                         const struct config *file, struct apply_text *said)
{
	static struct config_pool was[CONFIG_POOLS_MAX];
	memcpy(was, now->pools, sizeof(was));
	for (unsigned i = 0; i < now->n_pools; i++) {
		const struct config_pool *section =
			config_find_pool(file, now->pools[i].name);
		if (section != NULL)
			now->pools[i] = *section;
	}
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		if (!pool->config->leaving)
			follow_pool(pool, &was[pool->config - now->pools], said);
	}
}

bool apply_config(struct server *server, struct config *now,
                  const struct config *file, struct apply_text *said)
{
	static struct config before;
	before = *now;
	follow_slabd(now, file, said);
	follow_balance(server, now, file, said);
	follow_pools(server, now, file, said);
	end(said);
	machine_configure(server);
	overdue_configure(server);
	duty_soon(server, 0);
	return memcmp(&before, now, sizeof(before)) != 0;
}

/* ---- what waits ----------------------------------------------------------- */

/* Keys first, then pools of the file that slabd does not run with, then those that
 * the file does not have. */
bool apply_next_wait(const struct config *now, const struct config *file,
                     unsigned *at, struct apply_wait *out)
{
	const unsigned n_keys = config_slabd_keys.n;
	struct config_change change;
	while (*at < n_keys && config_next_change(&config_slabd_keys, now, file,
	                                          at, &change)) {
		if (is_live(change.key))
			continue;
		snprintf(out->what, sizeof(out->what), "%s", change.key->name);
		strcpy(out->file, change.is);
		strcpy(out->running, change.was);
		out->of_pool = NULL;
		return true;
	}
	while (*at < n_keys + file->n_pools + now->n_pools) {
		unsigned i = (*at)++ - n_keys;
		bool of_file = i < file->n_pools;
		const char *name = of_file ? file->pools[i].name
		                           : now->pools[i - file->n_pools].name;
		if (config_find_pool(of_file ? now : file, name) != NULL)
			continue;
		snprintf(out->what, sizeof(out->what), "[pool %s]", name);
		out->of_pool = of_file ? "new" : "gone";
		out->file[0] = out->running[0] = '\0';
		return true;
	}
	return false;
}

static void add_pool_waits(const struct pool *pool, struct apply_text *restart,
                           struct apply_text *anew)
{
	struct waiting list[WAITING_MAX];
	unsigned n = waiting_list(pool, list);
	for (unsigned i = 0; i < n; i++)
		add(list[i].restart ? restart : anew, "[pool %s] %s %s -> %s",
		    pool->name, list[i].key, list[i].running, list[i].file);
}

void apply_waits(const struct server *server, const struct config *now,
                 const struct config *file, struct apply_text *restart,
                 struct apply_text *anew)
{
	struct apply_wait wait;
	unsigned at = 0;
	while (apply_next_wait(now, file, &at, &wait)) {
		if (wait.of_pool != NULL)
			add(restart, "%s is %s", wait.what, wait.of_pool);
		else
			add(restart, "[slabd] %s %s -> %s", wait.what,
			    wait.running, wait.file);
	}
	for (unsigned i = 0; i < server->n_pools; i++)
		add_pool_waits(&server->pools[i], restart, anew);
	end(restart);
	end(anew);
}
