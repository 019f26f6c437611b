/* SPDX-License-Identifier: MIT */
/* What a hit does not do: refill, flush, growth and shrinkage of magazines. */
#ifndef CLIENT_MAGAZINE_H
#define CLIENT_MAGAZINE_H

#include "client/pool.h"

/* The magazine of a cache in a thread's table. */
static inline struct slabd_mag_ *magazine_of(const struct thread *thread,
                                             const struct cache *cache)
{
	return &thread->mags[cache->slot];
}

/* Empties a magazine and gives up its capacity. The owner, or anybody once
 * no other thread uses the cache; under the thread's lock. to_depot: keep what
 * fits for the process. */
void magazine_drop(struct thread *thread, struct cache *cache, bool to_depot);

/* Puts the older half of a magazine into the depot, or sends it home. */
void magazine_halve(struct cache *cache, struct slabd_mag_ *mag);

/* Sends home all that a seat holds for other nodes. Whether it held any. */
bool magazine_drop_remote(struct seat *seat);

/* Sends home the oldest that a cache's depot of a node holds. Whether it had
 * any. Any thread. */
bool magazine_send_oldest(struct cache *cache, uint32_t node);

/* Sends home all that a cache's depots hold. Any thread. */
void magazine_drain_depots(struct cache *cache);

/* Frees objects of this client straight to their slabs, any number. */
void magazine_send_home(struct slabd_pool *pool, uint32_t n,
                        void *const *objects);

/* Takes one object straight from a node's list, or NULL; with home_only, one
 * that lies on the node. With tell, slabd is told when the list is low. */
void *magazine_take_one(struct cache *cache, uint32_t node, bool home_only,
                        bool tell);

#endif
