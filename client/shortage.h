/* SPDX-License-Identifier: MIT */
/*
 * What happens when a node's list is low or bare: slabd is told, other nodes
 * are tried, and growth is waited for, always within the pool's limit; a call
 * that has set the attachment's no_wait waits for nothing.
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

/*
 * After a claim from a list that is low while slabd makes slabs for it: takes a
 * little longer, the lower the list. Memory that nobody has had yet comes no
 * faster than the kernel clears it; so a thread that outruns that is slowed down
 * by some microseconds with each slab's worth, in the place of standing still
 * for a page's time when there is nothing left.
 */
void shortage_pace(const struct cache *cache, const struct attachment *att);

#endif
