/* SPDX-License-Identifier: MIT */
/* Each reason, with nothing else the matter. */
#include "daemon/plan/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/plan_fixture.h"

#define PAGE_BYTES (UINT64_C(2) << 20)

/* ---- taken -------------------------------------------------------------- */

Test(policy, short_is_carved)
{
	struct policy_bed *bed = bed_new(2, 2);
	const struct policy_step *step;
	bed->nodes[1].free_units = 10;
	bed_cell(bed, 1, 1)->want = 3;
	bed_plan(bed);
	step = bed_step(bed, POLICY_CARVE);
	bed_no_more(bed);
	cr_assert_eq(step->reason, POLICY_SHORT);
	cr_assert_eq(step->cache, 1);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->to, 1);
	cr_assert_eq(step->n, 3);
	cr_assert_eq(step->distance, 10);
	cr_assert_eq(step->donor, POLICY_NONE);
	cr_assert_eq(bed->plan.n_refusals, 0);
	bed_free(bed);
}

Test(policy, used_there_is_migrated)
{
	struct policy_bed *bed = bed_new(2, 1);
	const struct policy_step *step;
	bed->nodes[1].room_pages = 2;
	bed_page(bed, 0, 0, 1, PAGE_BYTES);
	bed_plan(bed);
	step = bed_step(bed, POLICY_MIGRATE);
	bed_no_more(bed);
	cr_assert_eq(step->reason, POLICY_USED_THERE);
	cr_assert_eq(step->page, 101);
	cr_assert_eq(step->from, 0);
	cr_assert_eq(step->to, 1);
	cr_assert_eq(step->bytes, PAGE_BYTES);
	cr_assert_eq(step->distance, 20);
	cr_assert_eq(bed->plan.n_refusals, 0);
	bed_free(bed);
}

Test(policy, lender_short_gets_back)
{
	struct policy_bed *bed = bed_new(2, 1);
	const struct policy_step *step;
	struct policy_loan *loan = bed_lend(bed, 0, 0, 1, 5);
	loan->bare = 1;
	loan->age_ms = 0;
	bed_cell(bed, 0, 0)->want = 3;
	bed_plan(bed);
	step = bed_step(bed, POLICY_RETURN);
	bed_no_more(bed);
	cr_assert_eq(step->reason, POLICY_LENDER_SHORT);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->to, 0);
	cr_assert_eq(step->n, 3);
	bed_cell(bed, 0, 0)->want = 9;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_RETURN)->n, 4,
	             "what has nothing free is no help");
	bed_free(bed);
}

Test(policy, loan_over_goes_home)
{
	struct policy_bed *bed = bed_new(2, 1);
	const struct policy_step *step;
	struct policy_loan *loan = bed_lend(bed, 0, 0, 1, 3);
	bed->nodes[1].free_units = 1;
	bed_cell(bed, 0, 1)->listed = 3 + 2 * 2 - 1;
	bed_plan(bed);
	bed_no_more(bed);
	bed_cell(bed, 0, 1)->listed++;
	bed_plan(bed);
	step = bed_step(bed, POLICY_RETURN);
	bed_no_more(bed);
	cr_assert_eq(step->reason, POLICY_LOAN_OVER);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->to, 0);
	cr_assert_eq(step->n, 3);
	loan->age_ms = bed->config.hold_ms - 1;
	bed_plan(bed);
	bed_no_more(bed);
	loan->age_ms = UINT32_MAX;
	bed->nodes[1].free_units = 0;
	bed_plan(bed);
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, loan_in_which_nobody_has_anything_goes_home)
{
	struct policy_bed *bed = bed_new(2, 1);
	struct policy_loan *loan = bed_lend(bed, 0, 0, 1, 4);
	loan->empty = 4;
	bed_cell(bed, 0, 1)->listed = 7;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_RETURN)->n, 2,
	             "the borrower keeps twice its low mark and one");
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, pressed_is_trimmed_and_shrunk)
{
	struct policy_bed *bed = bed_new(2, 1);
	const struct policy_step *step;
	bed->nodes[1].pressure = POLICY_SOME;
	bed->nodes[1].free_units = 5 * 32;
	bed->nodes[1].empty_pages = 5;
	bed->nodes[1].idle_pages = 2;
	bed_plan(bed);
	step = bed_step(bed, POLICY_TRIM);
	cr_assert_eq(step->reason, POLICY_PRESSED);
	cr_assert_eq(step->to, 1);
	step = bed_step(bed, POLICY_SHRINK);
	cr_assert_eq(step->reason, POLICY_PRESSED);
	cr_assert_eq(step->to, 1);
	cr_assert_eq(step->n, 2, "those that are idle first");
	bed_no_more(bed);
	bed->nodes[1].idle_pages = 0;
	bed->nodes[1].trimmed = true;
	bed->nodes[1].floor_pages = 60;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_SHRINK)->n, 4);
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, full_pressure_takes_all_at_once)
{
	struct policy_bed *bed = bed_new(1, 2);
	const struct policy_step *step;
	bed->nodes[0].pressure = POLICY_FULL;
	bed->nodes[0].trimmed = true;
	bed->nodes[0].free_units = 5 * 32;
	bed->nodes[0].empty_pages = 5;
	bed->nodes[0].idle_pages = 2;
	bed_cell(bed, 1, 0)->empty = 4;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_SHRINK)->n, 5);
	step = bed_step(bed, POLICY_REASSIGN);
	cr_assert_eq(step->reason, POLICY_PRESSED);
	cr_assert_eq(step->cache, 1);
	cr_assert_eq(step->donor, 1);
	cr_assert_eq(step->n, 2, "down to the low mark");
	cr_assert_eq(step->from, step->to);
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, idle_is_given_back)
{
	struct policy_bed *bed = bed_new(1, 1);
	const struct policy_step *step;
	bed->nodes[0].free_units = 5 * 32;
	bed->nodes[0].empty_pages = 5;
	bed->nodes[0].idle_pages = 3;
	bed_cell(bed, 0, 0)->listed = 9;
	bed_cell(bed, 0, 0)->empty = 9;
	bed_cell(bed, 0, 0)->idle = 8;
	bed_plan(bed);
	bed_no_more(bed);
	bed->config.idle_ms = 1000;
	bed_plan(bed);
	step = bed_step(bed, POLICY_SHRINK);
	cr_assert_eq(step->reason, POLICY_IDLE);
	cr_assert_eq(step->n, 3);
	step = bed_step(bed, POLICY_REASSIGN);
	cr_assert_eq(step->reason, POLICY_IDLE);
	cr_assert_eq(step->n, 4, "twice the low mark and one stay");
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, drained_is_emptied)
{
	struct policy_bed *bed = bed_new(3, 1);
	const struct policy_step *step;
	bed->nodes[0].draining = true;
	bed->nodes[0].free_units = 64;
	bed->nodes[0].empty_pages = 2;
	bed->nodes[0].floor_pages = 64;
	bed->nodes[1].room_pages = 5;
	bed->nodes[2].room_pages = 1;
	bed_cell(bed, 0, 0)->empty = 3;
	bed_page(bed, 0, 0, 2, 5);
	bed_page(bed, 0, 0, 0, 5);
	bed_page(bed, 0, 0, 0, 0);
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_TRIM)->reason, POLICY_DRAINED);
	step = bed_step(bed, POLICY_SHRINK);
	cr_assert_eq(step->reason, POLICY_DRAINED);
	cr_assert_eq(step->n, 2);
	step = bed_step(bed, POLICY_REASSIGN);
	cr_assert_eq(step->reason, POLICY_DRAINED);
	cr_assert_eq(step->n, 3);
	cr_assert_eq(bed->plan.n_steps, 5);
	step = &bed->plan.steps[3];
	cr_assert_eq(step->kind, POLICY_DRAIN);
	cr_assert_eq(step->reason, POLICY_DRAINED);
	cr_assert_eq(step->page, 101);
	cr_assert_eq(step->to, 2, "where its users are");
	cr_assert_eq(step->bytes, PAGE_BYTES);
	cr_assert_eq(step[1].page, 102);
	cr_assert_eq(step[1].to, 1, "the nearest");
	bed_cell(bed, 0, 0)->empty = 0;
	bed->nodes[0].empty_pages = 0;
	bed_plan(bed);
	cr_assert_eq(bed->plan.n_steps, 4, "with nothing to give up, the last");
	bed_free(bed);
}

Test(policy, drained_leaves_what_clients_lack)
{
	struct policy_bed *bed = bed_new(1, 1);
	bed->nodes[0].draining = bed->nodes[0].trimmed = true;
	bed_cell(bed, 0, 0)->empty = 3;
	bed_cell(bed, 0, 0)->want = 1;
	bed_plan(bed);
	bed_no_more(bed);
	bed_free(bed);
}

/* ---- refused ------------------------------------------------------------ */

/* Node 0 lacks a slab of cache 0. */
static struct policy_bed *needy(uint32_t n_nodes, uint32_t n_caches)
{
	struct policy_bed *bed = bed_new(n_nodes, n_caches);
	bed->nodes[0].trimmed = true;
	bed_cell(bed, 0, 0)->want = 1;
	return bed;
}

Test(policy, no_units)
{
	struct policy_bed *bed = needy(1, 1);
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_CARVE, POLICY_NO_UNITS, 0, 0));
	bed->nodes[0].trimmed = false;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_TRIM)->reason, POLICY_SHORT,
	             "what clients hoard may help");
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, at_limit)
{
	struct policy_bed *bed = needy(1, 1);
	bed->nodes[0].pages_max = 64;
	bed->nodes[0].room_pages = 9;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_CARVE, POLICY_AT_LIMIT, 0, 0));
	bed_free(bed);
}

Test(policy, pressed_takes_no_page)
{
	struct policy_bed *bed = needy(1, 1);
	bed->nodes[0].room_pages = 9;
	bed->nodes[0].pressure = POLICY_FULL;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_CARVE, POLICY_PRESSED, 0, 0));
	bed_free(bed);
}

Test(policy, drained_carves_nothing)
{
	struct policy_bed *bed = needy(1, 2);
	bed->nodes[0].room_pages = 9;
	bed->nodes[0].free_units = 9;
	bed->nodes[0].draining = true;
	bed_cell(bed, 1, 0)->empty = 0;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_CARVE, POLICY_DRAINED, 0, 0));
	cr_assert(bed_refused(bed, POLICY_REASSIGN, POLICY_DRAINED, 0, 0));
	bed_free(bed);
}

Test(policy, no_empty)
{
	struct policy_bed *bed = needy(1, 2);
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_REASSIGN, POLICY_NO_EMPTY, 0, 0));
	bed_cell(bed, 1, 0)->empty = 3;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_REASSIGN)->donor, 1);
	bed_no_more(bed);
	bed_free(bed);
}

Test(policy, small_kept)
{
	struct policy_bed *bed = needy(1, 2);
	bed_cell(bed, 1, 0)->empty = 2;
	bed_cell(bed, 1, 0)->slabs = 2;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_REASSIGN, POLICY_SMALL_KEPT, 0, 0));
	bed_free(bed);
}

Test(policy, strict)
{
	struct policy_bed *bed = needy(2, 1);
	bed->caches[0].strict = true;
	bed_cell(bed, 0, 1)->listed = 20;
	bed->nodes[1].free_units = 320;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_LEND, POLICY_STRICT, 0, 0));
	bed_free(bed);
}

Test(policy, none_plenty)
{
	struct policy_bed *bed = needy(2, 1);
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_LEND, POLICY_NONE_PLENTY, 0, 0));
	bed_cell(bed, 0, 1)->listed++;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->n, 1);
	bed_no_more(bed);
	bed_cell(bed, 0, 1)->listed = 20;
	bed_cell(bed, 0, 1)->borrowed = 20;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_LEND, POLICY_NONE_PLENTY, 0, 0));
	bed_free(bed);
}

Test(policy, held)
{
	struct policy_bed *bed = needy(2, 1);
	struct policy_cell *lender = bed_cell(bed, 0, 1);
	lender->listed = 20;
	lender->came = true;
	lender->held_ms = bed->config.hold_ms - 1;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_LEND, POLICY_HELD, 0, 0));
	lender->held_ms++;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->n, 1);
	lender->flips = 1;
	bed_plan(bed);
	cr_assert(bed_refused(bed, POLICY_LEND, POLICY_HELD, 0, 0));
	lender->flips = 40;
	lender->held_ms = bed->config.hold_max_ms;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->n, 1, "never for longer");
	lender->came = false;
	lender->held_ms = 0;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_LEND)->n, 1,
	             "who gave may go on giving");
	bed_free(bed);
}

Test(policy, held_loan)
{
	struct policy_bed *bed = needy(2, 1);
	bed_lend(bed, 0, 0, 1, 2)->age_ms = 2 * bed->config.hold_ms - 1;
	bed_cell(bed, 0, 0)->flips = 1;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_RETURN, POLICY_HELD, 0, 0));
	bed->loans[0].age_ms++;
	bed_plan(bed);
	cr_assert_eq(bed_step(bed, POLICY_RETURN)->n, 1);
	bed_free(bed);
}

/* A page that lies on 0 and is used on 1, which has room. */
static struct policy_bed *astray(void)
{
	struct policy_bed *bed = bed_new(2, 1);
	bed->nodes[1].room_pages = 2;
	bed_page(bed, 0, 0, 1, PAGE_BYTES);
	return bed;
}

static void stays(struct policy_bed *bed, enum policy_reason reason)
{
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_MIGRATE, reason, 0, 1));
	cr_assert_eq(bed->plan.n_refusals, 1);
	bed_free(bed);
}

Test(policy, no_right)
{
	struct policy_bed *bed = astray();
	bed->config.may_migrate = false;
	stays(bed, POLICY_NO_RIGHT);
}

Test(policy, no_room)
{
	struct policy_bed *bed = astray();
	bed->nodes[1].pages_max = 64;
	stays(bed, POLICY_NO_ROOM);
}

Test(policy, rate)
{
	struct policy_bed *bed = astray();
	bed->config.migrate_bytes = PAGE_BYTES - 1;
	stays(bed, POLICY_RATE);
}

Test(policy, too_dear)
{
	struct policy_bed *bed = astray();
	bed->pages[0].target_bytes = PAGE_BYTES / 4;
	stays(bed, POLICY_TOO_DEAR);
}

Test(policy, too_dear_for_those_who_stay)
{
	struct policy_bed *bed = astray();
	bed->pages[0].target_bytes = PAGE_BYTES / 2;
	bed->pages[0].lies_bytes = PAGE_BYTES / 4;
	stays(bed, POLICY_TOO_DEAR);
}

Test(policy, stuck)
{
	struct policy_bed *bed = astray();
	bed->pages[0].stuck = true;
	stays(bed, POLICY_STUCK);
}

Test(policy, moved_lately)
{
	struct policy_bed *bed = astray();
	bed->pages[0].moved = true;
	stays(bed, POLICY_HELD);
}

Test(policy, at_floor)
{
	struct policy_bed *bed = bed_new(1, 1);
	bed->nodes[0].pressure = POLICY_FULL;
	bed->nodes[0].trimmed = true;
	bed->nodes[0].free_units = 64;
	bed->nodes[0].empty_pages = 2;
	bed->nodes[0].floor_pages = 64;
	bed_plan(bed);
	bed_no_more(bed);
	cr_assert(bed_refused(bed, POLICY_SHRINK, POLICY_AT_FLOOR, POLICY_NONE,
	                      0));
	bed_free(bed);
}

/* ---- words -------------------------------------------------------------- */

Test(policy, everything_has_a_name)
{
	for (unsigned i = 0; i < POLICY_REASONS; i++) {
		cr_assert(strlen(policy_reason_name(i)) > 0);
		cr_assert(strlen(policy_reason_text(i)) > 0);
		for (unsigned j = 0; j < i; j++)
			cr_assert(strcmp(policy_reason_name(i),
			                 policy_reason_name(j)) != 0);
	}
	for (unsigned i = 0; i < POLICY_KINDS; i++)
		cr_assert(strlen(policy_kind_name(i)) > 0);
	cr_assert_str_eq(policy_kind_name(POLICY_KINDS), "unknown");
	cr_assert_str_eq(policy_reason_name(POLICY_REASONS), "unknown");
	cr_assert_str_eq(policy_reason_text(POLICY_REASONS), "unknown");
}
