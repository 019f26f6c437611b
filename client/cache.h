/* SPDX-License-Identifier: MIT */
/* Caches as a process has them open. */
#ifndef CLIENT_CACHE_H
#define CLIENT_CACHE_H

#include "client/types.h"

/* Empties and forgets a cache. The caller took it out of pool->caches. */
void cache_destroy(struct cache *cache);

#endif
