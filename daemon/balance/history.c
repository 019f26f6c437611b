/* SPDX-License-Identifier: MIT */
#include "daemon/balance/history.h"

#include <string.h>

#include "daemon/base/clock.h"

#define SAME_LOOKS 16u /* events back, for the same again */

static bool is_same(const struct balance_event *a,
                    const struct balance_event *b)
{
	return a->cause == b->cause && a->refused == b->refused &&
	       a->step.kind == b->step.kind &&
	       a->step.reason == b->step.reason &&
	       a->step.cache_ix == b->step.cache_ix &&
	       a->step.from == b->step.from && a->step.to == b->step.to &&
	       a->error == b->error;
}

static struct balance_event *find_same(struct history *history,
                                       const struct balance_event *event)
{
	for (uint64_t i = 0; i < SAME_LOOKS && i < history->n_events; i++) {
		uint64_t ix = (history->n_events - 1 - i) % HISTORY_EVENTS;
		if (is_same(&history->event[ix], event))
			return &history->event[ix];
	}
	return NULL;
}

void history_note(struct history *history, const struct balance_event *event)
{
	struct balance_event *to = find_same(history, event);
	int64_t now = clock_wall_ns();
	if (to == NULL) {
		to = &history->event[history->n_events++ % HISTORY_EVENTS];
		history->noted = to;
		*to = *event;
		to->seq = history->n_events;
		to->at_ns = to->last_ns = now;
		to->times = 1;
		return;
	}
	history->noted = to;
	to->last_ns = now;
	to->times++;
	to->done += event->done;
	to->step.n += event->step.n;
	to->took_ns =
		event->took_ns > to->took_ns ? event->took_ns : to->took_ns;
	memcpy(to->text, event->text, sizeof(to->text));
}

void history_note_refusals(struct history *history, const struct plan *plan,
                           enum balance_cause cause)
{
	for (uint32_t i = 0; i < plan->n_refusals; i++) {
		const struct plan_refusal *r = &plan->refusals[i];
		struct balance_event event = {
			.cause = cause,
			.refused = true,
			.step = plan_step_of(r->kind, r->reason, r->cache_ix,
		                             PLAN_NONE, r->node, 0),
		};
		history->counts.refused[r->reason]++;
		history_note(history, &event);
	}
}

const struct balance_event *history_event(const struct history *history,
                                          uint32_t i)
{
	if (i >= HISTORY_EVENTS || i >= history->n_events)
		return NULL;
	return &history->event[(history->n_events - 1 - i) % HISTORY_EVENTS];
}

const char *balance_cause_name(enum balance_cause cause)
{
	static const char *const names[BALANCE_CAUSES] = {
		"shortage", "timer", "pressure", "by hand"};
	return cause < BALANCE_CAUSES ? names[cause] : "unknown";
}
