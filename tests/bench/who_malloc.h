/* SPDX-License-Identifier: MIT */
/* The C library's malloc, and each that is preloaded in its place. */
#ifndef BENCH_WHO_MALLOC_H
#define BENCH_WHO_MALLOC_H

#include <stdlib.h>

#define WHO_NAME who_name()

struct who_cache {
	size_t bytes;
};

/* $BENCH_NAME, as the program itself can't tell. */
const char *who_name(void);

static inline void *who_alloc(struct who_cache *cache)
{
	return malloc(cache->bytes);
}

#define WHO_SIZED
static inline void *who_alloc_sized(size_t bytes)
{
	return malloc(bytes);
}

static inline void who_free(struct who_cache *cache, void *object)
{
	(void)cache;
	free(object);
}

#endif
