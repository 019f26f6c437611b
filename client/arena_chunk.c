/* SPDX-License-Identifier: MIT */
/* What an arena's bytes lie in: objects of the pool's caches for chunks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/arena_live.h"
#include "client/error.h"
#include "client/tools.h"
#include "shm/atom.h"

/* ---- caches --------------------------------------------------------------- */

static void name_class(uint32_t class, char name[NAME_BYTES])
{
	static const char units[] = "kmg";
	uint32_t shift = ARENA_SHIFT_MIN + class - 10;
	snprintf(name, NAME_BYTES, "arena-%u%c", 1u << shift % 10,
	         units[shift / 10]);
}

slabd_cache *arena_chunk_cache(struct arena_home *home, uint32_t class)
{
	/* pairs: open_class, in another thread. */
	return atom_load_acquire(&home->caches[class]);
}

/* Opened once; of two threads that do one has it, and the other's counts twice
 * until the pool closes. NULL with errno. */
static slabd_cache *open_class(struct arena_home *home, uint32_t class)
{
	slabd_cache *cache = arena_chunk_cache(home, class);
	slabd_cache *first = NULL;
	char name[NAME_BYTES];
	if (cache != NULL)
		return cache;
	name_class(class, name);
	cache = slabd_cache_create(home->pool, name, arena_bytes_of(class), 0,
	                           SLABD_CACHE_BESIDE);
	if (cache == NULL)
		return NULL;
	/* pairs: arena_chunk_cache, in another thread. */
	atom_publish(&home->caches[class], &first, cache);
	return cache;
}

static bool get(struct arena_home *home, uint32_t class,
                struct arena_chunk *chunk)
{
	slabd_cache *cache = open_class(home, class);
	chunk->class = class;
	chunk->start = cache != NULL ? slabd_alloc(cache) : NULL;
	return chunk->start != NULL;
}

static void put(struct arena *arena, const struct arena_chunk *chunk)
{
	if (chunk->start != NULL) {
		arena_live_end(chunk->start);
		slabd_free(arena_chunk_cache(arena->home, chunk->class),
		           chunk->start);
	}
	arena->bytes -= arena_bytes_of(chunk->class);
}

bool arena_chunk_open(struct arena_home *home, uint32_t class)
{
	return open_class(home, class) != NULL;
}

static uint32_t no_class(void)
{
	errno = EINVAL;
	return ARENA_CLASSES;
}

/* By its name and size; then by its id, once the class is open here. */
uint32_t arena_chunk_class_of(struct arena_home *home, uint32_t cache,
                              const struct layout_cache *row)
{
	slabd_cache *own;
	char name[NAME_BYTES];
	uint32_t class = 0;
	if (row == NULL)
		return no_class();
	while (class < home->n_classes && arena_bytes_of(class) != row->size)
		class++;
	if (class == home->n_classes)
		return no_class();
	name_class(class, name);
	if (strncmp(row->name, name, sizeof(name)) != 0)
		return no_class();
	own = open_class(home, class);
	if (own == NULL)
		return ARENA_CLASSES;
	return cache_of(own)->id == cache ? class : no_class();
}

/* ---- vectors -------------------------------------------------------------- */

/* Room for one more. False with errno. */
static bool has_room(struct arena_vector *vector)
{
	uint32_t room = vector->room * 2;
	struct arena_chunk *at;
	if (vector->room == 0) {
		vector->at = vector->few;
		vector->room = ARENA_FEW;
	}
	if (vector->n < vector->room)
		return true;
	at = realloc(vector->at == vector->few ? NULL : vector->at,
	             room * sizeof(*at));
	if (at == NULL) {
		error_set(ENOMEM, "no memory for an arena's books");
		return false;
	}
	if (vector->at == vector->few)
		memcpy(at, vector->few, sizeof(vector->few));
	vector->at = at;
	vector->room = room;
	return true;
}

static void push(struct arena *arena, struct arena_vector *vector,
                 struct arena_chunk chunk)
{
	vector->at[vector->n++] = chunk;
	arena->bytes += arena_bytes_of(chunk.class);
}

static void drop_from(struct arena *arena, struct arena_vector *vector,
                      uint32_t keep)
{
	while (vector->n > keep)
		put(arena, &vector->at[--vector->n]);
}

void arena_chunk_done(struct arena *arena)
{
	if (arena->chunks.at != arena->chunks.few)
		free(arena->chunks.at);
	if (arena->blocks.at != arena->blocks.few)
		free(arena->blocks.at);
}

/* ---- chunks --------------------------------------------------------------- */

/* What is free of a chunk by its place in the vector. */
static char *start_of(const struct arena *arena, uint32_t ix)
{
	return ix == 0 ? arena_first(arena)
	               : arena->chunks.at[ix].start + ARENA_ROOM;
}

void arena_chunk_none(struct arena *arena)
{
	arena->used = 0;
	arena->head->at = (struct slabd_arena){(char *)SLABD_ARENA_ALIGN, NULL};
}

void arena_chunk_back(struct arena *arena, uint32_t used, char *at)
{
	const struct arena_chunk *chunk;
	if (used == 0 && arena->chunks.n == 0) {
		arena_chunk_none(arena);
		return;
	}
	if (used == 0) {
		used = 1;
		at = NULL;
	}
	chunk = &arena->chunks.at[used - 1];
	arena->used = used;
	arena->head->first = arena_first(arena);
	arena->peak = arena->peak > used ? arena->peak : used;
	arena->head->at.at_ = at != NULL ? at : start_of(arena, used - 1);
	arena->head->at.end_ = chunk->start + arena_bytes_of(chunk->class);
}

uint32_t arena_chunk_class(const struct arena *arena)
{
	const struct arena_vector *chunks = &arena->chunks;
	uint32_t most = ARENA_SHIFT_MAX - ARENA_SHIFT_MIN;
	uint32_t class;
	if (arena->used < chunks->n)
		return chunks->at[arena->used].class;
	if (chunks->n == 0)
		return ARENA_FIRST;
	class = chunks->at[chunks->n - 1].class + 1;
	return class < most ? class : most;
}

/* slabd was waited for as long as a call waits, in vain. */
static bool is_silent(void)
{
	return errno == ETIMEDOUT || errno == ENOTCONN;
}

/* The next smaller class with room; ARENA_CLASSES: none. Where slabd does not answer,
 * one that it is not asked for. */
static uint32_t smaller(struct arena_home *home, uint32_t class, size_t need,
                        bool silent)
{
	while (class-- > 0 && arena_bytes_of(class) >= need + ARENA_FIRST_ROOM)
		if (!silent || arena_chunk_cache(home, class) != NULL)
			return class;
	return ARENA_CLASSES;
}

/* Where there is none of that size, a smaller one does. */
bool arena_chunk_next(struct arena *arena, uint32_t class, size_t need)
{
	struct arena_chunk chunk = {NULL, 0};
	bool silent = false;
	if (arena->used < arena->chunks.n) {
		arena_chunk_back(arena, arena->used + 1, NULL);
		return true;
	}
	if (!has_room(&arena->chunks))
		return false;
	while (!get(arena->home, class, &chunk)) {
		silent = silent || is_silent();
		class = smaller(arena->home, class, need, silent);
		if (class == ARENA_CLASSES)
			return false;
	}
	push(arena, &arena->chunks, chunk);
	if (arena->chunks.n == 1)
		arena_live_begin(arena);
	else
		arena_live_grown(arena, chunk.start);
	arena_chunk_back(arena, arena->chunks.n, NULL);
	return true;
}

char *arena_chunk_block(struct arena *arena, size_t need)
{
	struct arena_chunk chunk;
	uint32_t class = 0;
	/* What it says of itself stands in its first chunk. */
	if (arena->chunks.n == 0 && !arena_chunk_next(arena, 0, 0) &&
	    is_silent())
		return NULL;
	while (arena_bytes_of(class) < need + ARENA_ROOM)
		class++;
	if (!has_room(&arena->blocks) || !get(arena->home, class, &chunk))
		return NULL;
	push(arena, &arena->blocks, chunk);
	arena_live_grown(arena, chunk.start);
	return chunk.start + ARENA_ROOM;
}

void arena_chunk_keep(struct arena *arena, uint32_t keep)
{
	drop_from(arena, &arena->chunks, keep);
	arena_chunk_back(arena, 0, NULL);
}

void arena_chunk_trim(struct arena *arena)
{
	drop_from(arena, &arena->chunks, arena->used);
}

bool arena_chunk_add(struct arena *arena, struct arena_vector *vector,
                     struct arena_chunk chunk)
{
	if (!has_room(vector))
		return false;
	push(arena, vector, chunk);
	return true;
}

void arena_chunk_drop_blocks(struct arena *arena, uint32_t keep)
{
	drop_from(arena, &arena->blocks, keep);
}
