/* SPDX-License-Identifier: MIT */
/* Taking an arena that was given (arena_give.c): what its first bytes say is looked
 * at like anything that another process wrote. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "client/arena_live.h"
#include "client/arena_record.h"
#include "client/error.h"
#include "client/handle.h"
#include "client/tools.h"
#include "shm/atom.h"

uint32_t arena_class_at(struct arena_home *home, uint64_t off)
{
	const struct view *view = &home->pool->view;
	const struct layout_cache *row;
	uint64_t unit = off >> UNIT_SHIFT;
	uint64_t word =
		unit < view->geo.n_units ? atom_load(&view->words[unit]) : 0;
	row = WORD_CACHE(word) != 0 ? view_cache(view, WORD_CACHE(word)) : NULL;
	return arena_chunk_class_of(home, WORD_CACHE(word), row);
}

static int no_arena(int err, const struct slabd_pool *pool)
{
	return error_set(err, "this is no handle of an arena of pool %s",
	                 pool->view.head->name);
}

/* Before it is taken: of a part by itself nothing is, as it belongs to an arena
 * that can be; and the caches of all its chunks are open, so that what follows
 * needs nothing that may be short. */
static bool look_before(struct arena_home *home, slabd_handle handle)
{
	struct slabd_pool *pool = home->pool;
	struct arena_record record;
	const void *start;
	int given = 0;
	if (slabd_owner(pool, handle, &given) != pool->user.id || given == 0)
		return true;
	start = slabd_pointer(pool, handle);
	if (start == NULL)
		return false;
	memcpy(&record, start, sizeof(record));
	if (record.magic == ARENA_PART_MAGIC)
		return no_arena(EINVAL, pool), false;
	for (uint32_t class = 0;
	     record.magic == ARENA_MAGIC && class < home->n_classes; class++)
		if ((record.classes >> class & 1) != 0 &&
		    !arena_chunk_open(home, class))
			return false;
	return true;
}

/* The chunk or block of a handle, which is this client's then. False: it was not to
 * be had. */
static bool take_part(struct arena_home *home, slabd_handle handle,
                      struct arena_chunk *chunk)
{
	chunk->class = arena_class_at(home, handle_off(handle));
	if (chunk->class == ARENA_CLASSES)
		return false;
	chunk->start = slabd_take(home->pool, handle);
	return chunk->start != NULL;
}

/* Adds it to a vector of the arena, or frees it where there is none. False: it is
 * free. */
static bool keep(struct arena *arena, struct arena_vector *vector,
                 struct arena_chunk chunk)
{
	if (vector != NULL && arena_chunk_add(arena, vector, chunk))
		return true;
	slabd_free(arena_chunk_cache(arena->home, chunk.class), chunk.start);
	return false;
}

/* Takes the parts along the chain: 0. ENOMEM: this process has no memory for the
 * books, EBADMSG: it is not as the record says; what could be had is taken all the
 * same, as nobody else would. */
static int take_parts(struct arena *arena, const struct arena_record *record)
{
	uint64_t n = (uint64_t)record->n_chunks + record->n_blocks;
	slabd_handle next = record->next;
	struct arena_chunk chunk;
	uint64_t i = 1;
	int r = record->n_chunks > 0 ? 0 : EBADMSG;
	for (; next != SLABD_NO_HANDLE; i++) {
		struct arena_vector *vector =
			i < record->n_chunks ? &arena->chunks : &arena->blocks;
		struct arena_part part;
		if (!take_part(arena->home, next, &chunk))
			return EBADMSG;
		memcpy(&part, chunk.start, sizeof(part));
		if (part.magic != ARENA_PART_MAGIC || i >= n)
			r = EBADMSG;
		if (!keep(arena, r == 0 ? vector : NULL, chunk) && r == 0)
			r = ENOMEM;
		next = part.magic == ARENA_PART_MAGIC ? part.next
		                                      : SLABD_NO_HANDLE;
	}
	return r == 0 && i != n ? EBADMSG : r;
}

bool arena_go_on(struct arena *arena, const struct arena_record *record)
{
	const struct arena_chunk *last =
		&arena->chunks.at[arena->chunks.n - 1];
	uint64_t least = arena->chunks.n == 1 ? ARENA_FIRST_ROOM : ARENA_ROOM;
	if (record->used < least ||
	    record->used > arena_bytes_of(last->class) ||
	    record->used % SLABD_ARENA_ALIGN != 0)
		return false;
	memcpy(arena->name, record->name, sizeof(arena->name) - 1);
	for (char *at = arena->name; *at != '\0'; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	arena_chunk_back(arena, arena->chunks.n, last->start + record->used);
	return true;
}

static void drop(struct arena *arena)
{
	arena_chunk_drop_blocks(arena, 0);
	arena_chunk_keep(arena, 0);
}

slabd_arena *arena_broken(struct arena *arena)
{
	struct slabd_pool *pool = arena->home->pool;
	drop(arena);
	return no_arena(EBADMSG, pool), NULL;
}

/* Fills an arena that has nothing with a chunk of this client's and what follows it;
 * what is no arena's inside is free again, as it is this client's by now. The record
 * is copied once, as another process may still write there. */
static slabd_arena *fill(struct arena *arena, struct arena_chunk chunk)
{
	struct arena_record record;
	int err = EBADMSG;
	memcpy(&record, chunk.start, sizeof(record));
	if (!keep(arena, &arena->chunks, chunk))
		return NULL;
	if (record.magic == ARENA_MAGIC)
		err = take_parts(arena, &record);
	if (err == ENOMEM) {
		drop(arena);
		return error_set(ENOMEM, "no memory for an arena's books"), NULL;
	}
	if (err != 0 || !arena_go_on(arena, &record))
		return arena_broken(arena);
	arena_live_begin(arena);
	return &arena->head->at;
}

slabd_arena *slabd_arena_take(slabd_pool *pool, slabd_handle handle)
{
	struct arena_home *home;
	struct arena_chunk chunk;
	struct arena *arena;
	slabd_arena *got = NULL;
	uint32_t class;
	if (pool == NULL)
		return error_set(EINVAL, "an arena of no pool"), NULL;
	home = pool_alive(pool) ? arena_home_of(pool) : NULL;
	if (home == NULL)
		return NULL;
	class = arena_class_at(home, handle_off(handle));
	if (class == ARENA_CLASSES && errno == EINVAL)
		return no_arena(EINVAL, pool), NULL;
	if (class == ARENA_CLASSES)
		return NULL;
	arena = arena_chunk_open(home, class) && look_before(home, handle)
	                ? arena_home_enter(home, NULL)
	                : NULL;
	if (arena == NULL)
		return NULL;
	arena_start(arena);
	if (take_part(home, handle, &chunk))
		got = fill(arena, chunk);
	if (got == NULL)
		arena_home_leave(arena);
	return got;
}

void *slabd_arena_first(slabd_arena *head)
{
	const struct arena *arena = arena_of(head);
	if (arena == NULL)
		return NULL;
	return arena->chunks.n > 0 ? arena_first(arena) : NULL;
}
