/* SPDX-License-Identifier: MIT */
/* slabd by a thread's handle of the cache, where one thread alone works. */
#ifndef BENCH_WHO_LOCAL_H
#define BENCH_WHO_LOCAL_H

#include "client/slabclient.h"

#define WHO_NAME "slabd-local"

extern slabd_pool *who_pool;
extern unsigned who_other;

static inline struct who_cache *who_of(slabd_cache *cache)
{
	return (struct who_cache *)slabd_local_of(cache);
}

static inline void *who_alloc(struct who_cache *cache)
{
	return slabd_local_alloc((slabd_local *)cache);
}

static inline void who_free(struct who_cache *cache, void *object)
{
	slabd_local_free((slabd_local *)cache, object);
}

#endif
