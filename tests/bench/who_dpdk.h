/* SPDX-License-Identifier: MIT */
/* DPDK's rte_mempool, the cache of 512 objects that it has at most. */
#ifndef BENCH_WHO_DPDK_H
#define BENCH_WHO_DPDK_H

#include <rte_mempool.h>

#define WHO_NAME "dpdk"
#define WHO_BULK
#define WHO_SHARED

/* A who_cache is an rte_mempool. */

static inline void *who_alloc(struct who_cache *cache)
{
	void *object;
	if (rte_mempool_get((struct rte_mempool *)cache, &object) != 0)
		return NULL;
	return object;
}

static inline void who_free(struct who_cache *cache, void *object)
{
	rte_mempool_put((struct rte_mempool *)cache, object);
}

static inline size_t who_alloc_bulk(struct who_cache *cache, size_t n,
                                    void **objects)
{
	if (rte_mempool_get_bulk((struct rte_mempool *)cache, objects,
	                         (unsigned)n) != 0)
		return 0;
	return n;
}

static inline void who_free_bulk(struct who_cache *cache, size_t n,
                                 void **objects)
{
	rte_mempool_put_bulk((struct rte_mempool *)cache, objects, (unsigned)n);
}

/* Both processes have the pool at the same address, and nobody owns. */
static inline uint64_t who_give(struct who_cache *cache, void *object)
{
	(void)cache;
	return (uint64_t)(uintptr_t)object;
}

static inline void *who_take(struct who_cache *cache, uint64_t handle)
{
	(void)cache;
	return (void *)(uintptr_t)handle;
}

#endif
