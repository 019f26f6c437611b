/* SPDX-License-Identifier: MIT */
/* Empty slabs of one cache serve another before the pool grows, and no list
 * that is in use is stripped for it. */
#include "daemon/balance/reuse.h"

#include <criterion/criterion.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/base/clock.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;

static void start(void)
{
	struct config_balance config;
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 64);
	config = *balance_config(pool);
	config.keep_slabs = 0;
	balance_configure(pool, &config);
	pool_client(pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	test_clock_set(1000 * CLOCK_S);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(reuse, .init = start, .fini = finish);

static uint32_t cache_of(const char *name, uint64_t size)
{
	int cache = pool_fixture_cache(&fixture, name, size, 8, 0);
	cr_assert_gt(cache, 0);
	return (uint32_t)cache;
}

static uint32_t slabs(uint32_t cache)
{
	return *pool_slabs(pool, cache, 0);
}

static uint64_t ready_mib(void)
{
	return pool_ready_units(pool, 0) * UNIT_BYTES / FIXTURE_MIB;
}

/* As a client that allocates: a slab's worth after the other. */
static void use(uint32_t cache, uint32_t n_slabs)
{
	while (slabs(cache) < n_slabs) {
		cr_assert_eq(wants_relieve(pool, cache, 0), 0);
		ahead_work(pool);
		pool_fixture_claim_all(&fixture, 1, cache, 0);
	}
}

/* Six caches in turn, and never more than 16 MiB of them in use: each keeps a
 * MiB, its low mark, and some is made ready ahead of need. */
Test(reuse, phases_take_what_the_last_one_left)
{
	uint64_t most = 0;
	for (uint64_t i = 0; i < 6; i++) {
		char name[2] = {(char)('a' + i), '\0'};
		uint32_t cache = cache_of(name, 200 + i * 96);
		use(cache, 16 * 16);
		most = most > ready_mib() ? most : ready_mib();
		pool_fixture_free_all(&fixture);
		test_clock_advance(20 * CLOCK_MS);
	}
	cr_expect_leq(most, 24, "%llu MiB", (unsigned long long)most);
	pool_fixture_agrees(&fixture);
}

Test(reuse, larger_slabs_take_whole_runs)
{
	uint32_t small = cache_of("small", 64);
	uint32_t large = cache_of("large", 100000); /* 8 units */
	use(small, 8 * 16);
	pool_fixture_free_all(&fixture);
	test_clock_advance(11 * CLOCK_S);
	use(large, 8 * 16 / 8 - 2);
	cr_expect_leq(ready_mib(), 10 + 4, "4 MiB are ahead of need");
	pool_fixture_agrees(&fixture);
}

/* One object of each keeps them all. */
Test(reuse, takes_nothing_in_use)
{
	uint32_t a = cache_of("a", 64);
	uint32_t b = cache_of("b", 6000);
	use(a, 64);
	for (uint32_t head = 0; head < pool->view.geo.n_units; head++) {
		uint16_t *tags;
		if (WORD_CACHE(pool->view.words[head]) != a)
			continue;
		tags = slab_tags(&pool->view, head);
		for (uint32_t i = 0; i < 1024; i++)
			if (i != head % 1024)
				tags[i] = TAG_FREE;
		slab_relist_any(&pool->view, head);
	}
	test_clock_advance(11 * CLOCK_S);
	cr_expect_eq(reuse_empties(pool, b, 0, 8), 0);
	cr_expect_eq(slabs(a), 64);
}

/* Where a look found nothing, the next one is 10 ms later. */
Test(reuse, looks_seldom_where_there_is_nothing)
{
	uint32_t a = cache_of("a", 64);
	uint32_t b = cache_of("b", 6000);
	use(a, 64);
	test_clock_advance(11 * CLOCK_S);
	cr_expect_eq(reuse_empties(pool, b, 0, 8), 0);
	pool_fixture_free_all(&fixture);
	test_clock_advance(9 * CLOCK_MS);
	cr_expect_eq(reuse_empties(pool, b, 0, 8), 0);
	test_clock_advance(1 * CLOCK_MS);
	cr_expect_eq(reuse_empties(pool, b, 0, 8), 8);
}

/* Down to the low mark, and an eighth besides while it grows. */
Test(reuse, leaves_a_list_what_it_needs)
{
	uint32_t a = cache_of("a", 64);
	uint32_t b = cache_of("b", 6000);
	uint32_t low;
	uint32_t all;
	use(a, 256);
	all = slabs(a);
	low = view_mark(&pool->view, a, 0)->low_slabs;
	pool_fixture_free_all(&fixture);
	test_clock_advance(10 * CLOCK_MS);
	reuse_empties(pool, b, 0, 1000);
	cr_expect_eq(slabs(a), low + all / 8);
	test_clock_advance(CLOCK_S);
	reuse_empties(pool, b, 0, 1000);
	cr_expect_eq(slabs(a), low);
	test_clock_advance(10 * CLOCK_S);
	reuse_empties(pool, b, 0, 1000);
	cr_expect_eq(slabs(a), 0);
}

/* Two that allocate and free in turns, a slab at a time, strip neither. */
Test(reuse, two_that_are_active_do_not_ping_pong)
{
	uint32_t a = cache_of("a", 64);
	uint32_t b = cache_of("b", 128);
	uint64_t taken;
	for (uint32_t i = 1; i <= 64; i++) {
		use(a, i);
		use(b, i);
	}
	taken = pool->counts.taken_slabs;
	pool_fixture_free_all(&fixture);
	for (uint32_t i = 0; i < 1000; i++) {
		wants_relieve(pool, i % 2 == 0 ? a : b, 0);
		ahead_work(pool);
		test_clock_advance(CLOCK_MS);
	}
	cr_expect_eq(pool->counts.taken_slabs, taken);
}

/* Each is noted like a step of a plan. */
Test(reuse, is_noted)
{
	uint32_t a = cache_of("a", 64);
	uint32_t b = cache_of("b", 6000);
	const struct balance_event *event;
	use(a, 64);
	pool_fixture_free_all(&fixture);
	test_clock_advance(11 * CLOCK_S);
	cr_assert_eq(reuse_empties(pool, b, 0, 8), 8);
	event = balance_event(pool, 0);
	cr_assert_not_null(event);
	cr_expect_eq(event->step.kind, PLAN_REASSIGN);
	cr_expect_eq(event->step.cache_ix, b - 1);
	cr_expect_eq(event->step.donor_ix, a - 1);
	cr_expect_eq(event->done, 8);
}
