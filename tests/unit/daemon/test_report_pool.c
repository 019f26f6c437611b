/* SPDX-License-Identifier: MIT */
/* What a pool may have, and how near it is to that, as slabctl pool has it. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/pool/clients.h"

TestSuite(report_pool, .init = set_up, .fini = tear_down);

/* The number of a bound of the first pool. */
static long long bound(const char *key, const char *what)
{
	char path[80];
	for (unsigned i = 0; i < count("pools/0/bounds"); i++) {
		snprintf(path, sizeof(path), "pools/0/bounds/%u/key", i);
		if (strcmp(str(path), key) != 0)
			continue;
		snprintf(path, sizeof(path), "pools/0/bounds/%u/%s", i, what);
		return num(path);
	}
	cr_assert_fail("no bound %s", key);
	return -1;
}

static const char *whose(const char *key)
{
	char path[80];
	for (unsigned i = 0; i < count("pools/0/bounds"); i++) {
		snprintf(path, sizeof(path), "pools/0/bounds/%u/key", i);
		if (strcmp(str(path), key) != 0)
			continue;
		snprintf(path, sizeof(path), "pools/0/bounds/%u/whose", i);
		return str(path);
	}
	return "";
}

static void set_owner(uint32_t id, int32_t pid, uint32_t uid)
{
	struct layout_client *row = pool_client(first, id);
	row->pid = pid;
	row->uid = uid;
}

Test(report_pool, memory_of_each_node)
{
	get("/pool");
	has_keys("pools/0", " name page start_bytes floor_bytes leaving users "
	         "groups bounds ");
	cr_expect_str_eq(str("pools/0/bounds/0/key"), "max");
	cr_expect_str_eq(str("pools/0/bounds/0/whose"), "node 0");
	cr_expect_str_eq(str("pools/0/bounds/1/whose"), "node 1");
	cr_expect(yes("pools/0/bounds/0/bytes"));
	cr_expect_leq(num("pools/0/bounds/0/used"),
	              num("pools/0/bounds/0/most"));
	cr_expect_gt(num("pools/0/bounds/0/used"), 0);
}

Test(report_pool, who_has_the_most_clients)
{
	uint32_t ids[4];
	for (unsigned i = 0; i < 4; i++)
		ids[i] = join("many");
	set_owner(ids[0], 300, 7);
	set_owner(ids[1], 0, 8);
	set_owner(ids[2], 300, 8);
	set_owner(ids[3], 100, 8);
	get("/pool");
	cr_expect_eq(bound("max_clients", "used"), 4);
	cr_expect_eq(bound("max_clients", "most"),
	             first->config->max_clients);
	cr_expect_eq(bound("max_clients_process", "used"), 2);
	cr_expect_str_eq(whose("max_clients_process"), "process 300");
	cr_expect_eq(bound("max_clients_user", "used"), 3);
	cr_expect_str_eq(whose("max_clients_user"), "user 8");
}

Test(report_pool, caches_roots_and_channels)
{
	long long before;
	get("/pool");
	before = bound("max_caches", "used");
	make_cache(first, "more", 64);
	get("/pool");
	cr_expect_eq(bound("max_caches", "used"), before + 1);
	cr_expect_eq(bound("max_caches", "most"), first->config->max_caches);
	cr_expect_eq(bound("max_roots", "used"), 0);
	cr_expect_eq(bound("max_channels", "used"), 0);
	cr_expect_eq(bound("max_channel_capacity", "most"),
	             first->config->max_channel_capacity);
}

Test(report_pool, nobody_is_there)
{
	get("/pool?pool=default");
	cr_expect_eq(bound("max_clients", "used"), 0);
	cr_expect_eq(bound("max_clients_process", "used"), 0);
	refused("/pool?pool=none", 404, "no pool \"none\"", "pools: default");
}
