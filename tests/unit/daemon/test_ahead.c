/* SPDX-License-Identifier: MIT */
#include "daemon/balance/ahead.h"

#include <criterion/criterion.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

#define PAGE_UNITS 32u

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;

static void start(uint64_t start_mib, uint64_t max_mib)
{
	test_clock_set(100 * CLOCK_S);
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", start_mib, max_mib);
	pool_client(pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
	test_clock_run();
}

TestSuite(ahead, .fini = finish);

static uint32_t cache_of(const char *name, uint64_t size)
{
	int cache = pool_fixture_cache(&fixture, name, size, 8, 0);
	cr_assert_gt(cache, 0);
	return (uint32_t)cache;
}

static uint32_t listed(uint32_t cache, uint32_t node)
{
	struct partial list = partial_of(&pool->view, cache, node);
	return partial_count(&list, UINT32_MAX);
}

static uint64_t free_units(uint32_t node)
{
	return pages_free_units(&pool->pages, node);
}

static uint64_t pages(uint32_t node)
{
	return pool->pages.node[node].pages;
}

/* All that clients of the list have is used, and slabd serves their ring. */
static void use_and_ring(uint32_t cache, uint32_t node)
{
	pool_fixture_claim_all(&fixture, 1, cache, node);
	pool_fixture_want(&fixture, cache, node);
	pool_fixture_serve(&fixture);
}

static uint32_t work(void)
{
	uint32_t slices = 0;
	while (ahead_work(pool))
		cr_assert_lt(++slices, 10000, "it ends");
	return slices;
}

static uint32_t low_mark(uint32_t cache, uint32_t node)
{
	return pool_mark(pool, cache, node)->low_slabs;
}

static bool is_growing(uint32_t cache, uint32_t node)
{
	return (pool_mark(pool, cache, node)->denied & MARK_GROWING) != 0;
}

/* ---- the rate ----------------------------------------------------------- */

Test(ahead, doubles_when_used_up_soon)
{
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 2);
	cr_expect_eq(ahead_next(0, 0, 64), 1);
	cr_expect_eq(ahead_next(1, 0, 64), 2);
	cr_expect_eq(ahead_next(16, AHEAD_SOON_NS - 1, 64), 32);
	cr_expect_eq(ahead_next(33, 0, 64), 64, "no more than it may");
	cr_expect_eq(ahead_next(UINT32_MAX, 0, UINT32_MAX), UINT32_MAX);
}

Test(ahead, halves_with_time)
{
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 2);
	cr_expect_eq(ahead_next(16, AHEAD_SOON_NS, 64), 16, "it was right");
	cr_expect_eq(ahead_next(16, AHEAD_CALM_NS, 64), 8);
	cr_expect_eq(ahead_next(16, 3 * AHEAD_CALM_NS, 64), 2);
	cr_expect_eq(ahead_next(16, 100 * CLOCK_S, 64), 1, "one at least");
	cr_expect_eq(ahead_next(16, INT64_MAX, 64), 1);
	cr_expect_eq(ahead_next(16, AHEAD_SOON_NS, 8), 8);
}

Test(ahead, follows_the_rings_of_a_list)
{
	uint32_t a;
	start(16, 64);
	a = cache_of("a", 4000);
	cr_expect_eq(ahead_slabs(pool, a, 0), 0, "nobody uses it");
	use_and_ring(a, 0);
	cr_expect_eq(ahead_slabs(pool, a, 0), 1);
	for (uint32_t slabs = 1; slabs <= 32; slabs *= 2) {
		use_and_ring(a, 0);
		cr_expect_eq(ahead_slabs(pool, a, 0), slabs);
		test_clock_advance(10 * CLOCK_MS);
	}
	use_and_ring(a, 0);
	cr_expect_eq(ahead_slabs(pool, a, 0), 64, "4 MiB");
	use_and_ring(a, 0);
	cr_expect_eq(ahead_slabs(pool, a, 0), 64, "and no more of so little");
	cr_expect_eq(low_mark(a, 0), 32, "they ring when half is left");
	cr_expect_eq(ahead_slabs(pool, a, 1), 0, "each node by itself");
	test_clock_advance(2 * AHEAD_CALM_NS);
	use_and_ring(a, 0);
	cr_expect_eq(ahead_slabs(pool, a, 0), 16);
	test_clock_advance(10 * CLOCK_S);
	ahead_settle(pool);
	cr_expect_eq(ahead_slabs(pool, a, 0), 0);
	cr_expect_leq(low_mark(a, 0), 16, "as many as stand there say");
	pool_fixture_agrees(&fixture);
}

/* ---- work --------------------------------------------------------------- */

Test(ahead, a_list_in_use_gets_what_it_ought_to_have)
{
	uint32_t a;
	start(2, 64);
	a = cache_of("a", 4000);
	for (int i = 0; i < 7; i++)
		use_and_ring(a, 1);
	cr_assert_eq(ahead_slabs(pool, a, 1), 32);
	work();
	cr_expect_geq(listed(a, 1), 32);
	cr_expect_not(is_growing(a, 1));
	cr_expect_eq(pages(0), 1, "the other node is left alone");
	cr_expect_eq(listed(a, 0), 0);
	pool_fixture_agrees(&fixture);
}

Test(ahead, says_that_it_grows_until_it_has)
{
	uint32_t a;
	start(2, 64);
	a = cache_of("a", 4000);
	for (int i = 0; i < 8; i++)
		use_and_ring(a, 0);
	test_clock_run();
	/* A slice ends some time. */
	while (ahead_work(pool))
		cr_expect(is_growing(a, 0) ||
		          listed(a, 0) >= ahead_slabs(pool, a, 0));
	cr_expect_not(is_growing(a, 0));
}

Test(ahead, takes_no_page_under_pressure_nor_of_a_drained_node)
{
	uint32_t a;
	start(2, 64);
	a = cache_of("a", 4000);
	for (int i = 0; i < 7; i++)
		use_and_ring(a, 0);
	balance_press(pool, 0, PLAN_SOME);
	pool_set_drain(pool, 1, true);
	cr_expect_not(ahead_work(pool));
	cr_expect_leq(pages(0), 3);
	cr_expect_eq(pages(1), 1);
	cr_expect_not(is_growing(a, 0));
}

Test(ahead, what_a_list_has_ahead_is_a_share)
{
	uint32_t a;
	uint32_t b;
	uint32_t one;
	start(64, 128);
	a = cache_of("a", 4000);
	b = cache_of("b", 4000);
	for (int i = 0; i < 12; i++)
		use_and_ring(a, 0);
	one = ahead_slabs(pool, a, 0);
	cr_expect_leq(one, pages(0) * PAGE_UNITS / 8);
	for (int i = 0; i < 12; i++)
		use_and_ring(b, 0);
	cr_expect_leq(ahead_slabs(pool, a, 0), one / 2 + one / 8);
	work();
	cr_expect_leq(pages(0), 32 + 8, "neither takes all of the memory");
}

/* ---- stock -------------------------------------------------------------- */

Test(ahead, a_list_that_was_hardly_used_gets_no_stock)
{
	uint32_t a;
	start(16, 64);
	a = cache_of("a", 4000);
	use_and_ring(a, 0);
	use_and_ring(a, 0);
	work();
	cr_expect_eq(listed(a, 0), 1);
}

Test(ahead, all_that_is_ready_goes_to_who_uses_it)
{
	uint32_t a;
	start(16, 64);
	a = cache_of("a", 4000);
	for (int i = 0; i < 3; i++)
		use_and_ring(a, 0);
	work();
	cr_expect_eq(pages(0), 8, "of stock no page comes");
	cr_expect_eq(free_units(0), PAGE_UNITS, "a page stays");
	cr_expect_eq(listed(a, 0), 7 * PAGE_UNITS - 2);
	cr_expect_eq(free_units(1), 8 * PAGE_UNITS);
	cr_expect_eq(work(), 0, "once");
	pool_fixture_agrees(&fixture);
}

Test(ahead, stock_serves_others_before_a_page_comes)
{
	uint32_t a;
	uint32_t b;
	start(16, 64);
	a = cache_of("a", 4000);
	b = cache_of("b", 60000);
	for (int i = 0; i < 3; i++)
		use_and_ring(a, 0);
	work();
	test_clock_advance(2 * CLOCK_S);
	for (int i = 0; i < 1000 && pages(0) == 8; i++) {
		use_and_ring(b, 0);
		work();
	}
	cr_expect_gt(pages(0), 8);
	cr_expect_leq(listed(a, 0), 32, "but what may be used again soon");
	cr_expect_geq(*pool_slabs(pool, b, 0), 6 * PAGE_UNITS);
	pool_fixture_agrees(&fixture);
}

Test(ahead, what_is_in_use_is_no_stock)
{
	uint32_t a;
	uint32_t b;
	uint32_t before;
	start(4, 16);
	a = cache_of("a", 4000);
	b = cache_of("b", 4000);
	for (int i = 0; i < 3; i++)
		use_and_ring(a, 0);
	work();
	pool_fixture_claim_all(&fixture, 1, a, 0);
	before = *pool_slabs(pool, a, 0);
	cr_assert_gt(before, 0);
	for (int i = 0; i < 5; i++) {
		use_and_ring(b, 0);
		work();
	}
	cr_expect_geq(*pool_slabs(pool, a, 0), before);
	pool_fixture_agrees(&fixture);
}

/* Above the floor the rate of use says how much; it does not keep pages. */
Test(ahead, above_the_floor_stock_follows_the_rate)
{
	uint32_t a;
	start(16, 64);
	fixture.config.floor_bytes = 4 * FIXTURE_MIB;
	a = cache_of("a", 4000);
	for (int i = 0; i < 3; i++)
		use_and_ring(a, 0);
	work();
	cr_expect_leq(listed(a, 0), PAGE_UNITS + 8);
	test_clock_advance(2 * CLOCK_S);
	ahead_settle(pool);
	cr_expect_eq(work(), 0);
	cr_expect_geq(free_units(0), 6 * PAGE_UNITS);
}
