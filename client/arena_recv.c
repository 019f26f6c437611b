/* SPDX-License-Identifier: MIT */
/*
 * Receiving an arena from a channel (arena_send.c). Its first bytes say what it is
 * (arena_record.h), and are looked at like anything that another process wrote. Of
 * several chunks the others are taken while the entry is begun, and the first one
 * last, by the protocol of shm/heir.h.
 */
#include <errno.h>
#include <string.h>

#include "client/arena_live.h"
#include "client/arena_parts.h"
#include "client/channel.h"
#include "client/checked.h"
#include "client/error.h"
#include "client/give.h"
#include "client/handle.h"
#include "client/reach.h"
#include "client/recv.h"
#include "client/tools.h"
#include "client/turn.h"
#include "shm/atom.h"
#include "shm/heir.h"

struct receiving {
	struct arena_parts parts; /* those that were taken so far, the first one too */
	struct slabd_channel *channel;
	struct arena_record record;
	uint32_t *turn; /* NULL: there is one chunk, or none */
	bool broken;
};

/* ---- parts ---------------------------------------------------------------- */

/* The others are the channel's again, and of the first one nothing is known. */
static void put_back(struct receiving *receiving)
{
	struct arena_parts *parts = &receiving->parts;
	struct arena *arena = parts->arena;
	int saved = errno;
	if (receiving->turn != NULL) {
		arena_parts_hand(parts, 1);
		heir_forget_own(&parts->pool->view, parts->pool->user.id);
		turn_end(receiving->turn);
		receiving->turn = NULL;
	}
	arena->chunks.n = arena->blocks.n = 0;
	arena->bytes = 0;
	parts->n = 0;
	errno = saved;
}

/* The others are this client's for good. */
static void keep(const struct receiving *receiving, const void *site)
{
	const struct arena_parts *parts = &receiving->parts;
	struct slabd_pool *pool = parts->pool;
	arena_parts_withdraw(parts, 1, parts->n);
	heir_forget_own(&pool->view, pool->user.id);
	turn_end(receiving->turn);
	for (uint32_t i = 1; pool->checked != NULL && i < parts->n; i++)
		checked_note_recv(pool, arena_parts_chunk(parts, i)->start, 0, 1, site);
}

/* Whether the part of a handle is the channel's, and whole; its class, or
 * ARENA_CLASSES. */
static uint32_t find_part(const struct receiving *receiving, slabd_handle handle,
                          struct slab_place *place)
{
	const struct arena_parts *parts = &receiving->parts;
	const struct view *view = &parts->pool->view;
	uint64_t off = handle_off(handle);
	if (off >= parts->pool->data_bytes || slab_locate(view, off, place) < 0 ||
	    !heir_is_part(place->tag, slab_gen_of(view, place->tag),
	                  (uint16_t)parts->heir_id, handle_object(handle)))
		return ARENA_CLASSES;
	return arena_class_at(parts->arena->home, off);
}

enum took { TOOK, TOOK_BROKEN, TOOK_SHORT };

/* One more, and what follows it. TOOK_SHORT with errno. */
static enum took take_part(struct receiving *receiving, slabd_handle *next)
{
	struct arena_parts *parts = &receiving->parts;
	struct slabd_pool *pool = parts->pool;
	struct arena *arena = parts->arena;
	struct slab_place place;
	uint32_t class = find_part(receiving, *next, &place);
	struct arena_chunk chunk = {pool->user.data + handle_off(*next), class};
	struct arena_vector *vector = parts->n < receiving->record.n_chunks
	                                      ? &arena->chunks
	                                      : &arena->blocks;
	struct arena_part part;
	if (class == ARENA_CLASSES)
		return TOOK_BROKEN;
	if (!reach_offset(pool, handle_off(*next)))
		return give_no_mapping(), TOOK_SHORT;
	if (!arena_chunk_add(arena, vector, chunk))
		return TOOK_SHORT;
	view_touch_any(&pool->view, pool->user.id, place.head);
	if (!heir_take_own(place.tag, (uint16_t)parts->heir_id,
	                   (uint16_t)pool->user.id)) {
		/* Nothing to be freed with the rest. */
		vector->at[vector->n - 1].start = NULL;
		return TOOK_BROKEN;
	}
	parts->n++;
	if (atom_load(&tools_on))
		tools_look(chunk.start, arena_bytes_of(class));
	memcpy(&part, chunk.start, sizeof(part));
	*next = part.next;
	return part.magic == ARENA_PART_MAGIC ? TOOK : TOOK_BROKEN;
}

/* Along the chain. False with errno, and none is taken. */
static bool take_parts(struct receiving *receiving)
{
	const struct arena_record *record = &receiving->record;
	uint64_t n = (uint64_t)record->n_chunks + record->n_blocks;
	slabd_handle next = record->next;
	enum took took = record->n_chunks > 0 ? TOOK : TOOK_BROKEN;
	while (next != SLABD_NO_HANDLE && took == TOOK)
		took = receiving->parts.n < n ? take_part(receiving, &next)
		                              : TOOK_BROKEN;
	receiving->broken = took != TOOK || receiving->parts.n != n;
	return took != TOOK_SHORT;
}

/* The caches of all its chunks are open, so that what follows needs nothing that may
 * be short. */
static bool open_all(struct arena_home *home, const struct arena_record *record)
{
	for (uint32_t class = 0; class < home->n_classes; class++)
		if ((record->classes >> class & 1) != 0 &&
		    !arena_chunk_open(home, class))
			return false;
	return true;
}

/* ---- an entry ------------------------------------------------------------- */

static bool begin_parts(struct receiving *receiving, uint64_t off)
{
	struct arena_parts *parts = &receiving->parts;
	const struct view *view = &parts->pool->view;
	uint64_t heir = heir_make(parts->heir_id,
	                          heir_channel_word(view, parts->heir_id));
	if (!open_all(parts->arena->home, &receiving->record))
		return false;
	receiving->turn = turn_take_parts(parts->pool);
	if (receiving->turn == NULL)
		return false;
	heir_name_own(view, parts->pool->user.id, heir | HEIR_TAKES, off);
	return take_parts(receiving);
}

static bool begin_entry(struct receiving *receiving, uint64_t off,
                        struct arena_chunk chunk)
{
	struct arena_parts *parts = &receiving->parts;
	struct arena *arena = parts->arena;
	if (!arena_chunk_open(arena->home, chunk.class) ||
	    !arena_chunk_add(arena, &arena->chunks, chunk))
		return false;
	parts->n = 1;
	receiving->broken = false;
	return receiving->record.next == SLABD_NO_HANDLE ||
	       begin_parts(receiving, off);
}

/* recv_one's: whether a channel's object is an arena's chunk. */
static bool is_arena(void *arg, uint64_t off, const void *object)
{
	struct receiving *receiving = arg;
	struct arena_home *home = receiving->parts.arena->home;
	struct arena_chunk chunk = {home->pool->user.data + off,
	                            arena_class_at(home, off)};
	/* Of an entry before, whose first chunk somebody else has. */
	put_back(receiving);
	receiving->record.magic = 0;
	/* slabd is not there to open the class, or the like. */
	if (chunk.class == ARENA_CLASSES && errno != EINVAL)
		return false;
	if (chunk.class != ARENA_CLASSES && atom_load(&tools_on))
		tools_look(object, arena_bytes_of(chunk.class));
	if (chunk.class != ARENA_CLASSES)
		memcpy(&receiving->record, object, sizeof(receiving->record));
	if (receiving->record.magic != ARENA_MAGIC)
		return error_set(EINVAL, "the next entry of the channel is no "
		                 "arena: slabd_recv has it") == 0;
	if (begin_entry(receiving, off, chunk))
		return true;
	put_back(receiving);
	return false;
}

static slabd_arena *receive(struct receiving *receiving, void **root,
                            const void *site)
{
	struct arena_parts *parts = &receiving->parts;
	struct arena *arena = parts->arena;
	const struct arena_record *record = &receiving->record;
	char *first = recv_one(receiving->channel, is_arena, receiving);
	uint64_t n = (uint64_t)record->n_chunks + record->n_blocks;
	if (first == NULL) {
		put_back(receiving);
		return NULL;
	}
	if (receiving->turn != NULL)
		keep(receiving, site);
	if (receiving->broken || n != parts->n || !arena_go_on(arena, record))
		return arena_broken(arena);
	arena_live_begin(arena);
	if (root != NULL && (record->root == 0 ||
	                     record->root >= arena_bytes_of(
	                                             arena->chunks.at[0].class)))
		*root = NULL;
	else if (root != NULL)
		*root = first + record->root;
	return &arena->head->at;
}

slabd_arena *slabd_recv_arena(slabd_channel *channel, void **root)
{
	const void *site = CHECKED_SITE();
	struct receiving receiving = {.channel = channel};
	struct arena_home *home;
	struct arena *arena;
	slabd_arena *got;
	if (!channel_usable(channel))
		return NULL;
	home = arena_home_of(channel->pool);
	arena = home != NULL ? arena_home_enter(home, NULL) : NULL;
	if (arena == NULL)
		return NULL;
	arena_start(arena);
	receiving.parts = (struct arena_parts){.arena = arena,
	                                 .pool = channel->pool,
	                                 .heir_id = channel->ring.owner};
	got = receive(&receiving, root, site);
	if (got == NULL)
		arena_home_leave(arena);
	return got;
}
