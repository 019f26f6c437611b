/* SPDX-License-Identifier: MIT */
/* Counts and audits in slices: who asks together is answered together, and what
 * comes, goes and moves between two slices is counted once or not at all. Each piece
 * takes a millisecond of the test's time, as long as a slice. */
#include "daemon/pool/looks.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/ends.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

#define PER_SLAB 1024u
#define CALLS_MAX 100000u
/* For n slices: three more for each, of which 48 may be later, but for the last. */
#define LEAST_NS(n) ((1 + 3 * ((n) - 1) - 48 + 1) * CLOCK_MS)

static struct pool_fixture fixture, second;
static struct pool *const pool = &fixture.pool;
static uint32_t a;
static uint64_t me;
static unsigned n_pieces;

bool __real_usage_piece(struct usage *usage, const struct pool *of);
bool __wrap_usage_piece(struct usage *usage, const struct pool *of);
bool __real_usage_audit_piece(struct pool *of, struct audit *audit,
                              bool *failed);
bool __wrap_usage_audit_piece(struct pool *of, struct audit *audit,
                              bool *failed);

bool __wrap_usage_piece(struct usage *usage, const struct pool *of)
{
	n_pieces++;
	test_clock_advance(CLOCK_MS);
	return __real_usage_piece(usage, of);
}

bool __wrap_usage_audit_piece(struct pool *of, struct audit *audit,
                              bool *failed)
{
	n_pieces++;
	test_clock_advance(CLOCK_MS);
	return __real_usage_audit_piece(of, audit, failed);
}

/* Two nodes of 16 MiB, four granules each, with a slab in each of their pages. */
static void start(void)
{
	uint32_t head;
	test_clock_set(1000 * CLOCK_S);
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 16, 16);
	a = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	for (unsigned i = 0; i < 2 * 8 * 32; i++)
		cr_assert_eq(slabs_carve(pool, a, i % 2, i % 2, &head), 0);
	me = looks_join(pool, 0);
	cr_assert_neq(me, 0);
	n_pieces = 0;
}

static void finish(void)
{
	pool_fixture_agrees(&fixture);
	pool_fixture_stop(&fixture);
}

TestSuite(looks, .init = start, .fini = finish, .timeout = 60);

/* Until others had their time. */
static void pause_ms(void)
{
	test_clock_advance(looks_pause_ms() * CLOCK_MS);
}

/* What is asked for at a time. How many calls that took. */
static unsigned ask(int64_t at_ns, struct usage **usage)
{
	unsigned calls = 1;
	while (looks_usage(pool, at_ns, usage) == LOOKS_E_LATER) {
		cr_assert_lt(calls++, CALLS_MAX);
		pause_ms();
	}
	return calls;
}

static const struct audit *ask_audit(int64_t at_ns)
{
	const struct audit *audit;
	int64_t took_ns;
	unsigned calls = 0;
	while (looks_audit(pool, at_ns, &audit, &took_ns) == LOOKS_E_LATER) {
		cr_assert_lt(calls++, CALLS_MAX);
		pause_ms();
	}
	return audit;
}

static void counts(const struct usage *usage, uint32_t node, uint64_t slabs)
{
	const struct usage_cell *cell = usage_cell(usage, a, node);
	cr_expect_eq(cell->slabs, slabs, "node %u: %llu", node,
	             (unsigned long long)cell->slabs);
	cr_expect_eq(cell->objects, slabs * PER_SLAB);
	cr_expect_eq(cell->free, cell->objects);
}

/* ---- who asks ------------------------------------------------------------ */

Test(looks, a_slice_is_a_millisecond_and_three_are_others)
{
	struct usage *usage;
	int64_t began_ns = clock_ns();
	unsigned calls = 0;
	for (unsigned i = 0; i < 8; i++) {
		calls += ask(clock_ns(), &usage);
		test_clock_advance(1);
	}
	cr_expect_eq(n_pieces, 64);
	cr_expect_geq(calls, 64);
	cr_expect_geq(clock_ns() - began_ns, LEAST_NS(64));
	counts(usage, 0, 256);
	counts(usage, 1, 256);
}

/* But for the loop, which comes by between two slices. */
Test(looks, a_short_one_waits_for_nobody)
{
	struct usage *usage;
	int64_t began_ns = clock_ns();
	unsigned calls = ask(began_ns, &usage);
	cr_expect_eq(n_pieces, 8);
	cr_expect_eq(calls, 8);
	cr_expect_eq(clock_ns() - began_ns, 8 * CLOCK_MS);
}

Test(looks, one_count_is_for_all_who_asked_before_it_began)
{
	struct usage *usage;
	int64_t at_ns = clock_ns();
	ask(at_ns, &usage);
	for (int i = 0; i < 8; i++)
		cr_expect_eq(ask(at_ns, &usage), 1);
	cr_expect_eq(n_pieces, 8);
	test_clock_advance(1);
	ask(clock_ns(), &usage);
	cr_expect_eq(n_pieces, 16);
}

/* Who asks while it runs has another, which is one for all of those. */
Test(looks, a_count_that_had_begun_is_no_answer)
{
	struct usage *usage;
	uint32_t head;
	int64_t at_ns = clock_ns();
	cr_assert_eq(looks_usage(pool, at_ns, &usage), LOOKS_E_LATER);
	head = 0;
	cr_assert_eq(slabs_reclaim(pool, head), 0);
	ask(clock_ns(), &usage);
	cr_expect_eq(n_pieces, 16);
	counts(usage, 0, 255);
	cr_expect_eq(ask(at_ns, &usage), 1);
}

Test(looks, what_nobody_waits_for_ends)
{
	struct usage *usage;
	const struct audit *audit;
	int64_t took_ns;
	uint64_t other = looks_join(pool, 0);
	cr_expect_eq(looks_join(pool, other), other);
	cr_assert_eq(looks_audit(pool, clock_ns(), &audit, &took_ns),
	             LOOKS_E_LATER);
	cr_expect_not_null(pool->audit);
	looks_leave(pool, me);
	cr_expect_not_null(pool->audit);
	looks_leave(pool, other);
	cr_expect_null(pool->audit);
	/* And the next one begins anew. */
	me = looks_join(pool, 0);
	n_pieces = 0;
	audit = ask_audit(clock_ns());
	cr_expect_eq(audit->slabs, 512);
	cr_expect_eq(audit->n_faults, 0);
	ask(clock_ns(), &usage);
	counts(usage, 1, 256);
}

Test(looks, who_had_joined_another_pool_leaves_none)
{
	uint64_t other;
	pool_fixture_start(&second, "node:2 core:1 pu:1", 2, 2);
	other = looks_join(&second.pool, me);
	cr_expect_neq(other, me);
	looks_leave(&second.pool, me);
	cr_expect_eq(looks_join(&second.pool, other), other);
	looks_leave(&second.pool, other);
	pool_fixture_stop(&second);
}

/* A slice of one is owed by all. */
Test(looks, two_pools_share_their_time)
{
	struct usage *usage;
	int64_t at_ns = clock_ns();
	unsigned calls = 0;
	pool_fixture_start(&second, "node:2 core:1 pu:1", 16, 16);
	looks_join(&second.pool, 0);
	for (unsigned i = 0; i < 4; i++) {
		int64_t asked_ns = clock_ns();
		for (bool more = true; more; calls++) {
			cr_assert_lt(calls, CALLS_MAX);
			more = looks_usage(pool, asked_ns, &usage) ==
			       LOOKS_E_LATER;
			more |= looks_usage(&second.pool, asked_ns, &usage) ==
			        LOOKS_E_LATER;
			pause_ms();
		}
	}
	cr_expect_eq(n_pieces, 64);
	cr_expect_geq(clock_ns() - at_ns, LEAST_NS(64));
	pool_fixture_stop(&second);
}

/* ---- what changes meanwhile ---------------------------------------------- */

/* Below what is counted already and above it; a slab less is a slab less. */
Test(looks, slabs_that_go_and_come)
{
	struct usage *usage;
	const struct audit *audit;
	int64_t took_ns;
	int64_t at_ns = clock_ns();
	uint32_t head;
	cr_assert_eq(looks_usage(pool, at_ns, &usage), LOOKS_E_LATER);
	cr_assert_eq(slabs_reclaim(pool, 0), 0);
	cr_assert_eq(slabs_reclaim(pool, 255), 0);
	ask(at_ns, &usage);
	counts(usage, 0, 255);
	cr_assert_eq(looks_audit(pool, clock_ns(), &audit, &took_ns),
	             LOOKS_E_LATER);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	cr_assert_eq(slabs_reclaim(pool, 1), 0);
	cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	cr_expect_eq(ask_audit(at_ns)->n_faults, 0);
	ask(clock_ns(), &usage);
	counts(usage, 0, 256);
}

Test(looks, slabs_that_are_lent_and_moved)
{
	const struct audit *audit;
	int64_t took_ns;
	int64_t at_ns = clock_ns();
	uint64_t page = pages_next_used(&pool->pages, 0, 0);
	cr_assert_eq(looks_audit(pool, at_ns, &audit, &took_ns),
	             LOOKS_E_LATER);
	cr_assert_eq(slabs_lend(pool, 64, 1), 0);
	slabs_rehome(pool, page, 1);
	slabs_rehome(pool, pool->pages.n_pages / 2 - 1, 1);
	cr_expect_eq(ask_audit(at_ns)->n_faults, 0);
	cr_expect_eq(audit->slabs, 512);
	cr_assert_eq(slabs_return(pool, 64), 0);
}

Test(looks, a_cache_that_ends_and_another_in_its_place)
{
	struct remedy why;
	struct usage *usage;
	const struct audit *audit;
	int64_t took_ns;
	int64_t at_ns = clock_ns();
	uint32_t b;
	uint32_t head;
	cr_assert_eq(looks_usage(pool, at_ns, &usage), LOOKS_E_LATER);
	cr_assert_eq(looks_audit(pool, at_ns, &audit, &took_ns),
	             LOOKS_E_LATER);
	cr_assert_eq(ends_retire(pool, a, &why), 0, "%s", why.what);
	b = (uint32_t)pool_fixture_cache(&fixture, "b", 100000, 8, 0);
	for (unsigned i = 0; i < 64; i++)
		cr_assert_eq(slabs_carve(pool, b, i % 2, i % 2, &head), 0);
	ask(at_ns, &usage);
	cr_expect_eq(ask_audit(at_ns)->n_faults, 0);
	ask(clock_ns(), &usage);
	cr_expect_eq(usage_cell(usage, b, 0)->slabs, 32);
	cr_expect_eq(usage_cell(usage, b, 1)->slabs, 32);
}

/* What may pass is looked at over and over, for a tenth of a second. */
Test(looks, a_suspect_is_a_fault_in_the_end)
{
	struct partial list = partial_of(&pool->view, a, 0);
	int64_t at_ns = clock_ns();
	const struct audit *audit;
	partial_clear_any(&list, 3);
	audit = ask_audit(at_ns);
	cr_expect_eq(audit->n_faults, 1);
	cr_expect_eq(audit->faults[0].clause, AUDIT_LIST_DUE);
	cr_expect_gt(clock_ns() - at_ns, 100 * CLOCK_MS);
	partial_set_any(&list, 3);
}

Test(looks, what_passes_is_no_fault)
{
	struct partial list = partial_of(&pool->view, a, 0);
	const struct audit *audit;
	int64_t took_ns;
	int64_t at_ns = clock_ns();
	partial_clear_any(&list, 3);
	for (unsigned i = 0; i < 8; i++) {
		cr_assert_eq(looks_audit(pool, at_ns, &audit, &took_ns),
		             LOOKS_E_LATER);
		pause_ms();
	}
	partial_set_any(&list, 3);
	cr_expect_eq(ask_audit(at_ns)->n_faults, 0);
}
