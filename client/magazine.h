/* SPDX-License-Identifier: MIT */
/* One magazine of a thread: its capacity, its older half, its end. */
#ifndef CLIENT_MAGAZINE_H
#define CLIENT_MAGAZINE_H

#include "client/depot.h"
#include "client/types.h"

/* The magazine of a cache in a thread's table. */
static inline struct slabd_mag_ *magazine_of(const struct thread *thread,
                                             const struct cache *cache)
{
	return &thread->mags[cache->slot];
}

/*
 * Who looks for what is wrong in magazines (look.h) meets their threads at any
 * instruction: what goes elsewhere has left the magazine before, by its n, and what
 * comes from there is in it after.
 */

/* What a magazine of some capacity takes or gives up at one time. */
static inline uint32_t magazine_part(size_t cap)
{
	uint32_t half = (uint32_t)(cap + 1) / 2;
	return half < DEPOT_HALF ? half : DEPOT_HALF;
}

/* By the owner, or who empties it in its stead, as held_sum looks at n. */
static inline void magazine_set_n(struct slabd_mag_ *mag, size_t n)
{
	atom_store(&mag->n, n);
}

/* One more thread with magazines, or one less: each has its part of a pool. */
void magazine_count_holder(struct slabd_pool *pool, uint32_t more);

/* Sets how many objects it may hold, and counts them for the thread and the
 * process. */
static inline void magazine_set_cap(struct attachment *att,
                                    const struct cache *cache,
                                    struct slabd_mag_ *mag, uint32_t cap)
{
	uint64_t more = (cap - mag->cap) * (uint64_t)cache->row->stride;
	uint64_t before = atom_add(&att->cap_bytes, more);
	if (before == 0 || before + more == 0)
		magazine_count_holder(att->pool, before == 0 ? 1 : -1u);
	atom_add(&att->pool->cap_bytes, more);
	mag->cap = cap;
}

/* The thread took n objects from depot or slabs; or gave them back. */
static inline void magazine_took(struct attachment *att,
                                 const struct cache *cache, uint32_t n)
{
	int64_t bytes = (int64_t)n * cache->row->stride;
	atom_store(&att->taken_bytes, atom_load(&att->taken_bytes) + bytes);
}

static inline void magazine_gave_bytes(struct attachment *att, int64_t bytes)
{
	int64_t left = atom_load(&att->taken_bytes) - bytes;
	atom_store(&att->taken_bytes, left > 0 ? left : 0);
}

static inline void magazine_gave(struct attachment *att,
                                 const struct cache *cache, uint32_t n)
{
	magazine_gave_bytes(att, (int64_t)n * cache->row->stride);
}

/* Empties a magazine and gives up its capacity. The owner, or anybody once
 * no other thread uses the cache or the owner is idle; under the thread's lock.
 * to_depot: keep what fits for the process. Whether it held any. */
bool magazine_drop(struct thread *thread, struct attachment *att,
                   struct cache *cache, bool to_depot);

/* Puts the older half of a magazine, or what the depot takes of it at one time,
 * there, or sends it home. */
void magazine_halve(struct attachment *att, struct cache *cache,
                    struct slabd_mag_ *mag);

/* Sends home what an attachment holds for another node. */
void magazine_send_remote(struct attachment *att, struct remote *remote);

/* Sends home all that an attachment holds for other nodes. Whether it held
 * any. */
bool magazine_drop_remote(struct attachment *att);

#endif
