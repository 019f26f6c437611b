/* SPDX-License-Identifier: MIT */
/*
 * Boost.Interprocess: cached_node_allocator, or with $BENCH_NAME boost-alloc
 * the segment's own allocate. The library is C++ templates, so the size is
 * chosen once, when a cache is made.
 */
#ifndef BENCH_WHO_BOOST_H
#define BENCH_WHO_BOOST_H

#define WHO_NAME who_name()
#define WHO_SHARED

const char *who_name(void);

/* One size; each thread has its own in who_boost_mine. */
struct who_cache {
	unsigned ix; /* of who_boost_mine */
};

struct who_boost {
	virtual void *alloc() = 0;
	virtual void drop(void *object) = 0;
	virtual ~who_boost() = default;
};

#define WHO_BOOST_CACHES 16
extern __thread who_boost *who_boost_mine[WHO_BOOST_CACHES];
extern char *who_boost_base; /* the segment's first byte here */

static inline void *who_alloc(struct who_cache *cache)
{
	return who_boost_mine[cache->ix]->alloc();
}

static inline void who_free(struct who_cache *cache, void *object)
{
	who_boost_mine[cache->ix]->drop(object);
}

static inline uint64_t who_give(struct who_cache *cache, void *object)
{
	(void)cache;
	return (uint64_t)((char *)object - who_boost_base);
}

static inline void *who_take(struct who_cache *cache, uint64_t handle)
{
	(void)cache;
	return who_boost_base + handle;
}

#endif
