/* SPDX-License-Identifier: MIT */
/* One step of a plan: taken, timed, noted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/balance/own.h"
#include "daemon/balance/wants.h"
#include "daemon/balance/move.h"

#define SAME_LOOKS 16u /* events back, for the same again */
#define SHRINK_MAX 64u /* pages at one time: the loop must go on */

int64_t balance_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- the log ------------------------------------------------------------ */

static int64_t wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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

static struct balance_event *find_same(struct balance *b,
                                       const struct balance_event *event)
{
	for (uint64_t i = 0; i < SAME_LOOKS && i < b->n_events; i++) {
		struct balance_event *old =
			&b->log[(b->n_events - 1 - i) % BALANCE_LOG];
		if (is_same(old, event))
			return old;
	}
	return NULL;
}

void balance_note(struct balance *b, const struct balance_event *event)
{
	struct balance_event *to = find_same(b, event);
	if (to == NULL) {
		b->noted = to = &b->log[b->n_events++ % BALANCE_LOG];
		*to = *event;
		to->seq = b->n_events;
		to->at_ms = to->last_ms = wall_ms();
		to->times = 1;
		return;
	}
	b->noted = to;
	to->last_ms = wall_ms();
	to->times++;
	to->done += event->done;
	to->step.n += event->step.n;
	to->us = event->us > to->us ? event->us : to->us;
	memcpy(to->text, event->text, sizeof(to->text));
}

void balance_note_refusals(struct pool *pool, enum balance_cause cause)
{
	struct balance *b = pool->balance;
	for (uint32_t i = 0; i < b->plan.n_refusals; i++) {
		const struct plan_refusal *r = &b->plan.refusals[i];
		struct balance_event event = {
			.cause = cause,
			.refused = true,
			.step = {.kind = r->kind, .reason = r->reason,
			         .cache_ix = r->cache_ix, .from = PLAN_NONE,
			         .to = r->node},
		};
		b->counts.refused[r->reason]++;
		balance_note(b, &event);
	}
}

const struct balance_event *balance_event(const struct pool *pool, uint32_t i)
{
	const struct balance *b = pool->balance;
	if (i >= BALANCE_LOG || i >= b->n_events)
		return NULL;
	return &b->log[(b->n_events - 1 - i) % BALANCE_LOG];
}

const struct balance_counts *balance_counts(const struct pool *pool)
{
	return &pool->balance->counts;
}

const char *balance_cause_name(enum balance_cause cause)
{
	static const char *const names[BALANCE_CAUSES] = {
		"shortage", "timer", "pressure", "by hand"};
	return cause < BALANCE_CAUSES ? names[cause] : "unknown";
}

/* ---- steps -------------------------------------------------------------- */

void balance_note_flow(struct pool *pool, uint32_t cache, uint32_t node,
                       bool gained)
{
	struct balance_held *held =
		&pool->balance->held[balance_cell(pool, cache, node)];
	if (held->any && held->gained != gained && held->reversals < UINT8_MAX)
		held->reversals++;
	held->any = true;
	held->gained = gained;
	held->at_ms = move_now_ms();
}

static uint64_t carve(struct pool *pool, const struct plan_step *step,
                      uint32_t n, int *error)
{
	uint64_t done = 0;
	uint32_t head;
	*error = 0;
	while (done < n && (*error = wants_carve(pool, step->cache_ix + 1,
	                                          step->to, step->to,
	                                          &head)) == 0)
		done++;
	return done;
}

static uint64_t reassign(struct pool *pool, const struct plan_step *step,
                         int *error)
{
	const struct layout_cache *rows = pool->view.caches;
	uint32_t units = 1u << rows[step->cache_ix].order;
	if (step->donor_ix == step->cache_ix)
		return move_reclaim(pool, step->donor_ix + 1, step->to,
		                   step->n_given, error);
	/* Slabs that are smaller must lie side by side. */
	if (rows[step->donor_ix].order < rows[step->cache_ix].order)
		move_clear_runs(pool, step->cache_ix + 1, step->to, units,
		                 step->n, error);
	else
		move_reclaim(pool, step->donor_ix + 1, step->to, step->n_given,
		            error);
	return carve(pool, step, step->n, error);
}

static uint64_t lend(struct pool *pool, const struct plan_step *step,
                     int *error)
{
	uint32_t cache = step->cache_ix + 1;
	uint64_t done = step->fresh
	                        ? move_lend_fresh(pool, cache, step->from,
	                                           step->to, step->n, error)
	                        : move_lend(pool, cache, step->from, step->to,
	                                     step->n, error);
	/* What was made for it never was on the lender's list. */
	if (done > 0 && !step->fresh)
		balance_note_flow(pool, cache, step->from, false);
	if (done > 0)
		balance_note_flow(pool, cache, step->to, true);
	return done;
}

/* The policy's `to` is the home, which gets its own back. */
static uint64_t give_back(struct pool *pool, const struct plan_step *step,
                          int *error)
{
	uint32_t cache = step->cache_ix + 1;
	uint64_t done = move_return(pool, cache, step->to, step->from, step->n,
	                             error);
	if (done > 0 && step->from != PLAN_NONE)
		balance_note_flow(pool, cache, step->from, false);
	if (done > 0)
		balance_note_flow(pool, cache, step->to, true);
	return done;
}

static uint64_t migrate(struct pool *pool, const struct plan_step *step,
                        char *text, size_t bytes, int *error)
{
	struct balance *b = pool->balance;
	uint64_t page = UINT64_C(1) << pool->view.geo.page_shift;
	struct backing_moved how;
	uint64_t done = move_migrate(pool, step->page, step->to, &how, error);
	b->past[b->n_past++ % BALANCE_PAST] = (struct balance_past){
		.page = step->page, .at_ms = move_now_ms(), .stuck = done == 0};
	if (done == 0) {
		snprintf(text, bytes, "%s", how.reason);
		return 0;
	}
	b->tokens -= page < b->tokens ? page : b->tokens;
	b->counts.moved_bytes += page;
	if (how.ns > b->counts.move_ns_max)
		b->counts.move_ns_max = how.ns;
	return done;
}

static uint64_t shrink(struct pool *pool, const struct plan_step *step,
                       int *error)
{
	uint32_t seconds = step->reason == PLAN_IDLE
	                           ? pool->balance->config.idle_s
	                           : 0;
	uint32_t n = step->n < SHRINK_MAX ? step->n : SHRINK_MAX;
	return move_shrink(pool, step->to, n, seconds, error);
}

static uint64_t take(struct pool *pool, struct balance_event *event)
{
	const struct plan_step *step = &event->step;
	switch (step->kind) {
	case PLAN_CARVE:
		return carve(pool, step, step->n, &event->error);
	case PLAN_REASSIGN:
		return reassign(pool, step, &event->error);
	case PLAN_LEND:
		return lend(pool, step, &event->error);
	case PLAN_RETURN:
		return give_back(pool, step, &event->error);
	case PLAN_MIGRATE:
	case PLAN_DRAIN:
		return migrate(pool, step, event->text, sizeof(event->text),
		               &event->error);
	case PLAN_SHRINK:
		return shrink(pool, step, &event->error);
	case PLAN_TRIM:
		return pool->n_clients;
	case PLAN_KINDS:
		break;
	}
	return 0;
}

uint64_t balance_step(struct pool *pool, enum balance_cause cause,
                      const struct plan_step *step)
{
	struct balance *b = pool->balance;
	struct balance_event event = {.cause = cause, .step = *step};
	int64_t began = balance_now_ns();
	event.done = take(pool, &event);
	event.us = (uint64_t)(balance_now_ns() - began) / 1000;
	if (event.error < 0 && event.text[0] == '\0' && event.done == 0)
		snprintf(event.text, sizeof(event.text), "%s",
		         strerror(-event.error));
	b->counts.steps[step->kind]++;
	b->counts.failed[step->kind] += event.done == 0;
	/* A trim does nothing of its own: it must not look like progress. */
	if (step->kind != PLAN_TRIM)
		b->counts.done[step->kind] += event.done;
	balance_note(b, &event);
	return event.done;
}
