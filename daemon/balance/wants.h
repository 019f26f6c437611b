/* SPDX-License-Identifier: MIT */
/*
 * Slabs carved where clients run short, ahead of need.
 *
 *   client: list below its low mark -> want bit -> ring
 *   slabd:  ready units -> more pages -> what the balance can do (balance/balance.h)
 *           -> clients asked to trim, and "denied" until the next retry
 *
 * A denied mark tells clients not to wait. It is taken back by wants_retry,
 * so that they ask anew: freed memory is not announced by anybody.
 */
#ifndef DAEMON_BALANCE_WANTS_H
#define DAEMON_BALANCE_WANTS_H

#include "daemon/pool/pool.h"

enum wants_outcome {
	WANTS_NOTHING, /* no want was set */
	WANTS_DONE,    /* every want was relieved */
	WANTS_EVENED,  /* the same, some of it from elsewhere in the pool */
	WANTS_DENIED,  /* some were not: ask for trims, retry later */
};

/* Serves every want bit that is set, and wakes who waits. */
enum wants_outcome wants_serve(struct pool *pool);

/* Makes one slab at home on a node, to stand on the list of another or the
 * same. 0 with its head unit, or -ENOSPC. */
int wants_carve(struct pool *pool, uint32_t cache, uint32_t home,
                 uint32_t list, uint32_t *head);

/* Brings (cache, node) to its low mark at least. Both are valid. 0, or
 * -ENOSPC. Wakes nobody. */
int wants_relieve(struct pool *pool, uint32_t cache, uint32_t node);

/* Faults pages in ahead of need on nodes whose ready memory is nearly used
 * up. True if it did something, so that it is worth to be called again. */
bool wants_ahead(struct pool *pool);

/* Sets all marks of a pool that was taken over, and wakes who waits: a ring may
 * have gone to the slabd before this one. */
void wants_adopt(struct pool *pool);

/* Takes every denied mark back. */
void wants_retry(struct pool *pool);

/* Counts grow_seq on and wakes the clients that sleep on it. */
void wants_announce(struct pool *pool);

#endif
