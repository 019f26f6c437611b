/* SPDX-License-Identifier: MIT */
/* Who gets how much, and of whom. */
#include "daemon/plan/plan.h"

#include <criterion/criterion.h>

#include "tests/lib/rng.h"
#include "tests/lib/plan_fixture.h"

/* What a cell gets by one kind of step. */
static uint32_t got(const struct policy_bed *bed, enum policy_kind kind,
                    uint32_t cache, uint32_t node)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < bed->plan.n_steps; i++) {
		const struct policy_step *step = &bed->plan.steps[i];
		if (step->kind == kind && step->cache == cache &&
		    step->to == node)
			n += step->n;
	}
	return n;
}

/* ---- carve -------------------------------------------------------------- */

Test(policy_lend, pages_that_may_still_come_are_carved)
{
	struct policy_bed *bed = bed_new(1, 2);
	bed->nodes[0].room_pages = 9;
	bed->nodes[0].pages_max = 66;
	bed->caches[0].slab_units = 16;
	bed_cell(bed, 0, 0)->want = 9;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_CARVE)->n, 4, "two pages");
	cr_assert(bed_refused(bed, POLICY_CARVE, POLICY_AT_LIMIT, 0, 0));
	bed_free(bed);
}

Test(policy_lend, what_is_promised_is_not_free)
{
	struct policy_bed *bed = bed_new(1, 3);
	bed->nodes[0].free_units = 30;
	bed->nodes[0].trimmed = true;
	for (uint32_t cache = 0; cache < 3; cache++)
		bed_cell(bed, cache, 0)->want = 10 + 10 * cache;
	bed_plan(bed);
	cr_assert_eq(got(bed, POLICY_CARVE, 0, 0), 5);
	cr_assert_eq(got(bed, POLICY_CARVE, 1, 0), 10);
	cr_assert_eq(got(bed, POLICY_CARVE, 2, 0), 15);
	bed_free(bed);
}

Test(policy_lend, who_has_nothing_comes_first)
{
	struct policy_bed *bed = bed_new(1, 4);
	bed->nodes[0].free_units = 1;
	bed->nodes[0].trimmed = true;
	for (uint32_t cache = 0; cache < 4; cache++)
		bed_cell(bed, cache, 0)->want = 1;
	bed_cell(bed, 2, 0)->listed = 0;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_CARVE)->cache, 2);
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy_lend, free_units_that_are_scattered_make_no_large_slab)
{
	struct policy_bed *bed = bed_new(1, 2);
	uint32_t runs[POLICY_ORDERS] = {9, 2, 1};
	bed->nodes[0].free_units = 17;
	bed->nodes[0].runs = runs;
	bed->nodes[0].trimmed = true;
	bed->caches[0].slab_units = 4;
	bed->caches[1].slab_units = 2;
	bed_cell(bed, 0, 0)->want = 4;
	bed_cell(bed, 1, 0)->want = 4;
	bed_plan(bed);
	cr_assert_eq(got(bed, POLICY_CARVE, 0, 0), 1);
	cr_assert_eq(got(bed, POLICY_CARVE, 1, 0), 2);
	bed_free(bed);
}

Test(policy_lend, a_run_that_is_cut_leaves_its_rest)
{
	struct policy_bed *bed = bed_new(1, 4);
	uint32_t runs[POLICY_ORDERS] = {[5] = 1};
	bed->nodes[0].free_units = 32;
	bed->nodes[0].empty_pages = 1;
	bed->nodes[0].runs = runs;
	for (uint32_t cache = 0; cache < 4; cache++) {
		bed->caches[cache].slab_units = 1u << cache;
		bed_cell(bed, cache, 0)->want = 2;
	}
	bed_plan(bed);
	for (uint32_t cache = 0; cache < 4; cache++)
		cr_assert_eq(got(bed, POLICY_CARVE, cache, 0), 2);
	bed_free(bed);
}

/* ---- reassign ----------------------------------------------------------- */

Test(policy_lend, the_cache_with_most_gives)
{
	struct policy_bed *bed = bed_new(1, 4);
	const struct policy_step *step;
	bed_cell(bed, 0, 0)->want = 3;
	for (uint32_t cache = 1; cache < 4; cache++) {
		bed_cell(bed, cache, 0)->listed = 20;
		bed_cell(bed, cache, 0)->empty = cache == 2 ? 17 : 5;
	}
	bed_plan(bed);
	step = bed_step(bed, POLICY_REASSIGN);
	bed_no_more(bed);
	cr_assert_eq(step->donor, 2);
	cr_assert_eq(step->cache, 0);
	cr_assert_eq(step->n, 3);
	cr_assert_eq(step->n_given, 3);
	bed_free(bed);
}

Test(policy_lend, who_has_nothing_gets_one_of_those_who_have_few)
{
	struct policy_bed *bed = bed_new(1, 2);
	bed->nodes[0].trimmed = true;
	bed_cell(bed, 0, 0)->want = 3;
	bed_cell(bed, 0, 0)->listed = 1;
	bed_cell(bed, 1, 0)->listed = 3;
	bed_cell(bed, 1, 0)->empty = 3;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_REASSIGN)->n, 1, "to the low mark");
	bed_cell(bed, 1, 0)->listed = 2;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_REASSIGN, POLICY_SMALL_KEPT, 0, 0));
	bed_cell(bed, 0, 0)->listed = 0;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_REASSIGN)->n, 1);
	bed_cell(bed, 1, 0)->listed = 1;
	bed_plan(bed);
	bed_no_more(bed);
	bed_cell(bed, 1, 0)->low = 0;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_REASSIGN)->n, 1,
	             "of a list that nobody uses, the last");
	bed_free(bed);
}

Test(policy_lend, large_slabs_make_several_small_ones)
{
	struct policy_bed *bed = bed_new(1, 3);
	const struct policy_step *step;
	bed->caches[1].slab_units = 4;
	bed_cell(bed, 0, 0)->want = 6;
	bed_cell(bed, 2, 0)->want = 2;
	bed_cell(bed, 1, 0)->listed = 20;
	bed_cell(bed, 1, 0)->empty = 9;
	bed_plan(bed);
	step = &bed->plan.steps[0];
	cr_assert_eq(step->kind, POLICY_REASSIGN);
	cr_assert_eq(step->n, 6);
	cr_assert_eq(step->n_given, 2);
	bed_free(bed);
}

Test(policy_lend, small_slabs_make_a_large_one)
{
	struct policy_bed *bed = bed_new(1, 2);
	const struct policy_step *step;
	bed->caches[0].slab_units = 4;
	bed->nodes[0].trimmed = true;
	bed_cell(bed, 0, 0)->want = 2;
	bed_cell(bed, 1, 0)->listed = 20;
	bed_cell(bed, 1, 0)->empty = 3;
	bed_plan(bed);
	bed_no_more(bed);
	bed_cell(bed, 1, 0)->empty = 7;
	bed_plan(bed);
	step = bed_step(bed, POLICY_REASSIGN);
	bed_no_more(bed);
	cr_assert_eq(step->n, 1);
	cr_assert_eq(step->n_given, 4);
	bed_free(bed);
}

/* ---- lend --------------------------------------------------------------- */

Test(policy_lend, the_nearest_lends)
{
	struct policy_bed *bed = bed_new(4, 1);
	const struct policy_step *step;
	bed_cell(bed, 0, 0)->want = 2;
	bed_cell(bed, 0, 1)->listed = 5;
	bed_cell(bed, 0, 2)->listed = 20;
	bed_cell(bed, 0, 3)->listed = 20;
	bed_plan(bed);
	cr_assert_eq(bed->plan.n_steps, 2);
	step = &bed->plan.steps[0];
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->n, 1);
	cr_assert_eq(step->distance, 20);
	cr_assert_eq(step[1].from, 2);
	cr_assert_eq(step[1].n, 1);
	cr_assert_eq(step[1].distance, 30);
	bed_free(bed);
}

Test(policy_lend, a_node_without_cpus_comes_last)
{
	struct policy_bed *bed = bed_new(3, 1);
	bed_cell(bed, 0, 0)->want = 1;
	bed->nodes[1].has_cpu = false;
	bed_cell(bed, 0, 1)->listed = 20;
	bed_cell(bed, 0, 2)->listed = 20;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->from, 2);
	bed->config.far_is_tier = true;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->from, 1);
	bed_free(bed);
}

Test(policy_lend, no_more_than_one_plan_may)
{
	struct policy_bed *bed = bed_new(2, 1);
	bed_cell(bed, 0, 0)->want = 20;
	bed_cell(bed, 0, 1)->listed = 40;
	bed->nodes[0].trimmed = true;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->n, bed->config.lend_slabs_max);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_LEND, POLICY_RATE, 0, 0));
	bed_free(bed);
}

Test(policy_lend, who_is_needy_shares)
{
	struct policy_bed *bed = bed_new(4, 1);
	bed_cell(bed, 0, 0)->want = 4;
	bed_cell(bed, 0, 1)->want = 4;
	bed_cell(bed, 0, 3)->want = 4;
	bed_cell(bed, 0, 2)->listed = 4 + 6;
	bed_plan(bed);
	for (uint32_t node = 0; node < 4; node++)
		cr_assert_eq(got(bed, POLICY_LEND, 0, node), node == 2 ? 0 : 2);
	bed_free(bed);
}

Test(policy_lend, fresh_slabs_where_there_is_memory)
{
	struct policy_bed *bed = bed_new(3, 1);
	const struct policy_step *step;
	bed_cell(bed, 0, 0)->want = 3;
	bed->nodes[1].free_units = 32;
	bed->nodes[2].free_units = 32 + 2;
	bed->nodes[0].trimmed = true;
	bed_plan(bed);
	step = bed_step(bed, POLICY_LEND);
	bed_no_more(bed);
	cr_assert(step->fresh);
	cr_assert_eq(step->from, 2, "a page stays the node's own");
	cr_assert_eq(step->n, 2);
	bed->nodes[1].room_pages = 1;
	bed_plan(bed);
	step = bed_step(bed, POLICY_LEND);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->n, 3);
	bed->nodes[1].draining = true;
	bed_plan(bed);
	cr_assert_eq(got(bed, POLICY_LEND, 0, 0), 2);
	bed_free(bed);
}

Test(policy_lend, a_node_that_is_drained_lends_and_borrows)
{
	struct policy_bed *bed = bed_new(2, 2);
	bed->nodes[0].draining = bed->nodes[0].trimmed = true;
	bed_cell(bed, 0, 0)->want = 1;
	bed_cell(bed, 0, 1)->listed = 20;
	bed_cell(bed, 1, 1)->want = 1;
	bed_cell(bed, 1, 0)->listed = 20;
	bed_plan(bed);
	cr_assert_eq(got(bed, POLICY_LEND, 0, 0), 1);
	cr_assert_eq(got(bed, POLICY_LEND, 1, 1), 1);
	bed->nodes[0].offline = true;
	bed_plan(bed);
	cr_assert_eq(got(bed, POLICY_LEND, 1, 1), 0);
	bed_free(bed);
}

/* ---- pages -------------------------------------------------------------- */

Test(policy_lend, a_page_makes_way_for_a_strict_cache)
{
	struct policy_bed *bed = bed_new(2, 2);
	const struct policy_step *step;
	bed->caches[0].strict = true;
	bed->nodes[0].trimmed = true;
	bed->nodes[0].pages_max = 64;
	bed->nodes[0].room_pages = 5;
	bed_cell(bed, 0, 0)->want = 3;
	bed_page(bed, 1, 0, 1, UINT64_C(2) << 20);
	bed_page(bed, 1, 0, 1, UINT64_C(2) << 20);
	bed_plan(bed);
	cr_assert(bed_refused(bed, POLICY_MIGRATE, POLICY_NO_ROOM, 0, 0));
	bed->nodes[1].room_pages = 5;
	bed_plan(bed);
	step = bed_step(bed, POLICY_MIGRATE);
	bed_no_more(bed);
	cr_assert_eq(step->reason, POLICY_SHORT);
	cr_assert_eq(step->from, 0);
	cr_assert_eq(step->to, 1);
	bed_free(bed);
}

Test(policy_lend, a_loan_whose_users_are_there_is_not_returned)
{
	struct policy_bed *bed = bed_new(2, 1);
	bed_lend(bed, 0, 0, 1, 3);
	bed->nodes[1].room_pages = 2;
	bed_cell(bed, 0, 1)->listed = 20;
	bed_page(bed, 0, 0, 1, UINT64_C(2) << 20);
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_MIGRATE)->reason, POLICY_USED_THERE);
	bed_no_more(bed);
	bed->pages[0].target_bytes = 1;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_RETURN)->reason, POLICY_LOAN_OVER);
	bed_no_more(bed);
	bed_free(bed);
}

/* ---- drain, refused ----------------------------------------------------- */

static void not_drained(struct policy_bed *bed, enum policy_reason reason)
{
	bed->nodes[0].draining = bed->nodes[0].trimmed = true;
	bed_page(bed, 0, 0, 0, 5);
	bed_page(bed, 0, 0, 0, 5);
	bed->pages[0].stuck = bed->pages[1].stuck = reason == POLICY_STUCK;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_DRAIN, reason, 0, 0));
	cr_assert_eq(bed->plan.n_refusals, 1, "said once");
	bed_free(bed);
}

Test(policy_lend, drain_is_refused_by_name)
{
	struct policy_bed *bed = bed_new(2, 1);
	not_drained(bed, POLICY_NO_ROOM);
	bed = bed_new(2, 1);
	bed->nodes[1].room_pages = 9;
	bed->config.may_migrate = false;
	not_drained(bed, POLICY_NO_RIGHT);
	bed = bed_new(2, 1);
	bed->nodes[1].room_pages = 9;
	bed->config.migrate_bytes = 0;
	not_drained(bed, POLICY_RATE);
	bed = bed_new(2, 1);
	bed->nodes[1].room_pages = 9;
	not_drained(bed, POLICY_STUCK);
}

Test(policy_lend, loan_that_nobody_takes_from_goes_home)
{
	struct policy_bed *bed = bed_new(2, 1);
	struct policy_loan *loan = bed_lend(bed, 0, 0, 1, 3);
	struct policy_cell *cell = bed_cell(bed, 0, 1);
	cell->slabs = 0;
	cell->listed = loan->slabs;
	cell->low = 0;
	bed_plan(bed);
	bed_no_more(bed);
	loan->unused = 2;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_RETURN)->n, 2);
	bed_no_more(bed);
	cell->low = 1;
	bed_plan(bed);
	bed_no_more(bed);
	bed_free(bed);
}

/* ---- bounds ------------------------------------------------------------- */

Test(policy_lend, what_does_not_fit_is_counted)
{
	enum { CACHES = 600 };
	static struct policy_cache caches[CACHES];
	static struct policy_cell cells[CACHES];
	struct policy_bed *bed = bed_new(1, 1);
	for (uint32_t cache = 0; cache < CACHES; cache++) {
		caches[cache].slab_units = 1;
		cells[cache].want = 1;
	}
	bed->snap.n_caches = CACHES;
	bed->snap.caches = caches;
	bed->snap.cells = cells;
	bed->nodes[0].free_units = 599;
	bed_plan(bed);
	cr_assert_eq(bed->plan.n_steps, POLICY_STEPS_MAX);
	cr_assert_geq(bed->plan.more_steps, CACHES - POLICY_STEPS_MAX);
	bed->nodes[0].free_units = 0;
	bed_plan(bed);
	cr_assert_eq(bed->plan.n_steps, 1, "trim");
	cr_assert_eq(bed->plan.n_refusals, POLICY_STEPS_MAX);
	cr_assert_eq(bed->plan.more_refusals, CACHES * 2 - POLICY_STEPS_MAX);
	bed_free(bed);
}

/* A number that may be anything, and often is at an end. */
static uint32_t any(struct dice *dice)
{
	uint32_t bits = dice_below(dice, 33);
	uint64_t n = dice_next(dice) & ((UINT64_C(1) << bits) - 1);
	return dice_below(dice, 8) == 0 ? UINT32_MAX : (uint32_t)n;
}

static void draw_nonsense(struct policy_bed *bed, struct dice *dice)
{
	for (uint32_t i = 0; i < bed->snap.n_nodes; i++) {
		struct policy_node *node = &bed->nodes[i];
		node->pages = any(dice);
		node->pages_max = any(dice);
		node->room_pages = any(dice);
		node->free_units = any(dice);
		node->empty_pages = any(dice);
		node->idle_pages = any(dice);
		node->floor_pages = any(dice);
		node->pressure = dice_below(dice, 3);
		node->draining = dice_below(dice, 4) == 0;
	}
	for (uint32_t i = 0; i < bed->snap.n_caches; i++)
		bed->caches[i].slab_units = any(dice);
	for (uint32_t i = 0; i < bed->snap.n_caches * bed->snap.n_nodes; i++)
		bed->cells[i] = (struct policy_cell){.slabs = any(dice),
		                                     .listed = any(dice),
		                                     .empty = any(dice),
		                                     .idle = any(dice),
		                                     .lent = any(dice),
		                                     .borrowed = any(dice),
		                                     .low = any(dice),
		                                     .want = any(dice),
		                                     .held_ms = any(dice),
		                                     .flips = any(dice)};
	for (uint32_t i = 0; i < bed->snap.n_loans; i++) {
		bed->loans[i].slabs = any(dice);
		bed->loans[i].bare = any(dice);
		bed->loans[i].empty = any(dice);
		bed->loans[i].unused = any(dice);
		bed->loans[i].age_ms = any(dice);
	}
}

Test(policy_lend, numbers_that_make_no_sense_do_no_harm)
{
	struct policy_bed *bed = bed_new(BED_NODES, BED_CACHES);
	struct dice dice = dice_start("test_policy_lend");
	bed->config.idle_ms = 1;
	for (uint32_t i = 0; i < BED_ROWS; i++) {
		bed_lend(bed, i % BED_CACHES, i % 5, 5, 1);
		bed_page(bed, i % BED_CACHES, i % 5, 5, UINT64_MAX);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		draw_nonsense(bed, &dice);
		bed_plan(bed);
		cr_assert_leq(bed->plan.n_steps, POLICY_STEPS_MAX);
		cr_assert_leq(bed->plan.n_refusals, POLICY_STEPS_MAX);
	}
	bed_free(bed);
}
