/* SPDX-License-Identifier: MIT */
#include "daemon/balance/history.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/lib/clock.h"

static struct history history;

static void note(uint32_t cache_ix, uint64_t done, int64_t took_ns)
{
	struct balance_event event = {.cause = BALANCE_TIMER,
	                              .step = {.kind = PLAN_LEND,
	                                       .reason = PLAN_SHORT,
	                                       .cache_ix = cache_ix,
	                                       .n = 2},
	                              .done = done,
	                              .took_ns = took_ns};
	history_note(&history, &event);
}

TestSuite(history);

/* The time of day may be set in between. */
Test(history, times_are_no_times_of_day)
{
	test_clock_set(1000 * CLOCK_S);
	note(1, 1, 5);
	test_clock_advance(CLOCK_S);
	note(1, 1, 5);
	cr_expect_eq(history_event(&history, 0)->at_ns, 1000 * CLOCK_S);
	cr_expect_eq(history_event(&history, 0)->last_ns, 1001 * CLOCK_S);
}

Test(history, newest_first)
{
	cr_expect_null(history_event(&history, 0));
	note(1, 1, 5);
	note(2, 1, 5);
	cr_expect_eq(history_event(&history, 0)->step.cache_ix, 2);
	cr_expect_eq(history_event(&history, 0)->seq, 2);
	cr_expect_eq(history_event(&history, 1)->seq, 1);
	cr_expect_null(history_event(&history, 2));
}

Test(history, the_same_again_adds_up)
{
	const struct balance_event *event;
	note(1, 1, 5);
	note(2, 1, 1);
	note(1, 3, 4);
	event = history_event(&history, 1);
	cr_expect_eq(history.noted, event);
	cr_expect_eq(event->times, 2);
	cr_expect_eq(event->done, 4);
	cr_expect_eq(event->step.n, 4);
	cr_expect_eq(event->took_ns, 5, "the longest");
	cr_expect_geq(event->last_ns, event->at_ns);
	for (uint32_t i = 10; i < 26; i++)
		note(i, 1, 1);
	note(1, 1, 1);
	cr_expect_eq(history_event(&history, 0)->times, 1, "too long ago");
}

Test(history, the_oldest_are_forgotten)
{
	for (uint32_t i = 0; i < HISTORY_EVENTS + 3; i++)
		note(i, 1, 1);
	cr_expect_eq(history_event(&history, 0)->seq, HISTORY_EVENTS + 3);
	cr_expect_eq(history_event(&history, HISTORY_EVENTS - 1)->seq, 4);
	cr_expect_null(history_event(&history, HISTORY_EVENTS));
}

Test(history, refusals_are_counted_and_noted)
{
	static struct plan plan;
	const struct balance_event *event;
	plan.n_refusals = 1;
	plan.refusals[0] = (struct plan_refusal){.kind = PLAN_MIGRATE,
	                                         .reason = PLAN_RATE,
	                                         .cache_ix = 3,
	                                         .node = 1};
	history_note_refusals(&history, &plan, BALANCE_SHORT);
	event = history_event(&history, 0);
	cr_expect_eq(history.counts.refused[PLAN_RATE], 1);
	cr_expect(event->refused);
	cr_expect_eq(event->step.reason, PLAN_RATE);
	cr_expect_eq(event->step.cache_ix, 3);
	cr_expect_eq(event->step.to, 1);
	cr_expect_eq(event->step.from, PLAN_NONE);
}

Test(history, causes_have_names)
{
	cr_expect_str_eq(balance_cause_name(BALANCE_PRESSURE), "pressure");
	cr_expect_str_eq(balance_cause_name(BALANCE_CAUSES), "unknown");
}

/* ---- kept ------------------------------------------------------------------ */

static struct history_kept kept;

/* Another slabd begins with what is there. */
static uint64_t again(bool same, uint32_t n_nodes, uint32_t n_caches)
{
	memset(&history, 0, sizeof(history));
	return history_keep(&history, &kept, same, n_nodes, n_caches);
}

Test(history, goes_on_where_it_was)
{
	cr_expect_eq(again(true, 4, 300), 0, "there is nothing at first");
	for (uint32_t i = 0; i < HISTORY_EVENTS + 3; i++)
		note(i, 1, 1);
	note(HISTORY_EVENTS + 2, 7, 9);
	cr_expect_eq(again(true, 4, 300), HISTORY_EVENTS + 3);
	cr_expect_eq(history_event(&history, 0)->seq, HISTORY_EVENTS + 3);
	cr_expect_eq(history_event(&history, 0)->done, 8);
	cr_expect_eq(history_event(&history, HISTORY_EVENTS - 1)->seq, 4);
	note(1, 1, 1);
	cr_expect_eq(history_event(&history, 0)->seq, HISTORY_EVENTS + 4);
	cr_expect_eq(again(true, 4, 300), HISTORY_EVENTS + 4);
}

Test(history, of_another_pool_begins_anew)
{
	again(false, 4, 300);
	note(1, 1, 1);
	cr_expect_eq(again(false, 4, 300), 0);
	cr_expect_null(history_event(&history, 0));
	note(2, 1, 1);
	cr_expect_eq(again(true, 4, 300), 1);
	cr_expect_eq(history_event(&history, 0)->step.cache_ix, 2);
}

Test(history, what_makes_no_sense_is_none)
{
	again(false, 4, 300);
	note(8, 1, 1);
	memset(kept.event[0].text, 'x', sizeof(kept.event[0].text));
	cr_assert_eq(again(true, 4, 300), 1);
	cr_expect_lt(strlen(history_event(&history, 0)->text),
	             sizeof(kept.event[0].text));
	cr_expect_eq(again(true, 4, 8), 0, "a cache that is not there");
	note(1, 1, 1);
	kept.event[0].step.to = 4;
	cr_expect_eq(again(true, 4, 300), 0, "a node that is not there");
	note(1, 1, 1);
	kept.event[0].step.kind = PLAN_KINDS;
	cr_expect_eq(again(true, 4, 300), 0, "a kind that is none");
	note(1, 1, 1);
	kept.magic++;
	cr_expect_eq(again(true, 4, 300), 0, "another form");
}
