/* SPDX-License-Identifier: MIT */
#include "daemon/balance/history.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/past.h"
#include "shm/atom.h"

#define MAGIC UINT64_C(0x32474f4c42414c53) /* "SLABLOG2" */
#define FORM (MAGIC + sizeof(struct balance_event)) /* another slabd's may differ */
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

_Static_assert(sizeof(struct history_kept) <= PAST_LOG_BYTES, "room");

static void keep(const struct history *history, const struct balance_event *event)
{
	struct history_kept *kept = history->kept;
	if (kept == NULL)
		return;
	kept->event[event - history->event] = *event;
	/* pairs: with nobody; a kill is between the two, or after both. */
	atom_store_release(&kept->n_events, history->n_events);
}

static bool is_node(uint32_t node, uint32_t n_nodes)
{
	return node < n_nodes || node == PLAN_NONE;
}

static bool is_cache(uint32_t cache_ix, uint32_t n_caches)
{
	return cache_ix < n_caches || cache_ix == PLAN_NONE;
}

static bool makes_sense(const struct balance_event *event, uint32_t n_nodes,
                        uint32_t n_caches)
{
	const struct plan_step *step = &event->step;
	return (uint32_t)event->cause < BALANCE_CAUSES &&
	       (uint32_t)step->kind < PLAN_KINDS &&
	       (uint32_t)step->reason <= PLAN_NO_REASON &&
	       is_cache(step->cache_ix, n_caches) &&
	       is_cache(step->donor_ix, n_caches) &&
	       is_node(step->from, n_nodes) && is_node(step->to, n_nodes);
}

static bool all_make_sense(const struct history_kept *kept, uint32_t n_nodes,
                           uint32_t n_caches)
{
	uint64_t n = kept->n_events;
	if (kept->magic != FORM)
		return false;
	n = n < HISTORY_EVENTS ? n : HISTORY_EVENTS;
	for (uint64_t i = 0; i < n; i++)
		if (!makes_sense(&kept->event[i], n_nodes, n_caches))
			return false;
	return true;
}

uint64_t history_keep(struct history *history, struct history_kept *kept,
                      bool same, uint32_t n_nodes, uint32_t n_caches)
{
	history->kept = kept;
	if (!same || !all_make_sense(kept, n_nodes, n_caches)) {
		memset(kept, 0, sizeof(*kept));
		kept->magic = FORM;
		return 0;
	}
	memcpy(history->event, kept->event, sizeof(history->event));
	for (uint32_t i = 0; i < HISTORY_EVENTS; i++)
		history->event[i].text[sizeof(history->event[i].text) - 1] = '\0';
	history->n_events = kept->n_events;
	return history->n_events;
}

void history_note(struct history *history, const struct balance_event *event)
{
	struct balance_event *to = find_same(history, event);
	int64_t now = clock_ns();
	if (to == NULL) {
		to = &history->event[history->n_events++ % HISTORY_EVENTS];
		history->noted = to;
		*to = *event;
		to->seq = history->n_events;
		to->at_ns = to->last_ns = now;
		to->times = 1;
		keep(history, to);
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
	keep(history, to);
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

/* No file is meant by what the kernel calls so. */
const char *history_error_text(int error)
{
	if (error == -ENOENT)
		return "no more was to be had";
	return error < 0 ? strerror(-error) : "";
}

const char *balance_cause_name(enum balance_cause cause)
{
	static const char *const names[BALANCE_CAUSES] = {
		"shortage", "timer", "pressure", "by hand"};
	return cause < BALANCE_CAUSES ? names[cause] : "unknown";
}
