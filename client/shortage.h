/* SPDX-License-Identifier: MIT */
/*
 * What happens when a node's list is low or bare: slabd is told, other nodes
 * are tried, and growth is waited for, always within the pool's limit.
 */
#ifndef CLIENT_SHORTAGE_H
#define CLIENT_SHORTAGE_H

#include "client/types.h"

/* One object after the thread's node had none: from the nearest that has, what
 * the process keeps there included, or from growth. NULL with errno ENOMEM. */
void *shortage_alloc(struct cache *cache, struct attachment *att);

/* The same from one node alone. */
void *shortage_alloc_on(struct cache *cache, struct attachment *att,
                        uint32_t node);

#endif
