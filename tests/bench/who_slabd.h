/* SPDX-License-Identifier: MIT */
/* slabd as its users have it: the inline header and the shared library. */
#ifndef BENCH_WHO_SLABD_H
#define BENCH_WHO_SLABD_H

#include "client/slabclient.h"

#define WHO_NAME "slabd"
#define WHO_BULK
#define WHO_SHARED

extern slabd_pool *who_pool;
extern unsigned who_other; /* the receiver's client id */

static inline struct who_cache *who_of(slabd_cache *cache)
{
	return (struct who_cache *)cache;
}

static inline void *who_alloc(struct who_cache *cache)
{
	return slabd_alloc((slabd_cache *)cache);
}

static inline void who_free(struct who_cache *cache, void *object)
{
	slabd_free((slabd_cache *)cache, object);
}

static inline size_t who_alloc_bulk(struct who_cache *cache, size_t n,
                                    void **objects)
{
	return slabd_alloc_bulk((slabd_cache *)cache, n, objects);
}

static inline void who_free_bulk(struct who_cache *cache, size_t n,
                                 void **objects)
{
	slabd_free_bulk((slabd_cache *)cache, n, objects);
}

static inline uint64_t who_give(struct who_cache *cache, void *object)
{
	(void)cache;
	if (slabd_give(who_pool, object, who_other) != 0)
		return SLABD_NO_HANDLE;
	return slabd_handle_of(who_pool, object);
}

static inline void *who_take(struct who_cache *cache, uint64_t handle)
{
	(void)cache;
	return slabd_take(who_pool, handle);
}

#endif
