/* SPDX-License-Identifier: MIT */
/*
 * An arena of this process:
 *
 *   head (wiped at fork) ---> arena (private) ---> vectors of chunks and blocks
 *     at, end                   parent, children     each an object of the pool
 *
 * All that is needed to find the objects again is private: what another client
 * writes into a chunk leads nobody astray. Letters: (C) constant, (O) the thread
 * that uses the arena's family, (L) under the lock of its home.
 */
#ifndef CLIENT_ARENA_H
#define CLIENT_ARENA_H

#include <pthread.h>
#include <stdbool.h>

#include "client/types.h"

#define ARENA_SHIFT_MIN 12u /* the smallest chunk's size */
#define ARENA_FIRST 1u /* the class of the first chunk: a request's */
#define ARENA_SHIFT_MAX 21u /* the largest that several objects lie in */
#define ARENA_CLASSES (PAGE_SHIFT_MAX - ARENA_SHIFT_MIN + 1)
#define ARENA_FEW 8u /* chunks, and blocks, that take no memory of their own */
/* First bytes of a chunk: the library's own, for when the arena is given. */
#define ARENA_ROOM 32u
#define ARENA_FIRST_ROOM 192u

/* What the program has. Its family's thread alone touches it but for next, which
 * is of those that are free (L). */
struct arena_head {
	struct slabd_arena at;
	struct arena *own; /* NULL: destroyed, or in a forked child */
	char *first;       /* free byte of the first chunk, once it has one */
	struct arena_head *next;
};

struct arena_chunk {
	char *start; /* NULL, as an arena ends: it is not its any more */
	uint32_t class; /* of 1 << (ARENA_SHIFT_MIN + class) bytes */
};

struct arena_vector {
	struct arena_chunk *at; /* few, or of malloc */
	uint32_t n, room;
	struct arena_chunk few[ARENA_FEW];
};

struct arena_call {
	struct arena_call *next; /* registered before it */
	void (*call)(void *);
	void *arg;
};

struct arena {
	struct arena_head *head;     /* (C) */
	struct arena_home *home;     /* (C) */
	struct arena *parent;        /* (O) */
	struct arena *children;      /* (O) youngest first */
	struct arena *next;          /* (O) of its siblings; (L) of roots */
	struct arena *prev;          /* like next */
	struct arena_vector chunks;  /* (O) the first used of them are in use */
	struct arena_vector blocks;  /* (O) what lies by itself */
	struct arena_call *calls;    /* (O) the last one first */
	uint64_t n_calls;            /* (O) */
	uint64_t bytes;              /* (O) of chunks and blocks */
	uint64_t resets;             /* (O) */
	uint64_t epoch;              /* (O) of marks: another with each reset */
	uint64_t seq;                /* (O) marks and rewinds so far */
	slabd_mark back;             /* (O) to which it was rewound last */
	uint32_t used;               /* (O) */
	uint32_t peak;               /* (O) of used, since the last reset */
	uint32_t peak_before;        /* (O) at the reset before */
	bool busy;                   /* (O) its cleanups are being called */
	uint32_t inside;             /* (A) the same of it and those below; relaxed */
	char name[NAME_BYTES];       /* (C) */
};

/* A pool's. */
struct arena_home {
	struct slabd_pool *pool; /* (C) */
	uint32_t n_classes;      /* (C) those that a page holds */
	pthread_mutex_t lock;
	struct arena *roots;             /* (L) */
	struct arena_head *idle, *last;  /* (L) heads: the longest idle first */
	struct arena_region *regions;    /* (L) that heads lie in */
	uint64_t made;                   /* (A) arenas so far; relaxed */
	uint32_t inside;                 /* (A) arenas that are busy; relaxed */
	/* (A) NULL -> open (open_class, by the first), by a publish. */
	slabd_cache *caches[ARENA_CLASSES];
};

/* The arena that a head stands for; NULL with errno. */
struct arena *arena_of(const slabd_arena *head);

/* Tells that a head stands for none; returns NULL. */
struct arena *arena_is_none(void) __attribute__((cold));

/* Begins one that was just entered. */
void arena_start(struct arena *arena);

/* Whether a cleanup of any of a pool's is being called. */
bool arena_is_inside(const struct slabd_pool *pool);

/* All of a pool's arenas, as it closes. In a forked child nobody is called, and
 * nothing is freed but memory of this process. */
void arena_close(struct slabd_pool *pool);

/* ---- arena_home.c: homes, heads ------------------------------------------- */

/* A pool's home, made where there is none. NULL with errno. */
struct arena_home *arena_home_of(struct slabd_pool *pool);

/* A root or a child with a head, linked; NULL with errno. */
struct arena *arena_home_enter(struct arena_home *home, struct arena *parent);

/* Ends it: unlinked, its head idle, its memory free. */
void arena_home_leave(struct arena *arena);

/* ---- arena_chunk.c: chunks and blocks ------------------------------------- */

static inline size_t arena_bytes_of(uint32_t class)
{
	return (size_t)1 << (ARENA_SHIFT_MIN + class);
}

/* Where what is free of the first chunk begins. */
static inline char *arena_first(const struct arena *arena)
{
	return arena->chunks.at[0].start + ARENA_FIRST_ROOM;
}

/* Begins with nothing in use. */
void arena_chunk_none(struct arena *arena);

/* The next chunk, for need bytes at the least, is at hand. False with errno. */
bool arena_chunk_next(struct arena *arena, uint32_t class, size_t need);

/* The class of the next chunk. */
uint32_t arena_chunk_class(const struct arena *arena);

/* A block of its own for need bytes: its first free byte. NULL with errno. */
char *arena_chunk_block(struct arena *arena, size_t need);

/* Goes on at a byte of the used-th chunk, or its first. */
void arena_chunk_back(struct arena *arena, uint32_t used, char *at);

/* Frees all chunks but the first keep, and all blocks but the first. */
void arena_chunk_keep(struct arena *arena, uint32_t keep);
void arena_chunk_drop_blocks(struct arena *arena, uint32_t keep);

/* Frees chunks that are not in use. */
void arena_chunk_trim(struct arena *arena);

/* The class of a cache that is this process's for it, or becomes so; ARENA_CLASSES:
 * it is none of chunks (EINVAL), or can't be opened now (errno says why). row may be
 * NULL. */
uint32_t arena_chunk_class_of(struct arena_home *home, uint32_t cache,
                              const struct layout_cache *row);

/* The cache of a class; NULL: nobody has opened it here. */
slabd_cache *arena_chunk_cache(struct arena_home *home, uint32_t class);

/* Opens the cache of a class. False with errno. */
bool arena_chunk_open(struct arena_home *home, uint32_t class);

/* One from elsewhere is the arena's. False with errno, and it is not. */
bool arena_chunk_add(struct arena *arena, struct arena_vector *vector,
                     struct arena_chunk chunk);

/* The vectors' own memory. */
void arena_chunk_done(struct arena *arena);

#endif
