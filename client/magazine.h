/* SPDX-License-Identifier: MIT */
/* One magazine of a thread: its capacity, its older half, its end. */
#ifndef CLIENT_MAGAZINE_H
#define CLIENT_MAGAZINE_H

#include "client/types.h"

/* The magazine of a cache in a thread's table. */
static inline struct slabd_mag_ *magazine_of(const struct thread *thread,
                                             const struct cache *cache)
{
	return &thread->mags[cache->slot];
}

/* Sets how many objects it may hold, and counts them for the thread. */
static inline void magazine_set_cap(struct thread *thread,
                                    const struct cache *cache,
                                    struct slabd_mag_ *mag, uint32_t cap)
{
	atom_add(&thread->cap_bytes, (cap - mag->cap) * cache->row->stride);
	mag->cap = cap;
}

/* Empties a magazine and gives up its capacity. The owner, or anybody once
 * no other thread uses the cache; under the thread's lock. to_depot: keep what
 * fits for the process. */
void magazine_drop(struct thread *thread, struct cache *cache, bool to_depot);

/* Puts the older half of a magazine into the depot, or sends it home. */
void magazine_halve(struct cache *cache, struct slabd_mag_ *mag);

/* Sends home all that an attachment holds for other nodes. Whether it held
 * any. */
bool magazine_drop_remote(struct attachment *att);

#endif
