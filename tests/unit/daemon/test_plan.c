/* SPDX-License-Identifier: MIT */
/* Each reason, with nothing else the matter. */
#include "daemon/plan/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/plan_fixture.h"

#define PAGE_BYTES (UINT64_C(2) << 20)

/* ---- taken -------------------------------------------------------------- */

Test(plan, short_is_carved)
{
	struct plan_fixture *fixture = fixture_new(2, 2);
	const struct plan_step *step;
	fixture->nodes[1].free_units = 10;
	fixture_cell(fixture, 1, 1)->want = 3;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_CARVE);
	fixture_no_more(fixture);
	cr_assert_eq(step->reason, PLAN_SHORT);
	cr_assert_eq(step->cache_ix, 1);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->to, 1);
	cr_assert_eq(step->n, 3);
	cr_assert_eq(step->distance, 10);
	cr_assert_eq(step->donor_ix, PLAN_NONE);
	cr_assert_eq(fixture->plan.n_refusals, 0);
	fixture_free(fixture);
}

Test(plan, used_there_is_migrated)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	const struct plan_step *step;
	fixture->nodes[1].room_pages = 2;
	fixture_page(fixture, 0, 0, 1, PAGE_BYTES);
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_MIGRATE);
	fixture_no_more(fixture);
	cr_assert_eq(step->reason, PLAN_USED_THERE);
	cr_assert_eq(step->page, 101);
	cr_assert_eq(step->from, 0);
	cr_assert_eq(step->to, 1);
	cr_assert_eq(step->bytes, PAGE_BYTES);
	cr_assert_eq(step->distance, 20);
	cr_assert_eq(fixture->plan.n_refusals, 0);
	fixture_free(fixture);
}

Test(plan, lender_short_gets_back)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	const struct plan_step *step;
	struct snapshot_loan *loan = fixture_lend(fixture, 0, 0, 1, 5);
	loan->bare = 1;
	loan->age_ms = 0;
	fixture_cell(fixture, 0, 0)->want = 3;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_RETURN);
	fixture_no_more(fixture);
	cr_assert_eq(step->reason, PLAN_LENDER_SHORT);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->to, 0);
	cr_assert_eq(step->n, 3);
	fixture_cell(fixture, 0, 0)->want = 9;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_RETURN)->n, 4,
	             "what has nothing free is no help");
	fixture_free(fixture);
}

Test(plan, loan_over_goes_home)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	const struct plan_step *step;
	struct snapshot_loan *loan = fixture_lend(fixture, 0, 0, 1, 3);
	fixture->nodes[1].free_units = 1;
	fixture_cell(fixture, 0, 1)->listed = 3 + 2 * 2 - 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture_cell(fixture, 0, 1)->listed++;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_RETURN);
	fixture_no_more(fixture);
	cr_assert_eq(step->reason, PLAN_LOAN_OVER);
	cr_assert_eq(step->from, 1);
	cr_assert_eq(step->to, 0);
	cr_assert_eq(step->n, 3);
	loan->age_ms = fixture->config.hold_ms - 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	loan->age_ms = UINT32_MAX;
	fixture->nodes[1].free_units = 0;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, loan_in_which_nobody_has_anything_goes_home)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	struct snapshot_loan *loan = fixture_lend(fixture, 0, 0, 1, 4);
	loan->empty = 4;
	fixture_cell(fixture, 0, 1)->listed = 7;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_RETURN)->n, 2,
	             "the borrower keeps twice its low mark and one");
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, pressed_is_trimmed_and_shrunk)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	const struct plan_step *step;
	fixture->nodes[1].pressure = PLAN_SOME;
	fixture->nodes[1].free_units = 5 * 32;
	fixture->nodes[1].empty_pages = 5;
	fixture->nodes[1].idle_pages = 2;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_TRIM);
	cr_assert_eq(step->reason, PLAN_PRESSED);
	cr_assert_eq(step->to, 1);
	step = fixture_step(fixture, PLAN_SHRINK);
	cr_assert_eq(step->reason, PLAN_PRESSED);
	cr_assert_eq(step->to, 1);
	cr_assert_eq(step->n, 2, "those that are idle first");
	fixture_no_more(fixture);
	fixture->nodes[1].idle_pages = 0;
	fixture->nodes[1].trimmed = true;
	fixture->nodes[1].floor_pages = 60;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_SHRINK)->n, 4);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, full_pressure_takes_all_at_once)
{
	struct plan_fixture *fixture = fixture_new(1, 2);
	const struct plan_step *step;
	fixture->nodes[0].pressure = PLAN_FULL;
	fixture->nodes[0].trimmed = true;
	fixture->nodes[0].free_units = 5 * 32;
	fixture->nodes[0].empty_pages = 5;
	fixture->nodes[0].idle_pages = 2;
	fixture_cell(fixture, 1, 0)->empty = 4;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_SHRINK)->n, 5);
	step = fixture_step(fixture, PLAN_REASSIGN);
	cr_assert_eq(step->reason, PLAN_PRESSED);
	cr_assert_eq(step->cache_ix, 1);
	cr_assert_eq(step->donor_ix, 1);
	cr_assert_eq(step->n, 2, "down to the low mark");
	cr_assert_eq(step->from, step->to);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, idle_is_given_back)
{
	struct plan_fixture *fixture = fixture_new(1, 1);
	const struct plan_step *step;
	fixture->nodes[0].free_units = 5 * 32;
	fixture->nodes[0].empty_pages = 5;
	fixture->nodes[0].idle_pages = 3;
	fixture_cell(fixture, 0, 0)->listed = 9;
	fixture_cell(fixture, 0, 0)->empty = 9;
	fixture_cell(fixture, 0, 0)->idle = 8;
	fixture->config.idle_ms = 0;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture->config.idle_ms = 1000;
	fixture_plan(fixture);
	step = fixture_step(fixture, PLAN_SHRINK);
	cr_assert_eq(step->reason, PLAN_IDLE);
	cr_assert_eq(step->n, 3);
	step = fixture_step(fixture, PLAN_REASSIGN);
	cr_assert_eq(step->reason, PLAN_IDLE);
	cr_assert_eq(step->n, 4, "twice the low mark and one stay");
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, drained_is_emptied)
{
	struct plan_fixture *fixture = fixture_new(3, 1);
	const struct plan_step *step;
	fixture->nodes[0].draining = true;
	fixture->nodes[0].free_units = 64;
	fixture->nodes[0].empty_pages = 2;
	fixture->nodes[0].floor_pages = 64;
	fixture->nodes[1].room_pages = 5;
	fixture->nodes[2].room_pages = 1;
	fixture_cell(fixture, 0, 0)->empty = 3;
	fixture_page(fixture, 0, 0, 2, 5);
	fixture_page(fixture, 0, 0, 0, 5);
	fixture_page(fixture, 0, 0, 0, 0);
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_TRIM)->reason, PLAN_DRAINED);
	step = fixture_step(fixture, PLAN_SHRINK);
	cr_assert_eq(step->reason, PLAN_DRAINED);
	cr_assert_eq(step->n, 2);
	step = fixture_step(fixture, PLAN_REASSIGN);
	cr_assert_eq(step->reason, PLAN_DRAINED);
	cr_assert_eq(step->n, 3);
	cr_assert_eq(fixture->plan.n_steps, 5);
	step = &fixture->plan.steps[3];
	cr_assert_eq(step->kind, PLAN_DRAIN);
	cr_assert_eq(step->reason, PLAN_DRAINED);
	cr_assert_eq(step->page, 101);
	cr_assert_eq(step->to, 2, "where its users are");
	cr_assert_eq(step->bytes, PAGE_BYTES);
	cr_assert_eq(step[1].page, 102);
	cr_assert_eq(step[1].to, 1, "the nearest");
	fixture_cell(fixture, 0, 0)->empty = 0;
	fixture->nodes[0].empty_pages = 0;
	fixture_plan(fixture);
	cr_assert_eq(fixture->plan.n_steps, 4,
	             "with nothing to give up, the last");
	fixture_free(fixture);
}

Test(plan, drained_leaves_what_clients_lack)
{
	struct plan_fixture *fixture = fixture_new(1, 1);
	fixture->nodes[0].draining = fixture->nodes[0].trimmed = true;
	fixture_cell(fixture, 0, 0)->empty = 3;
	fixture_cell(fixture, 0, 0)->want = 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

/* ---- refused ------------------------------------------------------------ */

/* Node 0 lacks a slab of cache 0. */
static struct plan_fixture *needy(uint32_t n_nodes, uint32_t n_caches)
{
	struct plan_fixture *fixture = fixture_new(n_nodes, n_caches);
	fixture->nodes[0].trimmed = true;
	fixture_cell(fixture, 0, 0)->want = 1;
	return fixture;
}

Test(plan, no_units)
{
	struct plan_fixture *fixture = needy(1, 1);
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_CARVE, PLAN_NO_UNITS, 0, 0));
	fixture->nodes[0].trimmed = false;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_TRIM)->reason, PLAN_SHORT,
	             "what clients hoard may help");
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, at_limit)
{
	struct plan_fixture *fixture = needy(1, 1);
	fixture->nodes[0].pages_max = 64;
	fixture->nodes[0].room_pages = 9;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_CARVE, PLAN_AT_LIMIT, 0, 0));
	fixture_free(fixture);
}

Test(plan, pressed_takes_no_page_but_spare_ones)
{
	struct plan_fixture *fixture = needy(1, 1);
	fixture->nodes[0].room_pages = 9;
	fixture->nodes[0].pressure = PLAN_FULL;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_CARVE, PLAN_PRESSED, 0, 0));
	fixture->nodes[0].spare_pages = 1;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_CARVE)->n, 1);
	fixture_free(fixture);
}

Test(plan, drained_carves_nothing)
{
	struct plan_fixture *fixture = needy(1, 2);
	fixture->nodes[0].room_pages = 9;
	fixture->nodes[0].free_units = 9;
	fixture->nodes[0].draining = true;
	fixture_cell(fixture, 1, 0)->empty = 0;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_CARVE, PLAN_DRAINED, 0, 0));
	cr_assert(fixture_refused(fixture, PLAN_REASSIGN, PLAN_DRAINED, 0, 0));
	fixture_free(fixture);
}

Test(plan, no_empty)
{
	struct plan_fixture *fixture = needy(1, 2);
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_REASSIGN, PLAN_NO_EMPTY, 0, 0));
	fixture_cell(fixture, 1, 0)->empty = 3;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_REASSIGN)->donor_ix, 1);
	fixture_no_more(fixture);
	fixture_free(fixture);
}

Test(plan, small_kept)
{
	struct plan_fixture *fixture = needy(1, 2);
	fixture->config.keep_slabs = 2;
	fixture_cell(fixture, 1, 0)->empty = 2;
	fixture_cell(fixture, 1, 0)->slabs = 2;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(
		fixture_refused(fixture, PLAN_REASSIGN, PLAN_SMALL_KEPT, 0, 0));
	fixture_free(fixture);
}

Test(plan, strict)
{
	struct plan_fixture *fixture = needy(2, 1);
	fixture->caches[0].strict = true;
	fixture_cell(fixture, 0, 1)->listed = 20;
	fixture->nodes[1].free_units = 320;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_LEND, PLAN_STRICT, 0, 0));
	fixture_free(fixture);
}

Test(plan, none_plenty)
{
	struct plan_fixture *fixture = needy(2, 1);
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_LEND, PLAN_NONE_PLENTY, 0, 0));
	fixture_cell(fixture, 0, 1)->listed++;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->n, 1);
	fixture_no_more(fixture);
	fixture_cell(fixture, 0, 1)->listed = 20;
	fixture_cell(fixture, 0, 1)->borrowed = 20;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_LEND, PLAN_NONE_PLENTY, 0, 0));
	fixture_free(fixture);
}

Test(plan, held)
{
	struct plan_fixture *fixture = needy(2, 1);
	struct snapshot_cell *lender = fixture_cell(fixture, 0, 1);
	lender->listed = 20;
	lender->gained = true;
	lender->held_ms = fixture->config.hold_ms - 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_LEND, PLAN_HELD, 0, 0));
	lender->held_ms++;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->n, 1);
	lender->reversals = 1;
	fixture_plan(fixture);
	cr_assert(fixture_refused(fixture, PLAN_LEND, PLAN_HELD, 0, 0));
	lender->reversals = 40;
	lender->held_ms = fixture->config.hold_max_ms;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->n, 1, "never for longer");
	lender->gained = false;
	lender->held_ms = 0;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_LEND)->n, 1,
	             "who gave may go on giving");
	fixture_free(fixture);
}

Test(plan, held_loan)
{
	struct plan_fixture *fixture = needy(2, 1);
	fixture_lend(fixture, 0, 0, 1, 2)->age_ms =
		2 * fixture->config.hold_ms - 1;
	fixture_cell(fixture, 0, 0)->reversals = 1;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_RETURN, PLAN_HELD, 0, 0));
	fixture->loans[0].age_ms++;
	fixture_plan(fixture);
	cr_assert_eq(fixture_step(fixture, PLAN_RETURN)->n, 1);
	fixture_free(fixture);
}

/* A page that lies on 0 and is used on 1, which has room. */
static struct plan_fixture *astray(void)
{
	struct plan_fixture *fixture = fixture_new(2, 1);
	fixture->nodes[1].room_pages = 2;
	fixture_page(fixture, 0, 0, 1, PAGE_BYTES);
	return fixture;
}

static void stays(struct plan_fixture *fixture, enum plan_reason reason)
{
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_MIGRATE, reason, 0, 1));
	cr_assert_eq(fixture->plan.n_refusals, 1);
	fixture_free(fixture);
}

Test(plan, no_right)
{
	struct plan_fixture *fixture = astray();
	fixture->config.may_migrate = false;
	stays(fixture, PLAN_NO_RIGHT);
}

Test(plan, no_room)
{
	struct plan_fixture *fixture = astray();
	fixture->nodes[1].pages_max = 64;
	stays(fixture, PLAN_NO_ROOM);
}

Test(plan, rate)
{
	struct plan_fixture *fixture = astray();
	fixture->config.migrate_bytes = PAGE_BYTES - 1;
	stays(fixture, PLAN_RATE);
}

Test(plan, too_dear)
{
	struct plan_fixture *fixture = astray();
	fixture->pages[0].target_bytes = PAGE_BYTES / 4;
	stays(fixture, PLAN_TOO_DEAR);
}

Test(plan, too_dear_for_those_who_stay)
{
	struct plan_fixture *fixture = astray();
	fixture->pages[0].target_bytes = PAGE_BYTES / 2;
	fixture->pages[0].here_bytes = PAGE_BYTES / 4;
	stays(fixture, PLAN_TOO_DEAR);
}

Test(plan, stuck)
{
	struct plan_fixture *fixture = astray();
	fixture->pages[0].stuck = true;
	stays(fixture, PLAN_STUCK);
}

Test(plan, moved_lately)
{
	struct plan_fixture *fixture = astray();
	fixture->pages[0].moved = true;
	stays(fixture, PLAN_HELD);
}

Test(plan, at_floor)
{
	struct plan_fixture *fixture = fixture_new(1, 1);
	fixture->nodes[0].pressure = PLAN_FULL;
	fixture->nodes[0].trimmed = true;
	fixture->nodes[0].free_units = 64;
	fixture->nodes[0].empty_pages = 2;
	fixture->nodes[0].floor_pages = 64;
	fixture_plan(fixture);
	fixture_no_more(fixture);
	cr_assert(fixture_refused(fixture, PLAN_SHRINK, PLAN_AT_FLOOR,
	                          PLAN_NONE, 0));
	fixture_free(fixture);
}

/* ---- words -------------------------------------------------------------- */

Test(plan, everything_has_a_name)
{
	for (unsigned i = 0; i < PLAN_NO_REASON; i++) {
		cr_assert(strlen(plan_reason_name(i)) > 0);
		cr_assert(strlen(plan_reason_text(i)) > 0);
		for (unsigned j = 0; j < i; j++)
			cr_assert(strcmp(plan_reason_name(i),
			                 plan_reason_name(j)) != 0);
	}
	for (unsigned i = 0; i < PLAN_KINDS; i++)
		cr_assert(strlen(plan_kind_name(i)) > 0);
	cr_assert_str_eq(plan_kind_name(PLAN_KINDS), "unknown");
	cr_assert_str_eq(plan_reason_name(PLAN_NO_REASON), "unknown");
	cr_assert_str_eq(plan_reason_text(PLAN_NO_REASON), "unknown");
}
