/* SPDX-License-Identifier: MIT */
/* A slabd that is stopped at each step, by a debugger or by a machine that is busy,
 * has slices in which no time is left at the first look at the clock. Each does a
 * least of its work even so, and all of it comes to an end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "daemon/balance/hand.h"
#include "daemon/balance/own.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/looks.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/slabs.h"
#include "daemon/pool/sweep.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

#define JUMP_NS (10 * CLOCK_S)
#define CALLS_MAX 10000u
#define SLABS 64u

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static struct remedy why;
static uint32_t a;

static void start(void)
{
	uint32_t head;
	test_clock_set(1000 * CLOCK_S);
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 8, 16);
	a = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	for (unsigned i = 0; i < SLABS; i++)
		cr_assert_eq(slabs_carve(pool, a, i % 2, i % 2, &head), 0);
	pool_client(pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	test_clock_jump(JUMP_NS);
}

static void finish(void)
{
	test_clock_jump(0);
	pool_fixture_agrees(&fixture);
	pool_fixture_stop(&fixture);
}

TestSuite(jumps, .init = start, .fini = finish, .timeout = 60);

/* What a slice has that begins now. */
static int64_t slice(void)
{
	return clock_ns() + CLOCK_MS;
}

/* How many slabs the cache has. */
static uint32_t slabs(uint32_t cache)
{
	return *pool_slabs(pool, cache, 0) + *pool_slabs(pool, cache, 1);
}

Test(jumps, a_cache_ends)
{
	struct ends ends = {.cache = 0};
	unsigned calls = 0;
	int r;
	do {
		r = ends_some(pool, &ends, a, slice(), &why);
		cr_assert_lt(calls++, CALLS_MAX);
	} while (r == ENDS_E_LATER);
	cr_expect_eq(r, 0, "%s", why.what);
	cr_expect_eq(slabs(a), 0);
	cr_expect_geq(calls, SLABS, "a slab at a time");
	cr_expect_not(pool_has_cache(pool, a));
}

/* Balance makes slabs for a list that was in use a moment ago, of units that the end
 * has just emptied: none of them outlives the cache's row. */
Test(jumps, a_cache_that_gets_slabs_meanwhile_ends_without)
{
	struct ends ends = {.cache = 0};
	unsigned calls = 0;
	uint32_t head;
	int r;
	do {
		r = ends_some(pool, &ends, a, slice(), &why);
		if (r == ENDS_E_LATER && calls % 3 == 0)
			cr_assert_eq(slabs_carve_ready(pool, a, calls % 2,
			                               &head), 0);
		cr_assert_lt(calls++, CALLS_MAX);
	} while (r == ENDS_E_LATER);
	cr_expect_eq(r, 0, "%s", why.what);
	cr_expect_eq(slabs(a), 0);
	for (uint64_t unit = 0; unit < pool->view.geo.n_units; unit++)
		cr_assert_neq(WORD_CACHE(pool->view.words[unit]), a,
		              "unit %llu", (unsigned long long)unit);
	cr_expect_eq(slabs_carve_ready(pool, a, 0, &head), -EINVAL,
	             "nor is one made after it");
}

/* One who had it open in between may have taken something. */
Test(jumps, a_cache_that_is_opened_meanwhile_stays)
{
	struct ends ends = {.cache = 0};
	for (unsigned i = 0; i < SLABS + 2; i++)
		cr_assert_eq(ends_some(pool, &ends, a, slice(), &why),
		             ENDS_E_LATER);
	caches_open(pool, 1, a);
	cr_expect_eq(ends_some(pool, &ends, a, slice(), &why), -EBUSY);
	cr_expect(strstr(why.what, "has it open") != NULL, "%s", why.what);
	cr_expect(pool_has_cache(pool, a));
	cr_expect_gt(slabs(a), 0);
	for (unsigned i = 0; i < 2; i++)
		cr_expect_eq(ends_some(pool, &ends, a, slice(), &why), -EBUSY);
	caches_close(pool, 1, a);
	cr_expect_eq(ends_some(pool, &ends, a, slice(), &why), ENDS_E_LATER);
	caches_open(pool, 1, a);
	pool_fixture_claim_all(&fixture, 1, a, 0);
	caches_close(pool, 1, a);
	cr_expect_eq(ends_some(pool, &ends, a, slice(), &why), -EBUSY);
	cr_expect_str_eq(why.what, "it was opened meanwhile");
}

/* What the dead had is waited for, and no longer than a round of the sweep. */
Test(jumps, a_cache_whose_objects_were_a_dead_ones_ends)
{
	struct ends ends = {.cache = 0};
	int id = clients_take(pool, 1, 0, "dies");
	unsigned calls = 0;
	int r;
	cr_assert_gt(id, 0);
	pool_fixture_claim_all(&fixture, (uint32_t)id, a, 0);
	clients_reap(pool, (uint32_t)id);
	do {
		r = ends_some(pool, &ends, a, slice(), &why);
		cr_assert_lt(calls++, CALLS_MAX);
	} while (r == ENDS_E_LATER);
	cr_expect_eq(r, 0, "%s", why.what);
	cr_expect_eq(pool->counts.ended_caches, 1);
}

static int create(struct caches_job *job, const char *name, uint64_t size)
{
	const struct caches_want want = {.name = name, .size = size};
	unsigned calls = 0;
	int r;
	do {
		r = caches_create_some(pool, &want, job, slice(), &why);
		cr_assert_lt(calls++, CALLS_MAX);
	} while (r == CACHES_E_LATER);
	return r;
}

Test(jumps, a_cache_is_replaced_and_the_oldest_makes_room)
{
	struct caches_job job = {.cache = 0};
	cr_assert_eq(create(&job, "a", 128), 0, "%s", why.what);
	cr_expect_eq(slabs(a), 0);
	for (char name[] = "b"; name[0] <= 'i'; name[0]++) {
		job = (struct caches_job){.cache = 0};
		cr_assert_eq(create(&job, name, 64), 0, "%s", why.what);
	}
	cr_expect_eq(caches_find(pool, "a"), 0, "the table has 8");
	job = (struct caches_job){.cache = 0};
	while (caches_remove_some(pool, "c", &job, slice(), &why) ==
	       CACHES_E_LATER)
		continue;
	cr_expect_eq(job.removed, 1);
}

Test(jumps, older_versions_end)
{
	struct caches_job job = {.cache = 0};
	unsigned calls = 0;
	pool_fixture_cache(&fixture, "a", 128, 8, CACHE_BESIDE);
	cr_assert(pool->superseded);
	while (!caches_tidy_some(pool, &job, slice()))
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_not(pool->superseded);
	cr_expect_geq(calls, SLABS / 2);
	cr_expect_eq(slabs(a), 0);
}

Test(jumps, lists_get_their_summaries)
{
	unsigned calls = 0;
	pool_fixture_stop(&fixture);
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 1u << 20);
	while (lists_need(pool, 8, slice()) == LISTS_E_LATER)
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_eq(pool->head->ready_lists, 8);
	cr_expect_eq(calls, 2 * 8, "a list at a time");
}

Test(jumps, slabs_are_lent_and_come_back)
{
	struct balance_lending lend = {
		.cache = a, .from = 0, .to = 1, .n = SLABS};
	unsigned calls = 0;
	while (balance_lend_some(pool, &lend, &why) > 0)
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_eq(lend.done, SLABS / 2);
	cr_expect_eq(pool->loans.n, SLABS / 2);
	cr_expect_eq(balance_event(pool, 0)->done, SLABS / 2);
	lend = (struct balance_lending){
		.cache = a, .from = 0, .to = 0, .n = SLABS};
	calls = 0;
	while (balance_lend_some(pool, &lend, &why) > 0)
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_eq(lend.done, SLABS / 2);
	cr_expect_eq(pool->loans.n, 0);
	cr_expect_geq(calls, SLABS / 2 - 1, "a slab at a time");
}

Test(jumps, a_count_and_an_audit_end)
{
	const struct audit *audit;
	struct usage *usage;
	int64_t took_ns;
	int64_t asked_ns = clock_ns();
	unsigned calls = 0;
	uint64_t me = looks_join(pool, 0);
	cr_assert_neq(me, 0);
	while (looks_usage(pool, asked_ns, &usage) == LOOKS_E_LATER)
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_eq(usage_cell(usage, a, 0)->slabs, SLABS / 2);
	calls = 0;
	while (looks_audit(pool, asked_ns, &audit, &took_ns) == LOOKS_E_LATER)
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_eq(audit->slabs, SLABS);
	cr_expect_eq(audit->n_faults, 0);
	looks_leave(pool, me);
}

Test(jumps, a_sweep_ends)
{
	int id = clients_take(pool, 1, 0, "dies");
	unsigned calls = 0;
	cr_assert_gt(id, 0);
	pool_fixture_claim_all(&fixture, (uint32_t)id, a, 0);
	pool_fixture_claim_all(&fixture, (uint32_t)id, a, 1);
	clients_reap(pool, (uint32_t)id);
	cr_assert(sweep_is_due(pool));
	while (sweep_is_due(pool)) {
		sweep_slice(pool, slice());
		cr_assert_lt(calls++, CALLS_MAX);
	}
	cr_expect_eq(pool->counts.swept_objects,
	             (uint64_t)SLABS * pool->view.caches[a - 1].n_objs);
}

/* Tags that were taken away are marked as nobody's before any is read. */
Test(jumps, a_shared_file_is_mended)
{
	uint64_t tags = pool->view.geo.tags_off;
	uint64_t n = meta_range(pool, META_TAGS).ready - tags;
	const uint16_t *tag = (const void *)((const char *)pool->shared + tags);
	unsigned calls = 0;
	cr_assert_eq(fallocate(pool->shared_fd,
	                       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                       (off_t)tags, (off_t)n),
	             0);
	cr_expect_not(holes_guard(pool));
	cr_expect_eq(pool->head->aside, 1);
	while (!holes_guard(pool))
		cr_assert_lt(calls++, CALLS_MAX);
	cr_expect_geq(calls, 1);
	for (uint64_t i = 0; i < n / sizeof(*tag); i++)
		cr_assert_eq(tag[i], TAG_NONE);
	/* There is no free object left, and none that anybody owns. */
	pool_fixture_stop(&fixture);
	test_clock_jump(0);
	start();
}

/* Wants of all lists, of which most are refused in the end. */
Test(jumps, a_round_of_wants_ends)
{
	enum wants_outcome outcome = WANTS_NOTHING;
	unsigned calls = 0;
	bool more = true;
	for (char name[] = "b"; name[0] < 'f'; name[0]++)
		pool_fixture_cache(&fixture, name, 4096, 8, 0);
	pool_fixture_use_up(&fixture, a, 0);
	pool_fixture_use_up(&fixture, a, 1);
	for (uint32_t cell = 0; cell < 2 * pool->n_caches; cell++)
		view_want_any(&pool->view, cell / 2 + 1, cell % 2);
	wants_rung(pool);
	while (more) {
		enum wants_outcome one = wants_serve(pool, slice(), &more);
		outcome = one > outcome ? one : outcome;
		cr_assert_lt(calls++, CALLS_MAX);
	}
	cr_expect_eq(outcome, WANTS_DENIED);
	cr_expect_eq(pool->counts.denied, 2 * pool->n_caches);
	pool_fixture_free_all(&fixture);
}

/* Slabs made ahead, pages kept, stock: with several lists in use none of these keeps
 * the next from its turn. */
Test(jumps, work_ahead_ends)
{
	unsigned calls = 0;
	for (uint32_t i = 0; i < 3; i++) {
		char name[] = {(char)('b' + i), '\0'};
		uint32_t cache = (uint32_t)pool_fixture_cache(&fixture, name,
		                                              64, 8, 0);
		for (unsigned k = 0; k < 4; k++)
			ahead_rung(pool, cache, k % 2);
	}
	while (ahead_work(pool))
		cr_assert_lt(calls++, CALLS_MAX);
	for (uint32_t cell = 2; cell < 8; cell++)
		cr_expect_gt(pool_standing(pool, cell / 2 + 1, cell % 2), 0);
	cr_expect_eq(pool->balance->keep_at, 0);
	cr_expect_eq(pool->balance->stock_at, 0);
}

Test(jumps, looks_at_the_nodes_end)
{
	unsigned calls = 0;
	bool trim;
	for (unsigned i = 0; i < SLABS / 2; i++)
		cr_assert_eq(slabs_lend(pool, (uint32_t)i, 1), 0);
	while (pool->loans.n > 0) {
		balance_tick(pool, BALANCE_TIMER, &trim);
		cr_assert_lt(calls++, CALLS_MAX);
	}
}
