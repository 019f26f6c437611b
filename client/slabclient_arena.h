/* SPDX-License-Identifier: MIT */
/*
 * Arenas: memory of one lifetime, cut off a chunk from front to back and given
 * back all at once. Part of slabclient.h, which includes it; what is said there of
 * returned values, tools and fork holds here.
 *
 * An arena's chunks are objects of the pool, of caches named arena-4k, arena-8k and
 * so on, which all clients share; so what a dead process's arenas had is free
 * again. An arena and its ancestors and descendants serve one thread at a time. In
 * a forked child an arena is none: calls fail with ENOTCONN. NULL, and an arena
 * that was destroyed, or whose parent was, are refused with EINVAL as long as its
 * place is not another arena's.
 */
#ifndef SLABCLIENT_ARENA_H
#define SLABCLIENT_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "slabclient_hit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the inline code reads: what is free of the chunk at hand, both at multiples
 * of SLABD_ARENA_ALIGN. */
typedef struct slabd_arena {
	char *at_;
	char *end_;
} slabd_arena;

/* A place in an arena, of slabd_arena_mark. */
typedef struct slabd_mark {
	char *at_;
	uint64_t epoch_, seq_, cleanups_;
	uint32_t chunks_, blocks_;
} slabd_mark;

struct slabd_arena_stats {
	uint64_t bytes;  /* of the pool that it has: whole chunks */
	uint64_t chunks; /* of them, and */
	uint64_t blocks; /* objects that are a chunk each, as they are large */
	uint64_t resets; /* since it was made */
	uint64_t spare[4]; /* zero */
};

#define SLABD_ARENA_ALIGN 16u       /* where 0 is asked for */
#define SLABD_ARENA_ALIGN_MAX 4096u /* the most that can be asked for */

/*
 * Makes an arena; it has no memory until something is allocated of it.
 *
 * parent is NULL or an arena of the same pool, which takes it along when it is
 * reset or destroyed. name is NULL, or what slabctl shows it as: copied; arenas
 * of one name are shown together. Errors: EINVAL no pool, a parent that is no arena
 * of this pool, control characters in the name, ENAMETOOLONG, ENOMEM this process
 * has no memory left, ENOTCONN.
 */
slabd_arena *slabd_arena_create(slabd_pool *pool, slabd_arena *parent,
                                const char *name);

/*
 * Allocates size bytes; they are undefined, and the arena's until it is reset,
 * rewound to a mark before them, or destroyed.
 *
 * align is a power of two up to SLABD_ARENA_ALIGN_MAX; 0, and what is less, means
 * SLABD_ARENA_ALIGN, to which sizes are rounded up. Of size 0 the address alone is of use. What would take half of
 * the next chunk, or more, lies by itself. Errors: EINVAL align, or more bytes than
 * a page of the pool has (less a few for the library's own), ENOMEM, ENOTCONN as
 * slabd_alloc. Bounded like slabd_alloc; the first chunk of each size that the
 * process has opens its cache, as slabd_cache_create does.
 */
#ifdef SLABD_NO_INLINE
void *slabd_arena_alloc(slabd_arena *arena, size_t size, size_t align);
#else
static inline void *slabd_arena_alloc(slabd_arena *arena, size_t size,
                                      size_t align);
#endif

/* As slabd_arena_alloc of n * size bytes, aligned for anything, and all zero.
 * Errors: EINVAL too many bytes, ENOMEM, ENOTCONN. */
void *slabd_arena_calloc(slabd_arena *arena, size_t n, size_t size);

/* A copy of a text, of size bytes, or of what printf would write, ending in zero
 * where it is a text. Errors: EINVAL no text, no bytes where size is not 0, or too
 * many, ENOMEM, ENOTCONN; of the format those of vsnprintf. */
char *slabd_arena_strdup(slabd_arena *arena, const char *text);
void *slabd_arena_memdup(slabd_arena *arena, const void *bytes, size_t size);
char *slabd_arena_printf(slabd_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *slabd_arena_vprintf(slabd_arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Notes how far the arena is used. Errors (errno alone, and a mark that is of no
 * arena): EINVAL, ENOTCONN. */
slabd_mark slabd_arena_mark(slabd_arena *arena);

/*
 * Frees what was allocated since the mark, and calls the cleanups that were
 * registered since, last first. Children stay as they are. A mark is void once the
 * arena was reset, or rewound to one that was taken before: rewinding to it changes
 * nothing. Errors (errno alone): EINVAL, also of a void mark or another arena's,
 * ENOTCONN, EBUSY in a cleanup of the same arena.
 */
void slabd_arena_rewind(slabd_arena *arena, slabd_mark mark);

/*
 * Calls the cleanups, last first, and frees all that the arena had; its children
 * are reset first. As many chunks as both this time and the time before needed
 * stay for the next; what lies beyond, as after a burst, is freed, and so is what
 * lies by itself. Errors (errno alone): EINVAL, ENOTCONN, EBUSY in a cleanup of the
 * same arena.
 */
void slabd_arena_reset(slabd_arena *arena);

/* Destroys the children, youngest first, calls the cleanups, last first, and frees
 * all. slabd_close does so with all arenas that there are. NULL does nothing.
 * Errors (errno alone): EINVAL, ENOTCONN, EBUSY in a cleanup of the same arena, or of
 * one below it. */
void slabd_arena_destroy(slabd_arena *arena);

/* Has call(arg) called when the arena is reset, destroyed, or rewound to a mark
 * from before; it may allocate of the arena, and returns: it neither throws nor jumps
 * out. Errors: EINVAL no function, ENOMEM
 * this process has no memory left, ENOTCONN. */
int slabd_arena_cleanup(slabd_arena *arena, void (*call)(void *), void *arg);

/* Has the arena's first bytes lie in one chunk: of an arena that nothing was
 * allocated of yet. It is given soonest so. Errors: EINVAL more than a page of the pool
 * has, EBUSY something was allocated, ENOMEM, ENOTCONN as slabd_alloc. */
int slabd_arena_reserve(slabd_arena *arena, size_t bytes);

/*
 * Makes another client, or this one, the owner of an arena and all that is in it, at
 * once and without a copy: a gift, as those of slabd_give, which the other takes
 * by the returned handle, once, with slabd_arena_take.
 *
 * On success the arena is none any more here, like one that was destroyed; its
 * parent stays behind. Should either side die meanwhile, all of it is the other's, or
 * free; so it is where the receiver dies before it takes it. What takes more than one
 * chunk, and blocks that lie by themselves, cost as much again each. Errors (returns
 * SLABD_NO_HANDLE, and the arena stays as it is): EBUSY it has children or cleanups,
 * which do not travel, EINVAL no arena, EPERM the program gave or freed a chunk of it
 * by itself, ESRCH no such client, EAGAIN, ENOMEM and ENOTCONN as slabd_give.
 */
slabd_handle slabd_arena_give(slabd_arena *arena, unsigned client_id);

/*
 * Takes an arena that was given to this client; it has no parent. Its addresses
 * are as they were where both map the pool at the same one.
 *
 * Errors: EINVAL no arena's handle, or that of a part of one (what it is of stays as
 * it is), EPERM it was not given to this client, or taken already, EBADMSG it is a
 * chunk, given by itself, with no arena in it, or one that misses parts: what is
 * there is freed, ENOMEM (freed as well, where it is this process that has none),
 * EAGAIN as slabd_take, ENOTCONN. The first time
 * for each size of chunks opens its cache, as slabd_cache_create does.
 */
slabd_arena *slabd_arena_take(slabd_pool *pool, slabd_handle handle);

/* The address of what was allocated first, at an alignment of up to
 * SLABD_ARENA_ALIGN and not as large as to lie by itself: where who takes an arena
 * begins to read. NULL, with errno left alone, where nothing ever was. Errors:
 * EINVAL, ENOTCONN. */
void *slabd_arena_first(slabd_arena *arena);

/* Fills in what the arena has, without its children. Errors: EINVAL, ENOTCONN. */
int slabd_arena_get_stats(slabd_arena *arena, struct slabd_arena_stats *stats);

void *slabd_arena_more_(slabd_arena *arena, size_t size, size_t align);

#ifndef SLABD_NO_INLINE
/* Of constants nothing is asked but whether it fits; not even, in a loop, for NULL
 * again, unless a compiler is told what is likely. A sum can't pass the end of the
 * address space: what is large goes out of line. */
static inline void *slabd_arena_alloc(slabd_arena *arena, size_t size,
                                      size_t align)
{
	size_t mask = align > SLABD_ARENA_ALIGN ? align - 1 : 0;
	uintptr_t at, end;
	if (arena == NULL || (align & (align - 1)) != 0 ||
	    align > SLABD_ARENA_ALIGN_MAX || size >> 20 != 0)
		return slabd_arena_more_(arena, size, align);
	at = (SLABD_AS_(uintptr_t, arena->at_) + mask) & ~mask;
	end = SLABD_AS_(uintptr_t, arena->end_);
	if (at + size > end)
		return slabd_arena_more_(arena, size, align);
	size = (size + SLABD_ARENA_ALIGN - 1) &
	       ~SLABD_TO_(size_t, SLABD_ARENA_ALIGN - 1);
	arena->at_ = SLABD_AS_(char *, at + size);
	return SLABD_AS_(void *, at);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
