/* SPDX-License-Identifier: MIT */
/*
 * What evens out a pool's memory: slabs that stand on other lists, slabs taken
 * from one cache for another, pages that go to another node or back to the
 * kernel. Decides nothing: plan/plan.h says what, by way of balance/step.c.
 *
 * Nodes by index, caches from 1 on. Each returns how much it did; *error is 0,
 * or the -errno that kept it from doing all. Killed at any point, the next
 * slabd finds nothing that it can't repair (pool/slabs.h, pool/pages.h).
 *
 * One thread, the event loop's, calls all of this. Nothing is allocated.
 */
#ifndef DAEMON_BALANCE_MOVE_H
#define DAEMON_BALANCE_MOVE_H

#include "daemon/balance/back.h"
#include "daemon/pool/work.h"

/* Puts up to n slabs at home on `from` and listed there on the list of `to`:
 * those with most free. -ENOENT: no more are listed. */
uint32_t move_lend(struct pool *pool, uint32_t cache, uint32_t from,
                   uint32_t to, uint32_t n, int *error);

/* Makes up to n slabs at home on `home` that stand on `list`. -ENOSPC. */
uint32_t move_carve(struct pool *pool, uint32_t cache, uint32_t home,
                    uint32_t list, uint32_t n, int *error);

/* Slabs of a cache at home on `home` that stand on `list`, PLAN_NONE for any. */
struct move_of {
	uint32_t cache, home, list;
};

/* Puts up to n of them back on their home's list: one look at least, and as many
 * as there is time for. -ENOENT: there are no more. And the same at one time. */
uint32_t move_return_some(struct pool *pool, const struct move_of *of,
                          uint32_t n, struct balance_back *back, int64_t until_ns,
                          int *error);
uint32_t move_return(struct pool *pool, uint32_t cache, uint32_t home,
                     uint32_t list, uint32_t n, int *error);

/* Empties up to n slabs of a cache on a node, all of whose objects are free,
 * highest first: their units are free. They were so for idle_ns, and so was a
 * page that falls empty. -ENOENT: there are no more. */
uint32_t move_reclaim(struct pool *pool, uint32_t cache, uint32_t node,
                      uint32_t n, int64_t idle_ns, int *error);

/* Empties slabs of other caches on a node, all of whose objects are free, where
 * that makes an aligned run of free units; up to n runs. -ENOENT. */
uint32_t move_clear_runs(struct pool *pool, uint32_t cache, uint32_t node,
                         uint32_t n_units, uint32_t n, int *error);

/* The same of one aligned run. Whether it is free now. */
bool move_clear_run(struct pool *pool, uint32_t cache, uint32_t first,
                    uint32_t n_units);

/* Whether no job has the rows that a page's move needs; else it waits for them. */
bool move_may(struct pool *pool, uint64_t page, uint32_t to);

/* Moves a page with all its slabs, live, to another node, beside the loop. then:
 * called when that was tried, with error as backing_move gives it, and why in how;
 * before it returns where there is no crew. False: it was not begun, as there is no
 * such page or it is there already. move_may said yes. */
bool move_migrate(struct pool *pool, uint64_t page, uint32_t to,
                  void (*then)(const struct work_job *job));

/* Gives up to n pages of a node that have been without a slab for so long
 * back to the kernel, highest first: they are in no book any more, and their memory
 * goes beside the loop. -ENOENT: there are no more; -EAGAIN: a row is lent. */
uint32_t move_shrink(struct pool *pool, uint32_t node, uint32_t n,
                     int64_t idle_ns, int *error);

/* Whether pages of a node are on their way there. */
bool move_is_shrinking(const struct pool *pool, uint32_t node);

#endif
