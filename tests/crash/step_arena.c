/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of an arena's life, and of one that changes
 * hands, of one chunk and of several, from either side.
 *
 *   step_arena [--all]
 *
 * Of an arena that was being given, once the giver was swept: all of it is the
 * warden's, by gifts, or none of it is.
 */
#include <stdio.h>

#include "client/arena.h"
#include "client/handle.h"
#include "shm/tags.h"
#include "tests/lib/kill.h"

#define CAP 32u
#define CHUNKS 3u
#define BLOCKS 2u

static struct traced_pool traced;
static unsigned n_given;
static unsigned n_kept;
static unsigned n_broken;

/* Warm: the caches of its chunks are open. */
static slabd_arena *arena;

static void open_arena(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
	arena = slabd_arena_create(v->pool, NULL, "victim's");
	if (slabd_arena_alloc(arena, 96, 0) == NULL)
		tap_bail("the victim has no arena");
}

/* As many chunks and blocks as said above. */
static void open_large(struct kill_victim *v)
{
	struct slabd_arena_stats stats;
	open_arena(v);
	for (unsigned i = 0; i < 4; i++)
		slabd_arena_alloc(arena, 7000, 0);
	slabd_arena_alloc(arena, 50000, 0);
	slabd_arena_alloc(arena, 100000, 0);
	slabd_arena_get_stats(arena, &stats);
	if (stats.chunks != CHUNKS || stats.blocks != BLOCKS)
		tap_bail("%llu chunks, %llu blocks",
		         (unsigned long long)stats.chunks,
		         (unsigned long long)stats.blocks);
}

static void use(struct kill_victim *v)
{
	for (unsigned i = 0; i < 200; i++)
		slabd_arena_alloc(arena, 96, 0);
	slabd_arena_alloc(arena, 100000, 0);
	slabd_arena_reset(arena);
	slabd_arena_destroy(arena);
	(void)v;
}

static void give(struct kill_victim *v)
{
	slabd_arena_give(arena, v->traced->user.id);
}

/* ---- what the warden has ------------------------------------------------- */

/* Takes the gifts of a slab; how many. */
static unsigned take_gifts(struct traced_pool *w, uint32_t head)
{
	const struct view *view = &w->view;
	uint64_t word = atom_load(&view->words[head]);
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	uint16_t *tags;
	unsigned n = 0;
	if (row == NULL || WORD_BACK(word) != 0)
		return 0;
	tags = slab_tags(view, head);
	for (uint32_t i = 0; i < row->n_objs; i++) {
		uint16_t *gen = slab_gen_of(view, &tags[i]);
		if (!tags_take_own(&tags[i], gen, (uint16_t)w->user.id,
		                   GEN_OBJECT(atom_load(gen))))
			continue;
		traced_pool_release_one(w, ((uint64_t)head << UNIT_SHIFT) +
		                                   slab_colour(row, head) +
		                                   (uint64_t)i * row->stride);
		n++;
	}
	return n;
}

static void see(struct traced_pool *w, unsigned whole)
{
	unsigned n = 0;
	for (uint32_t unit = 0; unit < w->view.geo.n_units; unit++)
		n += take_gifts(w, unit);
	n_given += n == whole;
	n_kept += n == 0;
	n_broken += n != 0 && n != whole;
}

static void see_one(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	see(w, 1);
}

static void see_several(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	see(w, CHUNKS + BLOCKS);
}

/* ---- the victim takes ----------------------------------------------------- */

/* It was given to itself, for it to be taken. */
static void give_itself(struct kill_victim *v)
{
	v->board->handle = slabd_arena_give(arena, slabd_client_id(v->pool));
	if (v->board->handle == SLABD_NO_HANDLE)
		tap_bail("the victim has no gift");
}

static void open_given(struct kill_victim *v)
{
	open_arena(v);
	give_itself(v);
}

static void open_large_given(struct kill_victim *v)
{
	open_large(v);
	give_itself(v);
}

static void take(struct kill_victim *v)
{
	slabd_arena_take(v->pool, v->board->handle);
}

int main(int argc, char **argv)
{
	static const struct kill_op ops[] = {
		{.name = "an arena's life",
		 .prepare = open_arena,
		 .act = use},
		{.name = "slabd_arena_give",
		 .prepare = open_arena,
		 .act = give,
		 .after = see_one},
		{.name = "slabd_arena_take",
		 .prepare = open_given,
		 .act = take},
		{.name = "slabd_arena_give, chunks and blocks",
		 .prepare = open_large,
		 .act = give,
		 .after = see_several},
		{.name = "slabd_arena_take, chunks and blocks",
		 .prepare = open_large_given,
		 .act = take},
	};
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 8);
	traced_pool_cache(&traced, TRACED_POOL_COMMON, TRACED_POOL_SIZE, 0, 0);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	tap_ok(n_broken == 0 && n_given > 0 && n_kept > 0,
	       "of the arenas %u were given, %u were not, %u were in part",
	       n_given, n_kept, n_broken);
	traced_pool_close(&traced);
	return tap_end();
}
