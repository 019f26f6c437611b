/* SPDX-License-Identifier: MIT */
/*
 * Where objects come from and go to when a magazine is empty or full: the
 * process's depots, one a cache and node, and the slabs, which are home.
 */
#ifndef CLIENT_HOME_H
#define CLIENT_HOME_H

#include "client/types.h"

/* Frees objects of this client straight to their slabs, any number. */
void home_send(struct slabd_pool *pool, uint32_t n, void *const *objects);

/* Puts objects that live on node into the depot. Where it is full, or hoards,
 * its oldest go home in their stead. */
void home_put_away(struct cache *cache, uint32_t node, uint32_t n,
                   void *const *objects);

/* Up to DEPOT_HALF objects of the depot: what it would hand out, or the oldest
 * of all. Returns how many. */
uint32_t home_get_back(struct cache *cache, uint32_t node, bool oldest,
                       void **objects);

/* Sends home the oldest that a cache's depot of a node holds. Whether it had
 * any. Any thread. */
bool home_send_oldest(struct cache *cache, uint32_t node);

/* Sends home all that a cache's depots hold. Any thread. */
void home_drain(struct cache *cache);

/* The same of all caches of a pool. Takes the process's lock. */
void home_drain_pool(struct slabd_pool *pool);

/* Takes one object straight from a node's list, or NULL; with home_only, one
 * that lies on the node. With tell, slabd is told when the list is low. */
void *home_take_one(struct cache *cache, uint32_t node, bool home_only,
                    bool tell);

#endif
