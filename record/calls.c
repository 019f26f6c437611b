/* SPDX-License-Identifier: MIT */
/*
 * The calls themselves, in the place of the allocator's. Each passes on what it
 * was asked, and what it was given comes back as it is, errno too. What an
 * allocator asks of itself on the way is not the program's, and not recorded.
 */
#include "record/attach.h"
#include "record/early.h"
#include "record/next.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_EXPORT __attribute__((visibility("default")))

/* Of C23; not every <stdlib.h> has them yet. */
void free_sized(void *obj, size_t size);
void free_aligned_sized(void *obj, size_t align, size_t size);

static __thread unsigned depth;

static void *leave(void *obj, size_t bytes)
{
	if (--depth == 0 && obj != NULL)
		attach_put(RING_ALLOC, obj, bytes);
	return obj;
}

static void begin_end(enum ring_op op, const void *obj)
{
	if (depth++ == 0)
		attach_put(op, obj, 0);
}

CALLS_EXPORT void *malloc(size_t size)
{
	const struct next *next = next_get();
	if (next == NULL)
		return early_alloc(size, 0);
	depth++;
	return leave(next->malloc(size), size);
}

CALLS_EXPORT void *calloc(size_t n, size_t size)
{
	const struct next *next = next_get();
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (next == NULL)
		return early_alloc(bytes, 0);
	depth++;
	return leave(next->calloc(n, size), bytes);
}

CALLS_EXPORT void free(void *obj)
{
	const struct next *next = next_get();
	if (obj == NULL || next == NULL || early_has(obj))
		return;
	begin_end(RING_FREE, obj);
	next->free(obj);
	depth--;
}

CALLS_EXPORT void free_sized(void *obj, size_t size)
{
	const struct next *next = next_get();
	if (next == NULL || next->free_sized == NULL || early_has(obj)) {
		free(obj);
		return;
	}
	if (obj == NULL)
		return;
	begin_end(RING_FREE, obj);
	next->free_sized(obj, size);
	depth--;
}

CALLS_EXPORT void free_aligned_sized(void *obj, size_t align, size_t size)
{
	const struct next *next = next_get();
	if (next == NULL || next->free_aligned_sized == NULL ||
	    early_has(obj)) {
		free(obj);
		return;
	}
	if (obj == NULL)
		return;
	begin_end(RING_FREE, obj);
	next->free_aligned_sized(obj, align, size);
	depth--;
}

static void *out_of_early(void *obj, size_t size)
{
	void *made = malloc(size);
	size_t had = early_bytes(obj);
	if (made != NULL)
		memcpy(made, obj, had < size ? had : size);
	return made;
}

CALLS_EXPORT void *realloc(void *obj, size_t size)
{
	const struct next *next = next_get();
	void *made;
	if (obj == NULL)
		return malloc(size);
	if (next == NULL || early_has(obj))
		return out_of_early(obj, size);
	begin_end(RING_MOVE, obj);
	made = next->realloc(obj, size);
	/* NULL for 0 bytes is no failure: the object was freed. */
	if (made == NULL && size > 0 && depth == 1)
		attach_put(RING_BACK, obj, 0);
	return leave(made, size);
}

CALLS_EXPORT void *reallocarray(void *obj, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(obj, bytes);
}

CALLS_EXPORT int posix_memalign(void **to, size_t align, size_t size)
{
	const struct next *next = next_get();
	int err;
	if (next == NULL) {
		*to = early_alloc(size, align);
		return *to != NULL ? 0 : ENOMEM;
	}
	depth++;
	err = next->posix_memalign(to, align, size);
	leave(err == 0 ? *to : NULL, size);
	return err;
}

CALLS_EXPORT void *aligned_alloc(size_t align, size_t size)
{
	const struct next *next = next_get();
	if (next == NULL)
		return early_alloc(size, align);
	depth++;
	return leave(next->aligned_alloc(align, size), size);
}

CALLS_EXPORT void *memalign(size_t align, size_t size)
{
	const struct next *next = next_get();
	if (next == NULL)
		return early_alloc(size, align);
	depth++;
	return leave(next->memalign(align, size), size);
}

CALLS_EXPORT void *valloc(size_t size)
{
	const struct next *next = next_get();
	if (next == NULL)
		return early_alloc(size, 4096);
	depth++;
	return leave(next->valloc(size), size);
}

CALLS_EXPORT void *pvalloc(size_t size)
{
	const struct next *next = next_get();
	if (next == NULL)
		return early_alloc(size, 4096);
	depth++;
	return leave(next->pvalloc(size), size);
}
