/* SPDX-License-Identifier: MIT */
/*
 * Slabs made ahead of the rate at which a list is used.
 *
 *   a ring --> ahead doubles if the two before were a moment ago, else it falls
 *   fill    lists that have less than their ahead get slabs: of free units, of
 *           others' empty slabs (reuse.h), of new pages
 *   keep    a page's worth of units stays free, for caches that have nothing
 *   stock   what else is ready is made into slabs of the lists in use, so that
 *           a slabd that stands still is not noticed while memory is ready
 *
 * All of it in slices of a millisecond or two, between which the loop serves
 * others. Of stock alone no page comes.
 *
 * One thread, the event loop's, calls all of this. Nothing is allocated.
 */
#ifndef DAEMON_BALANCE_AHEAD_H
#define DAEMON_BALANCE_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/clock.h"

struct pool;

#define AHEAD_SOON_NS (100 * CLOCK_MS) /* used up that soon: twice as many */
#define AHEAD_CALM_NS (250 * CLOCK_MS) /* half as many each time */

/* How many slabs to have ahead of a list: it had slabs, of which it has used up
 * half or more for the first time in since_ns. 1 at least. */
static inline uint32_t ahead_next(uint32_t slabs, int64_t since_ns,
                                  uint32_t most)
{
	uint64_t next = slabs;
	if (since_ns < AHEAD_SOON_NS)
		next *= 2;
	else if (since_ns / AHEAD_CALM_NS < 32)
		next >>= since_ns / AHEAD_CALM_NS;
	else
		next = 0;
	next = next < most ? next : most;
	return next > 1 ? (uint32_t)next : 1;
}

/* Clients rang for a list: it is used. */
void ahead_rung(struct pool *pool, uint32_t cache, uint32_t node);

/* How many slabs a list ought to have ahead; 0: it is not in use. */
uint32_t ahead_slabs(const struct pool *pool, uint32_t cache, uint32_t node);

/* Makes up to n slabs for a list of its node's ready units, then of empty slabs
 * of other lists, and if that gives none, of a run of new pages. How many. */
uint32_t ahead_make(struct pool *pool, uint32_t cache, uint32_t node,
                    uint32_t n, bool may_grow);

/* Works for a slice. True if there is more to do. Wakes those who wait. */
bool ahead_work(struct pool *pool);

/* Forgets what is not used any more. */
void ahead_settle(struct pool *pool);

#endif
