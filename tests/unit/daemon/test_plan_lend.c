/* SPDX-License-Identifier: MIT */
/* Who gets how much, and of whom. */
#include "daemon/plan/plan.h"

#include <criterion/criterion.h>

#include "tests/lib/plan_fixture.h"
#include "tests/lib/rng.h"

/* What a cell gets by one kind of step. */
static uint32_t got(const struct plan_fixture *fixture, enum plan_kind kind,
                    uint32_t cache, uint32_t node)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < fixture->plan.n_steps; i++) {
		const struct plan_step *step = &fixture->plan.steps[i];
		if (step->kind == kind && step->cache_ix == cache &&
		    step->to == node)
			n += step->n;
	}
	return n;
}

/* ---- carve -------------------------------------------------------------- */

Test(plan_lend, pages_that_may_still_come_are_carved)
{
	struct plan_fixture *fixture = fixture_new(1, 2);
	fixture->nodes[0].room_pages = 9;
	fixture->nodes[0].pages_max = 66;
	fixture->caches[0].slab_units = 16;
	fixture_cell(fixture, 0, 0)->want = 9;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_CARVE)->n, 4, "two pages");
	cr_assert(fixture_refused(fixture, PLAN_CARVE, PLAN_AT_LIMIT, 0, 0));
	fixture_free(fixture);
}

Test(plan_lend, what_is_promised_is_not_free)
{
	struct plan_fixture *fixture = fixture_new(1, 3);
	fixture->nodes[0].free_units = 30;
	fixture->nodes[0].trimmed = true;
	for (uint32_t cache = 0; cache < 3; cache++)
		fixture_cell(fixture, cache, 0)->want = 10 + 10 * cache;
	fixture_plan(fixture);
	cr_assert_eq(got(fixture, PLAN_CARVE, 0, 0), 5);
	cr_assert_eq(got(fixture, PLAN_CARVE, 1, 0), 10);
	cr_assert_eq(got(fixture, PLAN_CARVE, 2, 0), 15);
	fixture_free(fixture);
}

Test(plan_lend, who_has_nothing_comes_first)
{
	struct plan_fixture *fixture = fixture_new(1, 4);
	fixture->nodes[0].free_units = 1;
	fixture->nodes[0].trimmed = true;
	for (uint32_t cache = 0; cache < 4; cache++)
		fixture_cell(fixture, cache, 0)->want = 1;
	fixture_cell(fixture, 2, 0)->listed = 0;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_CARVE)->cache_ix, 2);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan_lend, free_units_that_are_scattered_make_no_large_slab)
{
	struct plan_fixture *fixture = fixture_new(1, 2);
	uint32_t runs[SNAPSHOT_ORDERS] = {9, 2, 1};
	fixture->nodes[0].free_units = 17;
	fixture->nodes[0].runs = runs;
	fixture->nodes[0].trimmed = true;
	fixture->caches[0].slab_units = 4;
	fixture->caches[1].slab_units = 2;
	fixture_cell(fixture, 0, 0)->want = 4;
	fixture_cell(fixture, 1, 0)->want = 4;
	fixture_plan(fixture);
	cr_assert_eq(got(fixture, PLAN_CARVE, 0, 0), 1);
	cr_assert_eq(got(fixture, PLAN_CARVE, 1, 0), 2);
	fixture_free(fixture);
}

Test(plan_lend, a_run_that_is_cut_leaves_its_rest)
{
	struct plan_fixture *fixture = fixture_new(1, 4);
	uint32_t runs[SNAPSHOT_ORDERS] = {[5] = 1};
	fixture->nodes[0].free_units = 32;
	fixture->nodes[0].empty_pages = 1;
	fixture->nodes[0].runs = runs;
	for (uint32_t cache = 0; cache < 4; cache++) {
		fixture->caches[cache].slab_units = 1u << cache;
		fixture_cell(fixture, cache, 0)->want = 2;
	}
	fixture_plan(fixture);
	for (uint32_t cache = 0; cache < 4; cache++)
		cr_assert_eq(got(fixture, PLAN_CARVE, cache, 0), 2);
	fixture_free(fixture);
}

/* ---- reassign ----------------------------------------------------------- */

Test(plan_lend, the_cache_with_most_gives)
{
	struct plan_fixture *fixture = fixture_new(1, 4);
	const struct plan_step *step;
	fixture_cell(fixture, 0, 0)->want = 3;
	for (uint32_t cache = 1; cache < 4; cache++) {
		fixture_cell(fixture, cache, 0)->listed = 20;
		fixture_cell(fixture, cache, 0)->empty = cache == 2 ? 17 : 5;
	}
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_REASSIGN);
	fixture_no_more(fixture);
	cr_assert_eq(step->donor_ix, 2);
	cr_assert_eq(step->cache_ix, 0);
	cr_assert_eq(step->n, 3);
	cr_assert_eq(step->n_given, 3);
	fixture_free(fixture);
}

Test(plan_lend, who_has_nothing_gets_one_of_those_who_have_few)
{
	struct plan_fixture *fixture = fixture_new(1, 2);
	fixture->nodes[0].trimmed = true;
	fixture_cell(fixture, 0, 0)->want = 3;
	fixture_cell(fixture, 0, 0)->listed = 1;
	fixture_cell(fixture, 1, 0)->listed = 3;
	fixture_cell(fixture, 1, 0)->empty = 3;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_REASSIGN)->n, 1,
	             "to the low mark");
	fixture_cell(fixture, 1, 0)->listed = 2;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(
		fixture_refused(fixture, PLAN_REASSIGN, PLAN_SMALL_KEPT, 0, 0));
	fixture_cell(fixture, 0, 0)->listed = 0;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_REASSIGN)->n, 1);
	fixture_cell(fixture, 1, 0)->listed = 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture_cell(fixture, 1, 0)->low = 0;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_REASSIGN)->n, 1,
	             "of a list that nobody uses, the last");
	fixture_free(fixture);
}

Test(plan_lend, large_slabs_make_several_small_ones)
{
	struct plan_fixture *fixture = fixture_new(1, 3);
	const struct plan_step *step;
	fixture->caches[1].slab_units = 4;
	fixture_cell(fixture, 0, 0)->want = 6;
	fixture_cell(fixture, 2, 0)->want = 2;
	fixture_cell(fixture, 1, 0)->listed = 20;
	fixture_cell(fixture, 1, 0)->empty = 9;
	fixture_plan(fixture);
	step = &fixture->plan.steps[0];
	cr_assert_eq(step->kind, PLAN_REASSIGN);
	cr_assert_eq(step->n, 6);
	cr_assert_eq(step->n_given, 2);
	fixture_free(fixture);
}

Test(plan_lend, small_slabs_make_a_large_one)
{
	struct plan_fixture *fixture = fixture_new(1, 2);
	const struct plan_step *step;
	fixture->caches[0].slab_units = 4;
	fixture->nodes[0].trimmed = true;
	fixture_cell(fixture, 0, 0)->want = 2;
	fixture_cell(fixture, 1, 0)->listed = 20;
	fixture_cell(fixture, 1, 0)->empty = 3;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture_cell(fixture, 1, 0)->empty = 7;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_REASSIGN);
	fixture_no_more(fixture);
	cr_assert_eq(step->n, 1);
	cr_assert_eq(step->n_given, 4);
	fixture_free(fixture);
}

/* ---- lend --------------------------------------------------------------- */

Test(plan_lend, the_nearest_lends)
{
	struct plan_fixture *fixture = fixture_new(4, 1);
	const struct plan_step *step;
	fixture_cell(fixture, 0, 0)->want = 2;
	fixture_cell(fixture, 0, 1)->listed = 5;
	fixture_cell(fixture, 0, 2)->listed = 20;
	fixture_cell(fixture, 0, 3)->listed = 20;
	fixture_plan(fixture);
	cr_assert_eq(fixture->plan.n_steps, 2);
	step = &fixture->plan.steps[0];
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->n, 1);
	cr_assert_eq(step->distance, 20);
	cr_assert_eq(step[1].from, 2);
	cr_assert_eq(step[1].n, 1);
	cr_assert_eq(step[1].distance, 30);
	fixture_free(fixture);
}

Test(plan_lend, a_node_without_cpus_comes_last)
{
	struct plan_fixture *fixture = fixture_new(3, 1);
	fixture_cell(fixture, 0, 0)->want = 1;
	fixture->nodes[1].has_cpu = false;
	fixture_cell(fixture, 0, 1)->listed = 20;
	fixture_cell(fixture, 0, 2)->listed = 20;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->from, 2);
	fixture->config.far_is_tier = true;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->from, 1);
	fixture_free(fixture);
}

Test(plan_lend, no_more_than_one_plan_may)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	fixture->config.lend_slabs_max = 8;
	fixture_cell(fixture, 0, 0)->want = 20;
	fixture_cell(fixture, 0, 1)->listed = 40;
	fixture->nodes[0].trimmed = true;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->n,
	             fixture->config.lend_slabs_max);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_LEND, PLAN_RATE, 0, 0));
	fixture_free(fixture);
}

Test(plan_lend, who_is_needy_shares)
{
	struct plan_fixture *fixture = fixture_new(4, 1);
	fixture_cell(fixture, 0, 0)->want = 4;
	fixture_cell(fixture, 0, 1)->want = 4;
	fixture_cell(fixture, 0, 3)->want = 4;
	fixture_cell(fixture, 0, 2)->listed = 4 + 6;
	fixture_plan(fixture);
	for (uint32_t node = 0; node < 4; node++)
		cr_assert_eq(got(fixture, PLAN_LEND, 0, node),
		             node == 2 ? 0 : 2);
	fixture_free(fixture);
}

Test(plan_lend, fresh_slabs_where_there_is_memory)
{
	struct plan_fixture *fixture = fixture_new(3, 1);
	const struct plan_step *step;
	fixture_cell(fixture, 0, 0)->want = 3;
	fixture->nodes[1].free_units = 32;
	fixture->nodes[2].free_units = 32 + 2;
	fixture->nodes[0].trimmed = true;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_LEND);
	fixture_no_more(fixture);
	cr_assert(step->fresh);
	cr_assert_eq(step->from, 2, "a page stays the node's own");
	cr_assert_eq(step->n, 2);
	fixture->nodes[1].room_pages = 1;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_LEND);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->n, 3);
	fixture->nodes[1].draining = true;
	fixture_plan(fixture);
	cr_assert_eq(got(fixture, PLAN_LEND, 0, 0), 2);
	fixture_free(fixture);
}

Test(plan_lend, a_node_that_is_drained_lends_and_borrows)
{
	struct plan_fixture *fixture = fixture_new(2, 2);
	fixture->nodes[0].draining = fixture->nodes[0].trimmed = true;
	fixture_cell(fixture, 0, 0)->want = 1;
	fixture_cell(fixture, 0, 1)->listed = 20;
	fixture_cell(fixture, 1, 1)->want = 1;
	fixture_cell(fixture, 1, 0)->listed = 20;
	fixture_plan(fixture);
	cr_assert_eq(got(fixture, PLAN_LEND, 0, 0), 1);
	cr_assert_eq(got(fixture, PLAN_LEND, 1, 1), 1);
	fixture->nodes[0].offline = true;
	fixture_plan(fixture);
	cr_assert_eq(got(fixture, PLAN_LEND, 1, 1), 0);
	fixture_free(fixture);
}

/* ---- pages -------------------------------------------------------------- */

Test(plan_lend, a_page_makes_way_for_a_strict_cache)
{
	struct plan_fixture *fixture = fixture_new(2, 2);
	const struct plan_step *step;
	fixture->caches[0].strict = true;
	fixture->nodes[0].trimmed = true;
	fixture->nodes[0].pages_max = 64;
	fixture->nodes[0].room_pages = 5;
	fixture_cell(fixture, 0, 0)->want = 3;
	fixture_page(fixture, 1, 0, 1, UINT64_C(2) << 20);
	fixture_page(fixture, 1, 0, 1, UINT64_C(2) << 20);
	fixture_plan(fixture);
	cr_assert(fixture_refused(fixture, PLAN_MIGRATE, PLAN_NO_ROOM, 0, 0));
	fixture->nodes[1].room_pages = 5;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_MIGRATE);
	fixture_no_more(fixture);
	cr_assert_eq(step->reason, PLAN_SHORT);
	cr_assert_eq(step->from, 0);
	cr_assert_eq(step->to, 1);
	fixture_free(fixture);
}

Test(plan_lend, a_loan_whose_users_are_there_is_not_returned)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	fixture_lend(fixture, 0, 0, 1, 3);
	fixture->nodes[1].room_pages = 2;
	fixture_cell(fixture, 0, 1)->listed = 20;
	fixture_page(fixture, 0, 0, 1, UINT64_C(2) << 20);
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_MIGRATE)->reason,
	             PLAN_USED_THERE);
	fixture_no_more(fixture);
	fixture->pages[0].target_bytes = 1;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_RETURN)->reason,
	             PLAN_LOAN_OVER);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

/* ---- drain, refused ----------------------------------------------------- */

static void not_drained(struct plan_fixture *fixture, enum plan_reason reason)
{
	fixture->nodes[0].draining = fixture->nodes[0].trimmed = true;
	fixture_page(fixture, 0, 0, 0, 5);
	fixture_page(fixture, 0, 0, 0, 5);
	fixture->pages[0].stuck = fixture->pages[1].stuck =
		reason == PLAN_STUCK;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_DRAIN, reason, 0, 0));
	cr_assert_eq(fixture->plan.n_refusals, 1, "said once");
	fixture_free(fixture);
}

Test(plan_lend, drain_is_refused_by_name)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	not_drained(fixture, PLAN_NO_ROOM);
	fixture = fixture_new(2, 1);
	fixture->nodes[1].room_pages = 9;
	fixture->config.may_migrate = false;
	not_drained(fixture, PLAN_NO_RIGHT);
	fixture = fixture_new(2, 1);
	fixture->nodes[1].room_pages = 9;
	fixture->config.migrate_bytes = 0;
	not_drained(fixture, PLAN_RATE);
	fixture = fixture_new(2, 1);
	fixture->nodes[1].room_pages = 9;
	not_drained(fixture, PLAN_STUCK);
}

Test(plan_lend, loan_that_nobody_takes_from_goes_home)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	struct snapshot_loan *loan = fixture_lend(fixture, 0, 0, 1, 3);
	struct snapshot_cell *cell = fixture_cell(fixture, 0, 1);
	cell->slabs = 0;
	cell->listed = loan->slabs;
	cell->low = 0;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	loan->unused = 2;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_RETURN)->n, 2);
	fixture_no_more(fixture);
	cell->low = 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

/* ---- bounds ------------------------------------------------------------- */

Test(plan_lend, what_does_not_fit_is_counted)
{
	enum { CACHES = 600 };
	static struct snapshot_cache caches[CACHES];
	static struct snapshot_cell cells[CACHES];
	struct plan_fixture *fixture = fixture_new(1, 1);
	for (uint32_t cache = 0; cache < CACHES; cache++) {
		caches[cache].slab_units = 1;
		cells[cache].want = 1;
	}
	fixture->snap.n_caches = CACHES;
	fixture->snap.caches = caches;
	fixture->snap.cells = cells;
	fixture->nodes[0].free_units = 599;
	fixture_plan(fixture);
	cr_assert_eq(fixture->plan.n_steps, PLAN_STEPS_MAX);
	cr_assert_geq(fixture->plan.more_steps, CACHES - PLAN_STEPS_MAX);
	fixture->nodes[0].free_units = 0;
	fixture_plan(fixture);
	cr_assert_eq(fixture->plan.n_steps, 1, "trim");
	cr_assert_eq(fixture->plan.n_refusals, PLAN_STEPS_MAX);
	cr_assert_eq(fixture->plan.more_refusals, CACHES * 2 - PLAN_STEPS_MAX);
	fixture_free(fixture);
}

/* A number that may be anything, and often is at an end. */
static uint32_t any(struct rng *rng)
{
	uint32_t bits = rng_below(rng, 33);
	uint64_t n = rng_next(rng) & ((UINT64_C(1) << bits) - 1);
	return rng_below(rng, 8) == 0 ? UINT32_MAX : (uint32_t)n;
}

static void draw_nonsense(struct plan_fixture *fixture, struct rng *rng)
{
	for (uint32_t i = 0; i < fixture->snap.n_nodes; i++) {
		struct snapshot_node *node = &fixture->nodes[i];
		node->pages = any(rng);
		node->pages_max = any(rng);
		node->room_pages = any(rng);
		node->free_units = any(rng);
		node->empty_pages = any(rng);
		node->idle_pages = any(rng);
		node->floor_pages = any(rng);
		node->pressure = rng_below(rng, 3);
		node->draining = rng_below(rng, 4) == 0;
	}
	for (uint32_t i = 0; i < fixture->snap.n_caches; i++)
		fixture->caches[i].slab_units = any(rng);
	for (uint32_t i = 0; i < fixture->snap.n_caches * fixture->snap.n_nodes;
	     i++)
		fixture->cells[i] =
			(struct snapshot_cell){.slabs = any(rng),
		                               .listed = any(rng),
		                               .empty = any(rng),
		                               .idle = any(rng),
		                               .lent = any(rng),
		                               .borrowed = any(rng),
		                               .low = any(rng),
		                               .want = any(rng),
		                               .held_ms = any(rng),
		                               .reversals = any(rng)};
	for (uint32_t i = 0; i < fixture->snap.n_loans; i++) {
		fixture->loans[i].slabs = any(rng);
		fixture->loans[i].bare = any(rng);
		fixture->loans[i].empty = any(rng);
		fixture->loans[i].unused = any(rng);
		fixture->loans[i].age_ms = any(rng);
	}
}

Test(plan_lend, numbers_that_make_no_sense_do_no_harm)
{
	struct plan_fixture *fixture =
		fixture_new(FIXTURE_NODES, FIXTURE_CACHES);
	struct rng rng = rng_start("test_plan_lend");
	fixture->config.idle_ms = 1;
	for (uint32_t i = 0; i < FIXTURE_ROWS; i++) {
		fixture_lend(fixture, i % FIXTURE_CACHES, i % 5, 5, 1);
		fixture_page(fixture, i % FIXTURE_CACHES, i % 5, 5, UINT64_MAX);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		draw_nonsense(fixture, &rng);
		fixture_plan(fixture);
		cr_assert_leq(fixture->plan.n_steps, PLAN_STEPS_MAX);
		cr_assert_leq(fixture->plan.n_refusals, PLAN_STEPS_MAX);
	}
	fixture_free(fixture);
}
