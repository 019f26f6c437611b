/* SPDX-License-Identifier: MIT */
/*
 * Where objects come from and go to when a magazine is empty or full: the
 * process's depots, a few a cache and node, and the slabs, which are home.
 */
#ifndef CLIENT_HOME_H
#define CLIENT_HOME_H

#include "client/types.h"

/* Frees objects of one cache straight to their slabs, any number. */
void home_send(struct cache *cache, uint32_t n, void *const *objects);

/* The same of any caches, bytes in all. */
void home_send_mixed(struct slabd_pool *pool, uint64_t bytes, uint32_t n,
                     void *const *objects);

/* Objects that were claimed for the process; counts them. */
void home_note_claim(const struct cache *cache, uint32_t n,
                     void *const *objects);

/* Puts objects that live on node into the depot. Where it is full, or hoards,
 * its oldest go home in their stead. */
void home_put_away(struct cache *cache, uint32_t node, uint32_t n,
                   void *const *objects);

/* Up to most objects of one half of the depot: what it would hand out, or the
 * oldest of all. Returns how many. */
uint32_t home_get_back(struct cache *cache, uint32_t node, bool oldest,
                       uint32_t most, void **objects);

/* Sends home the oldest that a cache's depot of a node holds. Whether it had
 * any. Any thread. */
bool home_send_oldest(struct cache *cache, uint32_t node);

/* Sends home all that a cache's depots hold. Any thread. Whether they held
 * any. */
bool home_drain(struct cache *cache);

/* The same of all caches of a pool. Takes the process's lock. */
bool home_drain_pool(struct slabd_pool *pool);

/* How many objects a cache's depots of a node hold. */
uint64_t home_count(const struct cache *cache, uint32_t node);

/* Where a walk through a cache's depots is; all zero to begin with. */
struct home_at {
	uint32_t node, shard;
	uint64_t cell;
};

/* Copies what the next part of the depots holds, up to DEPOT_HALF objects, which stay
 * there. Returns how many, 0 at the end. Under the process's lock. */
uint32_t home_copy(const struct cache *cache, struct home_at *at,
                   void **objects);

/* Parts from and to depots that the stats do not have yet are added. */
void home_uncounted(const struct slabd_pool *pool, uint64_t *gets,
                    uint64_t *puts);

/* The end of a cache's depots, which are empty. */
void home_drop_depots(struct cache *cache);

/* The node that an object of the cache lies on. */
uint32_t home_of(const struct cache *cache, const void *object);

/* Takes one object straight from a node's list, or NULL; with home_only, one
 * that lies on the node. One that does not lie on own, the caller's, is counted
 * as remote. With tell, slabd is told when the list is low. */
void *home_take_one(struct cache *cache, uint32_t node, uint32_t own,
                    bool home_only, bool tell);

#endif
