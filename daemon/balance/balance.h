/* SPDX-License-Identifier: MIT */
/*
 * Memory evened out between a pool's nodes: the plan of plan/plan.h is made
 * from what the pool looks like, applied step by step, and each step and
 * refusal is noted with its reason and effect.
 *
 *   shortage, timer, pressure
 *      --> snapshot.c --> plan/plan.h --> step.c --> move.h --> pool/slabs.h
 *                                            '--> history.h
 *
 * One thread, the event loop's, calls all of this. Nothing is allocated after
 * balance_make.
 */
#ifndef DAEMON_BALANCE_BALANCE_H
#define DAEMON_BALANCE_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/balance/history.h"
#include "daemon/balance/unmet.h"
#include "daemon/conf/config.h"
#include "daemon/plan/plan.h"

struct pool;

/* For a pool that was created or adopted, by whoever opened it, and
 * balance_done before that is closed. 0 or -ENOMEM. A pool without one is fine
 * for done. */
int balance_make(struct pool *pool);
void balance_done(struct pool *pool);

/* The pool's settings, which `slabctl set` may change. */
const struct config_balance *balance_config(const struct pool *pool);
void balance_configure(struct pool *pool, const struct config_balance *config);

/* What is remembered of the cache that had the row of the newest one before. */
void balance_forget(struct pool *pool);

/* Notes that clients rang for a list: it is in use. */
void balance_rung(struct pool *pool, uint32_t cache, uint32_t node);

/* Plans for what clients lack. */
void balance_short(struct pool *pool, const struct unmet *unmet);

/* Takes the steps of that plan until then; the lists show whether it helped.
 * False: some are left. *trim: clients should be asked to trim. */
bool balance_short_steps(struct pool *pool, int64_t until_ns, bool *trim);

/* Something happened: looks that had come ever later, or ended, begin anew. */
void balance_stir(struct pool *pool);

/* Does what is due without a shortage: returns, shrinking, draining. How long
 * until it should be called again, in ns; -1: only after something happened.
 * *trim: clients should be asked to trim. */
int64_t balance_tick(struct pool *pool, enum balance_cause cause, bool *trim);

/* Whether the move of a page has ended since the last time. */
bool balance_take_moved(struct pool *pool);

/* How short the kernel is of memory, on a node or on all (PLAN_NONE); the
 * next balance_tick sees it. */
void balance_press(struct pool *pool, uint32_t node,
                   enum plan_pressure pressure);
enum plan_pressure balance_pressure(const struct pool *pool, uint32_t node);

/* What balance_tick would do now, with every cache looked at; applies nothing.
 * Valid until the next call of anything here. */
const struct plan *balance_plan(struct pool *pool);

/* Keeps the log in PAST_LOG_BYTES there (pool/past.h) from now on, before the first
 * event. same: what is there is this pool's, and comes first. */
void balance_keep_log(struct pool *pool, void *at, bool same);

/* The log, newest first: the i-th event, or NULL. */
const struct balance_event *balance_event(const struct pool *pool, uint32_t i);
const struct balance_counts *balance_counts(const struct pool *pool);

#endif
