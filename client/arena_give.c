/* SPDX-License-Identifier: MIT */
/*
 * An arena that passes to another client: its chunks and blocks do, as gifts
 * (give.c), the first one last. Of several slabd is told before, by the protocol of
 * shm/heir.h; so a kill on either side, at any instruction, leaves all of them one
 * owner, and the same.
 */
#include <errno.h>
#include <string.h>

#include "client/arena_live.h"
#include "client/arena_parts.h"
#include "client/checked.h"
#include "client/error.h"
#include "client/give.h"
#include "client/reach.h"
#include "client/turn.h"
#include "shm/atom.h"
#include "shm/heir.h"

/* What is under way. */
struct giving {
	struct arena_parts parts;
	uint64_t receiver; /* its word */
};

static bool is_root(const struct giving *giving)
{
	return (giving->receiver & 0xff) == CLIENT_ROOT;
}

int arena_check_leaves(const struct arena *arena)
{
	if (arena->busy || arena->n_calls > 0)
		return error_set(EBUSY, "an arena with cleanups is not given: "
		                 "what they call is this process's");
	if (arena->children != NULL)
		return error_set(EBUSY, "an arena with children is not given: "
		                 "destroy them");
	return 0;
}

/* ---- one ------------------------------------------------------------------ */

/* Of one chunk the tag alone says whose it is. */
static bool give_one(const struct giving *giving)
{
	const struct arena_parts *parts = &giving->parts;
	uint16_t *tag = arena_parts_tag(parts, 0);
	uint32_t *turn = turn_take(parts->pool, arena_parts_off(parts, 0));
	if (turn == NULL)
		return false;
	arena_parts_leave(parts, 0);
	tags_give_own(tag, slab_gen_of(&parts->pool->view, tag),
	              (uint16_t)parts->pool->user.id,
	              (uint16_t)parts->heir_id);
	turn_end(turn);
	return true;
}

/* ---- several -------------------------------------------------------------- */

/* The first one last. */
static bool give_several(const struct giving *giving)
{
	const struct arena_parts *parts = &giving->parts;
	struct slabd_pool *pool = parts->pool;
	uint64_t heir = heir_make(parts->heir_id, giving->receiver);
	if (!arena_parts_offer(parts, 0))
		return false;
	heir_name_own(&pool->view, pool->user.id, heir, arena_parts_off(parts, 0));
	arena_parts_hand(parts, 0);
	heir_forget_own(&pool->view, pool->user.id);
	return true;
}

/* ---- a receiver that dies meanwhile --------------------------------------- */

/* As of a single gift (give.c). Of what the sweep had already the start is NULL then.
 * How many came back. */
static uint32_t take_back(const struct arena_parts *parts)
{
	const struct view *view = &parts->pool->view;
	uint32_t n = 0;
	for (uint32_t i = 0; i < parts->n; i++) {
		uint16_t *tag = arena_parts_tag(parts, i);
		if (tag != NULL &&
		    tags_ungive_own(tag, slab_gen_of(view, tag),
		                    (uint16_t)parts->pool->user.id,
		                    (uint16_t)parts->heir_id))
			n++;
		else
			arena_parts_chunk(parts, i)->start = NULL;
	}
	return n;
}

/* The id is another client's: what was given lies where it has touched. */
static void touch_again(const struct arena_parts *parts)
{
	const struct view *view = &parts->pool->view;
	for (uint32_t i = 0; i < parts->n; i++)
		view_touch_any(view, parts->heir_id,
		               slab_head_of(view, arena_parts_off(parts, i)));
}

enum given { GIVEN_NOT = -1, GIVEN, GIVEN_TO_THE_DEAD };

static enum given look_again(const struct giving *giving)
{
	const struct arena_parts *parts = &giving->parts;
	uint64_t word = heir_word(&parts->pool->view, parts->heir_id);
	uint32_t back;
	if (word == giving->receiver)
		return GIVEN;
	if (word != 0)
		return touch_again(parts), GIVEN;
	back = take_back(parts);
	if (back < parts->n)
		return GIVEN_TO_THE_DEAD;
	give_no_receiver(parts->pool, parts->heir_id);
	return GIVEN_NOT;
}

/* ---- give ----------------------------------------------------------------- */

/* checked_give_how */
static int give(void *arg)
{
	const struct giving *giving = arg;
	const struct arena_parts *parts = &giving->parts;
	uint32_t *turn;
	bool done;
	int r = GIVEN_NOT;
	if (!arena_parts_check(parts))
		return r;
	arena_parts_write(parts, 0);
	turn = turn_take_parts(parts->pool);
	if (turn == NULL)
		return r;
	done = parts->n == 1 ? give_one(giving) : give_several(giving);
	if (done)
		r = look_again(giving);
	turn_end(turn);
	return r;
}

static void *part_at(void *arg, uint32_t i)
{
	const struct giving *giving = arg;
	return arena_parts_chunk(&giving->parts, i)->start;
}

static int give_seen(struct giving *giving, const void *site)
{
	struct slabd_pool *pool = giving->parts.pool;
	const struct checked_whole whole = {"slabd_arena_give", give, part_at,
	                                    giving, giving->parts.n};
	if (pool->checked == NULL)
		return give(giving);
	return checked_give_whole(pool, &whole, giving->parts.heir_id, site);
}

/* What is the receiver's is no more this arena's; what came back of it goes. */
static void drop(struct arena *arena, enum given given)
{
	if (given == GIVEN)
		arena->chunks.n = arena->blocks.n = 0;
	arena_chunk_drop_blocks(arena, 0);
	arena_chunk_keep(arena, 0);
	arena_home_leave(arena);
}

/* Chunks that a reset kept go back first. */
static bool begin(struct giving *giving)
{
	struct arena_parts *parts = &giving->parts;
	if (!arena_parts_begin(parts))
		return false;
	if (!reach_touched(parts->pool, parts->heir_id))
		return give_no_mapping() == 0;
	return is_root(giving) ||
	       give_has_room(parts->pool, parts->heir_id, parts->arena->bytes);
}

slabd_handle slabd_arena_give(slabd_arena *head, unsigned client_id)
{
	struct arena *arena = arena_of(head);
	struct giving giving = {.parts = {.arena = arena, .heir_id = client_id}};
	struct slabd_pool *pool;
	slabd_handle handle;
	uint64_t bytes;
	int r;
	if (arena == NULL || arena_check_leaves(arena) < 0)
		return SLABD_NO_HANDLE;
	pool = giving.parts.pool = arena->home->pool;
	giving.receiver = heir_word(&pool->view, client_id);
	if (giving.receiver == 0)
		return give_no_receiver(pool, client_id), SLABD_NO_HANDLE;
	if (!begin(&giving))
		return SLABD_NO_HANDLE;
	handle = arena_parts_handle(&giving.parts, 0);
	bytes = arena->bytes;
	r = give_seen(&giving, CHECKED_SITE());
	if (r == GIVEN_NOT) {
		arena_live_begin(arena);
		return SLABD_NO_HANDLE;
	}
	drop(arena, r);
	if (r == GIVEN && !is_root(&giving))
		view_count_gifts(&pool->view, client_id, GIFTS_GIVEN, bytes);
	return handle;
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
