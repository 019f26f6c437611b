/* SPDX-License-Identifier: MIT */
/*
 * Slabs carved where clients run short, ahead of need.
 *
 *   client: list below its low mark -> want bit -> ring
 *   slabd:  ready units -> more pages -> what a plan can do (balance/balance.h)
 *           -> clients asked to trim, and "denied" until the next retry
 *
 * What the plan could not get is a value, the unmet wants: the server looks for
 * it in other pools.
 */
#ifndef DAEMON_BALANCE_WANTS_H
#define DAEMON_BALANCE_WANTS_H

#include "daemon/balance/unmet.h"
#include "daemon/pool/pool.h"

enum wants_outcome {
	WANTS_NOTHING, /* no want was set */
	WANTS_DONE,    /* every want was relieved */
	WANTS_EVENED,  /* the same, some of it from elsewhere in the pool */
	WANTS_DENIED,  /* some were not: ask for trims, retry later */
};

/* Serves every want bit that is set, and wakes those who wait. unmet gets what
 * carving did not relieve; of WANTS_EVENED the plan did. */
enum wants_outcome wants_serve(struct pool *pool, struct unmet *unmet);

/* Brings (cache, node) to its low mark at least. Both are valid. 0, or
 * -ENOSPC. Wakes nobody. */
int wants_relieve(struct pool *pool, uint32_t cache, uint32_t node);

#endif
