/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of its coming and going, of what it
 * asks slabd for, and of a hand-over.
 *
 *   step_pool [--all]
 */
#include <stdio.h>

#include "client/handle.h"
#include "shm/tags.h"
#include "tests/lib/kill.h"

#define CAP 32u
#define NAMES 16u /* caches that are made by the way */

static struct traced_pool traced;
static uint32_t common;
static unsigned n_given;
static unsigned n_kept;

static void open_common(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
}

/* ---- coming and going --------------------------------------------------- */

static void nothing(struct kill_victim *v)
{
	(void)v;
}

/* With its helper thread, as programs have it. */
static void open_pool(struct kill_victim *v)
{
	struct slabd_options options = fixture_options(&v->traced->fixture, 0);
	v->pool = slabd_open(NULL, &options);
}

/* Objects in hand, in a magazine and in the depot. */
static void open_and_work(struct kill_victim *v)
{
	kill_open(v, true, CAP / 4);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
	kill_take(v, 60);
	kill_drop(v, 40);
}

static void close_pool(struct kill_victim *v)
{
	slabd_close(v->pool);
}

/* ---- caches ------------------------------------------------------------- */

static void create_known(struct kill_victim *v)
{
	v->other = slabd_cache_create(v->pool, "known", 200, 0, 0);
}

/* New to the pool for the first few. */
static void create_new(struct kill_victim *v)
{
	char name[16];
	snprintf(name, sizeof(name), "new-%u", v->board->turn % NAMES);
	v->other = slabd_cache_create(v->pool, name, 200, 0, 0);
}

static void close_cache(struct kill_victim *v)
{
	slabd_cache_close(v->cache);
}

/* ---- hand-over ---------------------------------------------------------- */

static void open_and_take(struct kill_victim *v)
{
	open_common(v);
	kill_take(v, 5);
	v->board->handle = slabd_handle_of(v->pool, v->objects[4]);
}

static void give(struct kill_victim *v)
{
	slabd_give(v->pool, v->objects[4], v->traced->user.id);
}

/* Either it came back, and may be another's by now, or it is the warden's. */
static void see_gift(struct traced_pool *w, struct kill_board *board)
{
	uint16_t *tag = slab_tag_of(&w->view, handle_off(board->handle));
	if (!tags_take_own(tag, slab_gen_of(&w->view, tag),
	                   (uint16_t)w->user.id,
	                   handle_object(board->handle))) {
		n_kept++;
		return;
	}
	n_given++;
	traced_pool_release_one(w, handle_off(board->handle));
}

/* The warden gives the victim an object. */
static void give_it(struct traced_pool *w, struct kill_board *board)
{
	uint64_t off;
	uint16_t *tag;
	uint16_t *gen;
	if (traced_pool_claim(w, common, 0, 1) != 1)
		tap_bail("no object for the victim");
	off = w->held[--w->n_held];
	tag = slab_tag_of(&w->view, off);
	gen = slab_gen_of(&w->view, tag);
	board->handle = handle_make(off, atom_load(gen));
	view_touch_any(&w->view, board->id, (uint32_t)(off >> UNIT_SHIFT));
	tags_give_own(tag, gen, (uint16_t)w->user.id, (uint16_t)board->id);
}

static void take(struct kill_victim *v)
{
	v->objects[0] = slabd_take(v->pool, v->board->handle);
}

int main(int argc, char **argv)
{
	static const struct kill_op ops[] = {
		{.name = "slabd_open",
		 .prepare = nothing,
		 .act = open_pool,
		 .opens = true,
		 .libs = true},
		{.name = "slabd_close",
		 .prepare = open_and_work,
		 .act = close_pool,
		 .leaves = true,
		 .libs = true},
		{.name = "slabd_cache_create",
		 .prepare = open_common,
		 .act = create_known,
		 .libs = true},
		{.name = "slabd_cache_create, new caches",
		 .prepare = open_common,
		 .act = create_new,
		 .libs = true},
		{.name = "slabd_cache_close",
		 .prepare = open_and_work,
		 .act = close_cache},
		{.name = "slabd_give",
		 .prepare = open_and_take,
		 .act = give,
		 .after = see_gift},
		{.name = "slabd_take",
		 .prepare = open_common,
		 .act = take,
		 .before = give_it},
	};
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 8);
	common = traced_pool_cache(&traced, TRACED_POOL_COMMON,
	                           TRACED_POOL_SIZE, 0, 0);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	tap_ok(n_given > 0 && n_kept > 0,
	       "of the gifts %u came to pass and %u did not", n_given, n_kept);
	traced_pool_close(&traced);
	return tap_end();
}
