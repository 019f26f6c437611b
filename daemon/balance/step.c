/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
#include "daemon/balance/tidings.h"
#include "daemon/balance/waits.h"

#define SHRINK_MAX 64u /* pages at one time: the loop must go on */
#define STEP_SLABS 32u /* and slabs */

/* Of a step that is taken by the clock. */
struct slice {
	struct balance_back *back;
	int64_t until_ns;
};

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
                               struct slice *slice, int *error)
{
	const struct move_of of = {step->cache_ix + 1, step->to, step->from};
	uint32_t cache = of.cache;
	uint64_t done;
	if (step->kind == PLAN_RETURN)
		done = move_return_some(pool, &of, step->n, slice->back,
		                        slice->until_ns, error);
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

static uint64_t shrink(struct pool *pool, const struct plan_step *step,
                       int *error)
{
	uint32_t n = step->n < SHRINK_MAX ? step->n : SHRINK_MAX;
	return move_shrink(pool, step->to, n, idle_ns_of(pool, step), error);
}

static uint64_t take(struct pool *pool, struct balance_event *event,
                     struct slice *slice)
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
		return lend_or_return(pool, step, slice, &event->error);
	case PLAN_SHRINK:
		return shrink(pool, step, &event->error);
	case PLAN_TRIM:
		return pool->n_clients;
	case PLAN_MIGRATE:
	case PLAN_DRAIN:
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

/* How much of a step is taken at one time, in slabs; what is through by the clock
 * is all of it. */
static uint32_t *count_of(struct plan_step *step)
{
	bool own = step->kind == PLAN_REASSIGN &&
	           step->donor_ix == step->cache_ix;
	bool some = step->kind == PLAN_LEND || step->kind == PLAN_CARVE;
	return own ? &step->n_given : some ? &step->n : NULL;
}

/* What is left of a step once so much of it was done. */
static void leave(struct plan_step *step, uint32_t piece, uint64_t done,
                  const struct balance_back *back)
{
	uint32_t *n = count_of(step);
	if (step->kind == PLAN_RETURN)
		step->n = back->pass < BACK_PASSES ? step->n - (uint32_t)done
		                                   : 0;
	else if (n != NULL && done == piece && *n > piece)
		*n -= piece;
	else
		step->n = 0;
}

static void note(struct pool *pool, struct balance_event *event)
{
	struct history *history = &pool->balance->history;
	const struct plan_step *step = &event->step;
	if (event->error < 0 && event->text[0] == '\0' && event->done == 0)
		snprintf(event->text, sizeof(event->text), "%s",
		         history_error_text(event->error));
	history->counts.steps[step->kind]++;
	history->counts.failed[step->kind] += event->done == 0;
	/* A trim does nothing of its own: it must not look like progress. */
	if (step->kind != PLAN_TRIM)
		history->counts.done[step->kind] += event->done;
	history_note(history, event);
	tidings_note(pool, event);
}

/* ---- pages that move ----------------------------------------------------- */

/* A page has moved, or has not. */
static void moved(const struct work_job *job)
{
	struct pool *pool = job->pool;
	struct balance *b = pool->balance;
	struct balance_counts *counts = &b->history.counts;
	struct balance_leaving *leaving = &b->leaving[job->row[0]];
	uint64_t page = UINT64_C(1) << pool->view.geo.page_shift;
	struct balance_event event = {.cause = leaving->cause,
	                              .step = leaving->step,
	                              .done = job->error == 0,
	                              .error = job->error,
	                              .took_ns = job->took_ns};
	leaving->under_way = false;
	b->moved = true;
	b->past[b->n_past++ % BALANCE_PAST] =
		(struct balance_past){.page = leaving->step.page,
	                              .at_ns = clock_ns(),
	                              .stuck = job->error < 0};
	if (job->error == 0) {
		b->tokens -= page < b->tokens ? page : b->tokens;
		counts->moved_bytes += page;
		if ((int64_t)job->how.ns > counts->move_ns_max)
			counts->move_ns_max = (int64_t)job->how.ns;
	} else {
		memcpy(event.text, job->how.reason, sizeof(event.text));
	}
	note(pool, &event);
}

static uint64_t migrate(struct pool *pool, enum balance_cause cause,
                        const struct plan_step *step)
{
	struct balance *b = pool->balance;
	struct balance_leaving *leaving =
		&b->leaving[pages_file(&pool->pages, step->page)];
	uint64_t before = b->history.counts.done[step->kind];
	b->put_off = !move_may(pool, step->page, step->to);
	if (b->put_off)
		return 0;
	*leaving = (struct balance_leaving){cause, *step, true};
	if (!move_migrate(pool, step->page, step->to, moved)) {
		struct balance_event event = {.cause = cause,
		                              .step = *step,
		                              .error = -EINVAL};
		leaving->under_way = false;
		note(pool, &event);
	}
	return b->history.counts.done[step->kind] - before;
}

bool balance_is_leaving(const struct pool *pool, uint64_t page)
{
	const struct balance_leaving *leaving =
		&pool->balance->leaving[pages_file(&pool->pages, page)];
	return leaving->under_way && leaving->step.page == page;
}

bool balance_take_moved(struct pool *pool)
{
	bool moved = pool->balance->moved;
	pool->balance->moved = false;
	return moved;
}

/* ---- a step -------------------------------------------------------------- */

uint64_t balance_step_some(struct pool *pool, enum balance_cause cause,
                           struct plan_step *step, struct balance_back *back,
                           int64_t until_ns)
{
	struct balance_event event = {.cause = cause, .step = *step};
	uint32_t *n = count_of(&event.step);
	struct slice slice = {back, until_ns};
	int64_t began = clock_ns();
	if (step->kind == PLAN_MIGRATE || step->kind == PLAN_DRAIN) {
		step->n = 0;
		return migrate(pool, cause, &event.step);
	}
	if (n != NULL && *n > STEP_SLABS)
		*n = STEP_SLABS;
	event.done = take(pool, &event, &slice);
	leave(step, n != NULL ? *n : 0, event.done, back);
	if (step->kind == PLAN_RETURN)
		event.step.n -= step->n;
	event.took_ns = clock_ns() - began;
	pool->balance->put_off = false;
	if (event.error == -EAGAIN && event.done == 0) {
		put_off(pool, step);
		return 0;
	}
	/* It goes on, or of what was done by then there is no more. */
	if (event.done == 0 && (step->n > 0 || back->any))
		return 0;
	back->any |= event.done > 0;
	note(pool, &event);
	return event.done;
}

uint64_t balance_step(struct pool *pool, enum balance_cause cause,
                      const struct plan_step *step)
{
	struct plan_step left = *step;
	struct balance_back back = {.began = false};
	uint64_t done = 0;
	do
		done += balance_step_some(pool, cause, &left, &back, INT64_MAX);
	while (left.n > 0);
	return done;
}
