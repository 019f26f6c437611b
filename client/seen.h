/* SPDX-License-Identifier: MIT */
/* Allocation and free where somebody is to know of each: in a forked child, under
 * a tool that watches (tools.h), or checked (checked.h). */
#ifndef CLIENT_SEEN_H
#define CLIENT_SEEN_H

#include "client/types.h"

/* site: where the program called. */
void *alloc_seen(struct cache *cache, const void *site);
void free_seen(struct cache *cache, void *object, const void *site);

#endif
