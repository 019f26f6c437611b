/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
#include "daemon/balance/waits.h"

#define SHRINK_MAX 64u /* pages at one time: the loop must go on */

/* Notes that slabs came to a list or left it. */
static void note_flow(struct pool *pool, uint32_t cache, uint32_t node,
                      bool gained)
{
	struct balance_held *held =
		&pool->balance->held[balance_cell(pool, cache, node)];
	if (held->any && held->gained != gained && held->reversals < UINT8_MAX)
		held->reversals++;
	held->any = true;
	held->gained = gained;
	held->at_ns = clock_ns();
}

/* For how long what a step gives up was in nobody's use. */
static int64_t idle_ns_of(const struct pool *pool, const struct plan_step *step)
{
	return step->reason == PLAN_IDLE
	               ? pool->balance->config.idle_s * CLOCK_S
	               : 0;
}

static uint64_t reassign(struct pool *pool, const struct plan_step *step,
                         int *error)
{
	const struct layout_cache *rows = pool->view.caches;
	uint32_t units = 1u << rows[step->cache_ix].order;
	if (step->donor_ix == step->cache_ix)
		return move_reclaim(pool, step->donor_ix + 1, step->to,
		                    step->n_given, idle_ns_of(pool, step),
		                    error);
	/* Smaller slabs help only where they are side by side. */
	if (rows[step->donor_ix].order < rows[step->cache_ix].order)
		move_clear_runs(pool, step->cache_ix + 1, step->to, units,
		                step->n, error);
	else
		move_reclaim(pool, step->donor_ix + 1, step->to, step->n_given,
		             0, error);
	return move_carve(pool, step->cache_ix + 1, step->to, step->to, step->n,
	                  error);
}

/* Of a return `to` is the home, which gets its own back. A fresh slab never was
 * on the lender's list. */
static uint64_t lend_or_return(struct pool *pool, const struct plan_step *step,
                               int *error)
{
	uint32_t cache = step->cache_ix + 1;
	uint64_t done;
	if (step->kind == PLAN_RETURN)
		done = move_return(pool, cache, step->to, step->from, step->n,
		                   error);
	else if (step->fresh)
		done = move_carve(pool, cache, step->from, step->to, step->n,
		                  error);
	else
		done = move_lend(pool, cache, step->from, step->to, step->n,
		                 error);
	if (done > 0 && step->from != PLAN_NONE && !step->fresh)
		note_flow(pool, cache, step->from, false);
	if (done > 0)
		note_flow(pool, cache, step->to, true);
	return done;
}

static uint64_t migrate(struct pool *pool, struct balance_event *event)
{
	const struct plan_step *step = &event->step;
	struct balance *b = pool->balance;
	struct balance_counts *counts = &b->history.counts;
	uint64_t page = UINT64_C(1) << pool->view.geo.page_shift;
	struct backing_moved how;
	uint64_t done =
		move_migrate(pool, step->page, step->to, &how, &event->error);
	b->past[b->n_past++ % BALANCE_PAST] = (struct balance_past){
		.page = step->page, .at_ns = clock_ns(), .stuck = done == 0};
	if (done == 0) {
		snprintf(event->text, sizeof(event->text), "%s", how.reason);
		return 0;
	}
	b->tokens -= page < b->tokens ? page : b->tokens;
	counts->moved_bytes += page;
	if ((int64_t)how.ns > counts->move_ns_max)
		counts->move_ns_max = (int64_t)how.ns;
	return done;
}

static uint64_t shrink(struct pool *pool, const struct plan_step *step,
                       int *error)
{
	uint32_t n = step->n < SHRINK_MAX ? step->n : SHRINK_MAX;
	return move_shrink(pool, step->to, n, idle_ns_of(pool, step), error);
}

static uint64_t take(struct pool *pool, struct balance_event *event)
{
	const struct plan_step *step = &event->step;
	switch (step->kind) {
	case PLAN_CARVE:
		return move_carve(pool, step->cache_ix + 1, step->to, step->to,
		                  step->n, &event->error);
	case PLAN_REASSIGN:
		return reassign(pool, step, &event->error);
	case PLAN_LEND:
	case PLAN_RETURN:
		return lend_or_return(pool, step, &event->error);
	case PLAN_MIGRATE:
	case PLAN_DRAIN:
		return migrate(pool, event);
	case PLAN_SHRINK:
		return shrink(pool, step, &event->error);
	case PLAN_TRIM:
		return pool->n_clients;
	case PLAN_KINDS:
		break;
	}
	return 0;
}

/* Pages that it needs are on their way, or a job has the node's row: it did
 * nothing, and is tried again when that is over. */
static void put_off(struct pool *pool, const struct plan_step *step)
{
	pool->balance->put_off = true;
	if (step->kind == PLAN_CARVE || step->kind == PLAN_REASSIGN ||
	    step->kind == PLAN_LEND)
		balance_set_waits(
			pool, balance_cell(pool, step->cache_ix + 1, step->to),
			true);
}

uint64_t balance_step(struct pool *pool, enum balance_cause cause,
                      const struct plan_step *step)
{
	struct history *history = &pool->balance->history;
	struct balance_event event = {.cause = cause, .step = *step};
	int64_t began = clock_ns();
	event.done = take(pool, &event);
	event.took_ns = clock_ns() - began;
	pool->balance->put_off = false;
	if (event.error == -EAGAIN && event.done == 0) {
		put_off(pool, step);
		return 0;
	}
	if (event.error < 0 && event.text[0] == '\0' && event.done == 0)
		snprintf(event.text, sizeof(event.text), "%s",
		         strerror(-event.error));
	history->counts.steps[step->kind]++;
	history->counts.failed[step->kind] += event.done == 0;
	/* A trim does nothing of its own: it must not look like progress. */
	if (step->kind != PLAN_TRIM)
		history->counts.done[step->kind] += event.done;
	history_note(history, &event);
	return event.done;
}
