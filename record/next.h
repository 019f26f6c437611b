/* SPDX-License-Identifier: MIT */
/*
 * The allocator behind us: the next in the loader's order, be it the C library's,
 * one that the program is linked with, or one that is preloaded as well.
 */
#ifndef RECORD_NEXT_H
#define RECORD_NEXT_H

#include <stddef.h>

struct next {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
};

/* NULL while the calling thread itself is looking it up: early.h serves. */
const struct next *next_get(void);

#endif
