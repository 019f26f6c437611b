/* SPDX-License-Identifier: MIT */
/*
 * An arena that passes to another client: its one chunk does, as a gift like any
 * (give.c), so that a kill on either side, at any instruction, leaves it one owner.
 * What the receiver has to know stands in the chunk's first bytes, and is looked at
 * like anything that another process wrote.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "client/arena.h"
#include "client/error.h"
#include "client/handle.h"
#include "client/tools.h"
#include "shm/atom.h"

#define MAGIC UINT64_C(0x314e455241424c53) /* "SLBAREN1" */

/* At the start of a chunk that is given. */
struct record {
	uint64_t magic;
	uint64_t used; /* bytes from the chunk's start on */
	char name[NAME_BYTES];
};
_Static_assert(sizeof(struct record) <= ARENA_FIRST_ROOM, "room");

/* ---- give ----------------------------------------------------------------- */

static int check(const struct arena *arena)
{
	if (arena->busy || arena->n_calls > 0)
		return error_set(EBUSY, "an arena with cleanups is not given: "
		                 "what they call is this process's");
	if (arena->children != NULL)
		return error_set(EBUSY, "an arena with children is not given: "
		                 "destroy them");
	if (arena->used > 1 || arena->blocks.n > 0)
		return error_set(E2BIG, "an arena of %u chunks and %u large "
		                 "blocks is not given: slabd_arena_reserve "
		                 "makes room in one", arena->used,
		                 arena->blocks.n);
	return 0;
}

static void write_record(const struct arena *arena)
{
	struct record *record = (struct record *)(void *)arena->chunks.at[0].start;
	*record = (struct record){
		.magic = MAGIC,
		.used = (uint64_t)(arena->head->at.at_ -
	                           arena->chunks.at[0].start)};
	memcpy(record->name, arena->name, sizeof(record->name));
}

/* Chunks that a reset kept go back first: then there is one, which is no more
 * this process's once it is given. */
slabd_handle slabd_arena_give(slabd_arena *head, unsigned client_id)
{
	struct arena *arena = arena_of(head);
	struct slabd_pool *pool;
	slabd_handle handle;
	char *start;
	if (arena == NULL || check(arena) < 0)
		return SLABD_NO_HANDLE;
	if (arena->used == 0 &&
	    !arena_chunk_next(arena, arena_chunk_class(arena), 0))
		return SLABD_NO_HANDLE;
	pool = arena->home->pool;
	start = arena->chunks.at[0].start;
	arena_chunk_trim(arena);
	write_record(arena);
	handle = slabd_handle_of(pool, start);
	if (handle == SLABD_NO_HANDLE || slabd_give(pool, start, client_id) < 0)
		return SLABD_NO_HANDLE;
	arena->chunks.n = 0;
	arena_home_leave(arena);
	return handle;
}

/* ---- take ----------------------------------------------------------------- */

/* The class of the chunk at an offset; ARENA_CLASSES: there is none, or it is of
 * another cache. */
static uint32_t class_at(struct arena_home *home, uint64_t off)
{
	const struct view *view = &home->pool->view;
	const struct layout_cache *row;
	uint64_t unit = off >> UNIT_SHIFT;
	uint64_t word =
		unit < view->geo.n_units ? atom_load(&view->words[unit]) : 0;
	row = WORD_CACHE(word) != 0 ? view_cache(view, WORD_CACHE(word)) : NULL;
	return row != NULL ? arena_chunk_class_of(home, WORD_CACHE(word), row)
	                   : ARENA_CLASSES;
}

static int no_arena(int err, const struct slabd_pool *pool)
{
	return error_set(err, "this is no handle of an arena of pool %s",
	                 pool->view.head->name);
}

/* Copied once, as another process may still write there. */
static bool read_record(struct arena *arena)
{
	const struct arena_chunk *chunk = &arena->chunks.at[0];
	struct record record;
	memcpy(&record, chunk->start, sizeof(record));
	if (record.magic != MAGIC || record.used < ARENA_FIRST_ROOM ||
	    record.used > arena_bytes_of(chunk->class) ||
	    record.used % SLABD_ARENA_ALIGN != 0)
		return false;
	memcpy(arena->name, record.name, sizeof(arena->name) - 1);
	for (char *at = arena->name; *at != '\0'; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	arena_chunk_back(arena, 1, chunk->start + record.used);
	return true;
}

/* Takes the chunk into an arena that has none. What is no arena's inside is free
 * again, as it is this client's by now. */
static bool fill(struct arena *arena, uint32_t class, slabd_handle handle)
{
	struct slabd_pool *pool = arena->home->pool;
	struct arena_chunk chunk = {slabd_take(pool, handle), class};
	if (chunk.start == NULL)
		return false;
	arena_chunk_adopt(arena, chunk);
	if (read_record(arena))
		return true;
	arena_chunk_keep(arena, 0);
	no_arena(EBADMSG, pool);
	return false;
}

slabd_arena *slabd_arena_take(slabd_pool *pool, slabd_handle handle)
{
	struct arena_home *home;
	struct arena *arena;
	uint32_t class;
	if (pool == NULL)
		return error_set(EINVAL, "an arena of no pool"), NULL;
	home = pool_alive(pool) ? arena_home_of(pool) : NULL;
	if (home == NULL)
		return NULL;
	class = class_at(home, handle_off(handle));
	if (class == ARENA_CLASSES)
		return no_arena(EINVAL, pool), NULL;
	arena = arena_chunk_open(home, class) ? arena_home_enter(home, NULL)
	                                      : NULL;
	if (arena == NULL)
		return NULL;
	arena_start(arena);
	if (fill(arena, class, handle))
		return &arena->head->at;
	arena_home_leave(arena);
	return NULL;
}

void *slabd_arena_first(slabd_arena *head)
{
	const struct arena *arena = arena_of(head);
	if (arena == NULL)
		return NULL;
	return arena->chunks.n > 0 ? arena_first(arena) : NULL;
}

/* ---- room in one chunk ---------------------------------------------------- */

int slabd_arena_reserve(slabd_arena *head, size_t bytes)
{
	struct arena *arena = arena_of(head);
	uint32_t class = 0;
	if (arena == NULL)
		return -1;
	if (arena->used > 1 || arena->blocks.n > 0 ||
	    (arena->used == 1 && head->at_ != arena_first(arena)))
		return error_set(EBUSY, "slabd_arena_reserve of an arena that "
		                        "is in use");
	if (bytes > arena_bytes_of(arena->home->n_classes - 1) -
	                    ARENA_FIRST_ROOM)
		return error_set(EINVAL, "%zu bytes of an arena in one chunk: "
		                 "the most is %zu", bytes,
		                 arena_bytes_of(arena->home->n_classes - 1) -
		                         ARENA_FIRST_ROOM);
	while (arena_bytes_of(class) < bytes + ARENA_FIRST_ROOM)
		class++;
	if (arena->chunks.n > 0 && arena->chunks.at[0].class >= class)
		return 0;
	arena_chunk_keep(arena, 0);
	return arena_chunk_next(arena, class, bytes) ? 0 : -1;
}
