/* SPDX-License-Identifier: MIT */
/*
 * What the dead leave, found and freed bit by bit between events.
 *
 * Each client has noted the granules where it may have left something. An id
 * that joins a sweep makes its granules due; a slice looks at some of those that
 * are due, at each for all the dead at once.
 *
 * A client that clears its notes, or another's, leaves objects that no sweep
 * comes by. The lap finds them: all granules in use are looked at, slowly, a
 * while after somebody died.
 *
 * Only an id whose row does not say LIVE has anything freed. One thread, the
 * event loop's, calls all of this; nothing is allocated.
 */
#ifndef DAEMON_POOL_SWEEP_H
#define DAEMON_POOL_SWEEP_H

#include "daemon/pool/pool.h"

/* What a slice looks at before it ends: tags, and for each granule as many as
 * the look at its units and leases costs. */
#define SWEEP_SLICE_LOOKS (512u * 1024)
#define SWEEP_GRANULE_LOOKS 1024u
#define SWEEP_LAP_GRANULES 8u /* of a step of the lap */
#define SWEEP_FEW_GRANULES 4u

/* Hands on what a client that has died, and is not called dead yet, was giving as
 * one (shm/heir.h). Looks at all that it has touched; at nothing where it was not
 * in the middle of that. */
void sweep_settle(struct pool *pool, uint32_t id);

/* What an id has touched is due. When it is through. */
uint64_t sweep_join(struct pool *pool, uint32_t id);

/* Looks at some of what is due, at one granule at least, until then. */
void sweep_slice(struct pool *pool, int64_t until_ns);

/* Looks out of turn at what an id has touched, if it is but a few granules: false
 * if it is more. It counts as a slice. */
bool sweep_few(struct pool *pool, uint32_t id);

/* Looks at all of it: for those who count. */
void sweep_rest(struct pool *pool);

/* Ends what a slabd that was killed had begun, of a granule. */
void sweep_adopt(struct pool *pool);

static inline bool sweep_is_due(const struct pool *pool)
{
	return pool->due.n > 0;
}

/* Whether a lap is under way, or asked for by a death. */
static inline bool sweep_lap_runs(const struct pool *pool)
{
	return pool->due.lap < pool->due.n_granules || pool->due.lap_asked;
}

/* Makes the next granules in use due. False when the lap is at its end; another
 * begins with the next call if somebody died since this one began. */
bool sweep_lap(struct pool *pool);

/* Whether an id has touched anything; its record begun anew; and memory for it,
 * before a client has the id. */
bool sweep_has_touched(const struct pool *pool, uint32_t id);
void sweep_forget(struct pool *pool, uint32_t id);
void sweep_prepare(struct pool *pool, uint32_t id);

#endif
