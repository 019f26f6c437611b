/* SPDX-License-Identifier: MIT */
/*
 * Slabs carved where clients run short, ahead of need.
 *
 *   client: list below its low mark -> want bit -> ring
 *   slabd:  ready units -> more pages -> what a plan can do (balance/balance.h)
 *           -> clients asked to trim, and "denied" until the next retry
 *
 * A ring has a round made over all wants, in slices: other pools and clients
 * are served in between. A want whose ring comes while a round goes on may be
 * behind the cursor by then; another round follows.
 *
 *   wants_rung --> carve --> plan, steps --> deny --> at rest
 *                    ^                         '--> as many again, if more
 *                    '------- unmet ones than a plan takes --'
 *
 * What the plan could not get is a value, the unmet wants: the server looks for
 * it in other pools.
 */
#ifndef DAEMON_BALANCE_WANTS_H
#define DAEMON_BALANCE_WANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/balance/round.h"

struct pool;

/* A client rang, or may have: all wants are due to be looked at. */
void wants_rung(struct pool *pool);

/* Pages came that were on their way, or did not: the wants that wait for any are
 * due again. */
void wants_came(struct pool *pool);

/*
 * Serves wants until then, and wakes those who wait. What became of those that
 * it is through with; of a slice that ends before that, WANTS_NOTHING. *more:
 * call it again, after others had their turn. Each want is served or denied
 * once a round, in order, so none waits for another that comes back; or it waits
 * for pages that are on their way, and counts as nothing.
 */
enum wants_outcome wants_serve(struct pool *pool, int64_t until_ns, bool *more);

/* What carving did not relieve, until the next call of wants_serve; of
 * WANTS_EVENED the plan did. */
const struct unmet *wants_unmet(const struct pool *pool);

/* Brings (cache, node) to its low mark at least. Both are valid. 0, or
 * -ENOSPC, also as long as pages are on their way. Wakes nobody. Steps of a plan
 * for which there is no time are those of the next look; or they are all taken. */
int wants_relieve_some(struct pool *pool, uint32_t cache, uint32_t node,
                       int64_t until_ns);
int wants_relieve(struct pool *pool, uint32_t cache, uint32_t node);

#endif
