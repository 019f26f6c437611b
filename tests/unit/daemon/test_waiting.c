/* SPDX-License-Identifier: MIT */
/* A configuration that changes under a pool: what it follows, what waits. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/pool/grow.h"
#include "daemon/pool/waiting.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;

static void begin(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 4, 16);
}

static void end(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(waiting, .init = begin, .fini = end);

/* The settings that wait, "max page"; each is said as one that waits for the same. */
static const char *waits(bool restart)
{
	static char all[64];
	struct waiting list[WAITING_MAX];
	unsigned n = waiting_list(pool, list);
	all[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		cr_expect_eq(list[i].restart, restart, "%s", list[i].key);
		strcat(strcat(all, all[0] != '\0' ? " " : ""), list[i].key);
	}
	return all;
}

static uint64_t most_mib(uint32_t node)
{
	return pages_max(&pool->pages, node) << pool->view.geo.page_shift >> 20;
}

Test(waiting, nothing_does_of_a_new_pool)
{
	cr_expect_str_eq(waits(false), "");
	waiting_follow(pool);
	cr_expect_str_eq(waits(false), "");
	cr_expect_eq(most_mib(0), 16);
	cr_expect_not(pool->max_waits);
}

Test(waiting, a_max_as_far_as_the_files_go)
{
	fixture.config.max_bytes = 10 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_eq(most_mib(0), 10);
	cr_expect_eq(most_mib(1), 10);
	cr_expect_str_eq(waits(false), "");
	fixture.config.max_bytes = 64 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_eq(most_mib(0), 16);
	cr_expect_str_eq(waits(false), "max");
	cr_expect(pool->max_waits);
	fixture.config.max_bytes = 16 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_eq(most_mib(1), 16);
	cr_expect_str_eq(waits(false), "");
	cr_expect_not(pool->max_waits);
}

/* Under what is there nothing more comes. */
Test(waiting, a_max_below_what_is_there)
{
	fixture.config.max_bytes = 2 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_eq(pool->pages.node[0].pages, 2);
	cr_expect_lt(grow_pages(pool, 0), 0);
	fixture.config.max_bytes = 6 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_eq(grow_pages(pool, 0), 0);
	cr_expect_lt(grow_pages(pool, 0), 0);
}

Test(waiting, pages_and_tables)
{
	struct waiting list[WAITING_MAX];
	fixture.config.page = CONFIG_PAGE_2M;
	fixture.config.max_caches = 9;
	waiting_follow(pool);
	cr_expect_str_eq(waits(false), "page max_caches");
	cr_assert_eq(waiting_list(pool, list), 2);
	cr_expect_str_eq(list[0].file, "2m");
	cr_expect_str_eq(list[0].running, "4k");
	cr_expect_str_eq(list[1].file, "9");
	cr_expect_str_eq(list[1].running, "8");
	fixture.config.page = CONFIG_PAGE_4K;
	fixture.config.max_caches = 2;
	cr_expect_str_eq(waits(false), "");
}

Test(waiting, a_higher_start_for_the_next_one)
{
	fixture.config.start_bytes = 8 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_str_eq(waits(true), "start");
	cr_expect_eq(pool->pages.node[0].pages, 2, "clients wait for nothing");
	waiting_apply(pool);
	cr_expect_str_eq(waits(true), "");
	cr_expect_eq(pool->pages.node[0].pages, 4);
	fixture.config.start_bytes = 2 * FIXTURE_MIB;
	cr_expect_str_eq(waits(true), "");
}

/* What is there in any case need not be made ready. */
Test(waiting, a_start_that_is_there)
{
	while (pool->pages.node[0].pages < 4 || pool->pages.node[1].pages < 4)
		cr_assert(grow_pages(pool, 0) == 0 && grow_pages(pool, 1) == 0);
	fixture.config.start_bytes = 8 * FIXTURE_MIB;
	cr_expect_str_eq(waits(true), "");
}

Test(waiting, nothing_of_a_pool_that_leaves)
{
	fixture.config.leaving = true;
	fixture.config.page = CONFIG_PAGE_2M;
	fixture.config.max_bytes = 2 * FIXTURE_MIB;
	waiting_follow(pool);
	cr_expect_str_eq(waits(false), "");
	cr_expect_eq(most_mib(0), 16);
}
