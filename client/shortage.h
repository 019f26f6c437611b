/* SPDX-License-Identifier: MIT */
/*
 * What happens when a node's list is low or bare: slabd is told, other nodes
 * are tried, and growth is waited for, always within the pool's limit.
 */
#ifndef CLIENT_SHORTAGE_H
#define CLIENT_SHORTAGE_H

#include "client/pool.h"

/* Raises the want of (cache, node index) and rings slabd once. */
void shortage_tell(struct slabd_pool *pool, uint32_t cache, uint32_t node);

/* One object after node had none: from the nearest that has, or from growth.
 * NULL with errno ENOMEM. */
void *shortage_alloc(struct cache *cache, uint32_t node);

/* The same from one node alone. */
void *shortage_alloc_on(struct cache *cache, uint32_t node);

#endif
