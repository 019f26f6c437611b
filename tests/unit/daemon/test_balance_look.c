/* SPDX-License-Identifier: MIT */
/* When the balance looks at a pool, and how far: in the end each slab, page and
 * loan is seen, however many there are. */
#include "daemon/balance/balance.h"

#include <criterion/criterion.h>

#include "daemon/balance/hand.h"
#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/caches.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static struct config_balance config;

/* Of each node 2 MiB to begin with. */
static void start(const char *nodes, uint64_t max_mib)
{
	pool_fixture_start(&fixture, nodes, 2, max_mib);
	config = *balance_config(pool);
	config.hold_ms = 10;
	config.hold_max_ms = 10;
	config.idle_s = 60;
	balance_configure(pool, &config);
	pool_client(pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
}

static void finish(void)
{
	pool_fixture_agrees(&fixture);
	pool_fixture_stop(&fixture);
}

TestSuite(balance_look, .fini = finish, .timeout = 60);

static uint32_t cache_of(const char *name, uint64_t size, uint32_t flags)
{
	int cache = pool_fixture_cache(&fixture, name, size, 8, flags);
	cr_assert_gt(cache, 0);
	return (uint32_t)cache;
}

static bool reclaimed_idle(void)
{
	const struct balance_event *event;
	for (uint32_t i = 0; (event = balance_event(pool, i)) != NULL; i++)
		if (event->step.kind == PLAN_REASSIGN && !event->refused &&
		    event->step.reason == PLAN_IDLE)
			return true;
	return false;
}

/* ---- when to look again ------------------------------------------------- */

/* How many ms until the next one, -1: none. */
static int tick(void)
{
	bool trim;
	int64_t ns = balance_tick(pool, BALANCE_TIMER, &trim);
	return ns < 0 ? -1 : (int)(ns / CLOCK_MS);
}

/* A look at which slabs are empty that is due. */
static int tick_due(void)
{
	pool->balance->empty_ns -= 60 * CLOCK_S;
	return tick();
}

static void look_until_the_end(void)
{
	int looks = 0;
	while (tick_due() >= 0)
		cr_assert_lt(++looks, 100);
	cr_expect_eq(looks, 6);
}

/* What comes in between, for a loan or since clients rang, is no such look. */
Test(balance_look, looks_that_find_nothing_end_after_their_time)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, CACHE_STRICT);
	pool_fixture_use_up(&fixture, a, 0);
	for (int i = 0; i < 20; i++)
		cr_expect_gt(tick(), 0);
	pool_fixture_free_all(&fixture);
	for (int i = 0; tick_due() >= 0; i++)
		cr_assert_lt(i, 100);
	cr_expect(reclaimed_idle());
}

/* A client ended soon after the last of them, before another one is due. */
Test(balance_look, what_happens_has_the_looks_begin_anew)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, CACHE_STRICT);
	pool_fixture_use_up(&fixture, a, 0);
	look_until_the_end();
	pool_fixture_free_all(&fixture);
	balance_stir(pool);
	cr_expect_eq(tick(), 60000);
	while (tick_due() >= 0)
		continue;
	cr_expect(reclaimed_idle());
}

/* What a look found empty goes back an idle time later: its pages were as idle
 * as the slabs in them. */
Test(balance_look, what_is_idle_goes_back_in_time)
{
	int64_t began;
	uint32_t a;
	start("node:1 core:1 pu:1", 64);
	test_clock_set(1000 * CLOCK_S);
	a = cache_of("a", 64, 0);
	pool_fixture_use_up(&fixture, a, 0);
	for (int i = 0; i < 3; i++)
		test_clock_advance(tick() * CLOCK_MS);
	pool_fixture_free_all(&fixture);
	balance_stir(pool);
	began = clock_ns();
	while (pool->pages.node[0].pages > 1) {
		int ms = tick();
		cr_assert_geq(ms, 0, "%llu pages stay",
		              (unsigned long long)pool->pages.node[0].pages);
		test_clock_advance(ms * CLOCK_MS);
	}
	cr_expect_leq(clock_ns() - began, 62 * CLOCK_S, "%lld s",
	              (long long)((clock_ns() - began) / CLOCK_S));
}

/* ---- more than one look takes ------------------------------------------- */

/* All of a node of so many MiB is one cache's and in use. */
static uint32_t start_large(const char *nodes, uint64_t max_mib)
{
	uint32_t a;
	start(nodes, max_mib);
	a = cache_of("a", 60000, CACHE_STRICT);
	cr_assert_eq(pool_fixture_use_up(&fixture, a, 0), max_mib * 16);
	return a;
}

/* The first slabs of the pool are free, where a look comes last. */
static void free_lowest(uint32_t n)
{
	for (uint32_t head = 0; head < n; head++) {
		atom_store(&slab_tags(&pool->view, head)[0], TAG_FREE);
		slab_relist_any(&pool->view, head);
	}
}

Test(balance_look, who_is_short_gets_a_slab_that_is_far_down)
{
	uint32_t b;
	start_large("node:1 core:1 pu:1", 640);
	free_lowest(64);
	b = cache_of("b", 60000, CACHE_STRICT);
	for (int i = 0; i < 3 && *pool_slabs(pool, b, 0) == 0; i++)
		wants_relieve(pool, b, 0);
	cr_expect_gt(*pool_slabs(pool, b, 0), 0);
}

Test(balance_look, slabs_that_are_far_down_are_seen_to_be_idle)
{
	uint32_t a = start_large("node:1 core:1 pu:1", 640);
	free_lowest(64);
	cr_expect_eq(tick_due(), 10, "there is more to look at");
	cr_expect_eq(tick(), 60000);
	cr_expect_eq(*pool_slabs(pool, a, 0), 640 * 16,
	             "empty, but not for long");
	while (tick_due() >= 0)
		continue;
	cr_expect_lt(*pool_slabs(pool, a, 0), 640 * 16);
	cr_expect(reclaimed_idle());
}

/* Those before it are in use as a whole, and stay, as the borrower has no
 * memory of its own. */
Test(balance_look, the_last_of_many_loans_goes_home)
{
	const uint32_t n = 4500;
	uint32_t a;
	uint32_t head;
	int error;
	start("node:2 core:1 pu:1", 320);
	a = cache_of("a", 60000, 0);
	pool_fixture_use_up(&fixture, cache_of("b", 60000, CACHE_STRICT), 1);
	cr_assert_eq(move_carve(pool, a, 0, 1, n, &error), n);
	cr_assert_eq(pool_fixture_claim_all(&fixture, 1, a, 1), n);
	head = pool->loans.loan[n - 1].head;
	atom_store(&slab_tags(&pool->view, head)[0], TAG_FREE);
	slab_relist_any(&pool->view, head);
	for (uint32_t i = 0; i < n; i++)
		pool->loans.loan[i].taken_ns -= 60 * CLOCK_S;
	test_clock_advance(30 * CLOCK_MS);
	for (int i = 0; i < 10; i++)
		tick();
	cr_expect_eq(pool->loans.n, n - 1);
	cr_expect_eq(pool->view.words[head], WORD_MAKE(a, 0, 0, 0));
}

/* As a client can make them, by what it has pinned. */
static void pin_first(uint64_t n)
{
	struct balance *b = pool->balance;
	for (uint64_t page = 0; page < n; page++)
		b->past[b->n_past++ % BALANCE_PAST] = (struct balance_past){
			.page = page, .at_ns = clock_ns(), .stuck = true};
}

Test(balance_look, a_drain_goes_on_behind_pages_that_are_pinned)
{
	struct remedy why;
	start_large("node:2 core:1 pu:1", 640);
	config.hold_ms = config.hold_max_ms = 3600000;
	config.migrate_rate = UINT64_C(1) << 40;
	balance_configure(pool, &config);
	pin_first(BALANCE_PAGES);
	cr_assert_eq(balance_drain(pool, 0, true, &why), 0);
	for (int i = 0; i < 100 && pool->pages.node[0].pages > BALANCE_PAGES;
	     i++)
		tick();
	cr_expect_leq(pool->pages.node[0].pages, BALANCE_PAGES);
}

/* ---- a plan in slices ---------------------------------------------------- */

/* What there was no time for is gone on with, and no plan is made before. */
Test(balance_look, the_rest_of_a_plan_comes_next)
{
	struct balance *b;
	uint64_t plans;
	start("node:2 core:1 pu:1", 8);
	b = pool->balance;
	plans = balance_counts(pool)->plans;
	b->rest[0] = plan_step_of(PLAN_SHRINK, PLAN_ASKED, PLAN_NONE, 0, 0, 1);
	b->rest[1] = plan_step_of(PLAN_SHRINK, PLAN_ASKED, PLAN_NONE, 1, 1, 1);
	b->rest_at = 1;
	b->n_rest = 2;
	cr_expect_eq(tick(), 10);
	cr_expect_eq(balance_counts(pool)->plans, plans);
	cr_expect_eq(pool->pages.node[0].pages, 1);
	cr_expect_eq(pool->pages.node[1].pages, 0);
	tick();
	cr_expect_eq(balance_counts(pool)->plans, plans + 1);
}

/* It was for another situation. */
Test(balance_look, pressure_ends_the_rest_of_a_plan)
{
	struct balance *b;
	start("node:2 core:1 pu:1", 8);
	b = pool->balance;
	b->rest[0] = plan_step_of(PLAN_SHRINK, PLAN_ASKED, PLAN_NONE, 0, 0, 1);
	b->rest_at = 0;
	b->n_rest = 1;
	balance_press(pool, 1, PLAN_SOME);
	tick();
	cr_expect_eq(pool->pages.node[0].pages, 1);
}

/* Its row may be another's by then, or nobody's. */
Test(balance_look, what_is_left_of_a_plan_makes_no_slab_of_a_cache_that_ended)
{
	struct balance *b;
	uint32_t cache;
	struct remedy why;
	start("node:1 core:1 pu:1", 8);
	b = pool->balance;
	cache = cache_of("orders", 64, 0);
	cr_assert_eq(caches_remove(pool, "orders", &why), 1);
	b->rest[0] = plan_step_of(PLAN_CARVE, PLAN_SHORT, cache - 1, PLAN_NONE,
	                          0, 1);
	b->rest_at = 0;
	b->n_rest = 1;
	tick();
	cr_expect_eq(b->rest_at, b->n_rest);
	cr_expect_eq(*pool_slabs(pool, cache, 0), 0);
}
