/* SPDX-License-Identifier: MIT */
/*
 * The floor: a hand-written magazine reached as table[cache->id], inline,
 * behind an initial-exec TLS pointer to the table. It checks nothing and never
 * refills, so whatever keeps magazines can hardly be faster. Where objects go
 * from thread to thread it is the ring alone.
 */
#ifndef BENCH_WHO_FLOOR_H
#define BENCH_WHO_FLOOR_H

#define WHO_NAME "floor"
#define WHO_SHARED
#define WHO_RING_ALONE

#define FLOOR_CACHES 1024
#define FLOOR_PASSED 8192u /* more than a ring and two groups hold */

struct who_cache {
	size_t id;
	size_t bytes;
	uint64_t most;
	char *passed; /* objects that the ring passes on, over and over */
	uint64_t n_passed;
};

struct floor_mag {
	uint32_t n;
	void *obj[];
};

#ifdef __cplusplus
#error "the floor is C"
#endif
extern __thread struct floor_mag **floor_table
        __attribute__((tls_model("initial-exec")));

static inline void *who_alloc(struct who_cache *cache)
{
	struct floor_mag *mag = floor_table[cache->id];
	uint32_t n = mag->n - 1;
	mag->n = n;
	return mag->obj[n];
}

static inline void who_free(struct who_cache *cache, void *object)
{
	struct floor_mag *mag = floor_table[cache->id];
	uint32_t n = mag->n;
	mag->obj[n] = object;
	mag->n = n + 1;
}

static inline void *who_next(struct who_cache *cache)
{
	uint64_t i = cache->n_passed++ % FLOOR_PASSED;
	return cache->passed + i * cache->bytes;
}

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
