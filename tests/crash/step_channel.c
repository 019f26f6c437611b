/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of a send, a receive and both of its steps, as
 * it sends on from channel to channel, and of an arena that is sent and received, of one chunk and of several.
 * After each death what the channel has is received by another: of what the dead had
 * each object is the channel's, and comes, or was the dead's, and is free.
 *
 *   step_channel [--all]
 */
#include <stdio.h>

#include "shm/atom.h"
#include "shm/tags.h"
#include "tests/lib/kill.h"

#define CAP 128u
#define SENT 41u /* some of them follow each other */
#define CAPACITY 64u
#define SEED UINT64_C(0x5eed5eed)

static struct traced_pool traced;
static unsigned n_sent; /* that were under way after a death */
static unsigned n_again;
static unsigned n_arenas;
static unsigned n_large; /* of these, of several chunks */
static unsigned n_wrong;
static size_t n_on; /* that had been sent on */
static slabd_channel *own; /* the victim's */

static void open_both(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
	own = slabd_channel_open(v->pool, "stepped", CAPACITY);
	if (own == NULL)
		tap_bail("channel: %s", slabd_last_error());
}

static void open_to_send(struct kill_victim *v)
{
	open_both(v);
	kill_take(v, SENT);
}

static void send(struct kill_victim *v)
{
	slabd_send(own, v->objects, SENT);
}

static void receive(struct kill_victim *v)
{
	v->n = slabd_recv(own, v->objects, SENT - 5);
}

static void begin_and_commit(struct kill_victim *v)
{
	v->n = slabd_recv_begin(own, v->objects, SENT - 5);
	slabd_recv_commit(own, 3);
	slabd_recv_commit(own, v->n - 3);
}

static void begin_and_close(struct kill_victim *v)
{
	v->n = slabd_recv_begin(own, v->objects, SENT - 5);
	slabd_channel_close(own);
}

/* ---- sent on ---------------------------------------------------------------- */

static slabd_channel *next; /* where to */

static void open_between(struct kill_victim *v)
{
	open_both(v);
	next = slabd_channel_open(v->pool, "stepped-on", CAPACITY);
	if (next == NULL)
		tap_bail("channel: %s", slabd_last_error());
}

static void send_on(struct kill_victim *v)
{
	v->n = slabd_recv_begin(own, v->objects, SENT - 5);
	slabd_forward(own, next, 3);
	slabd_forward(own, next, v->n - 3);
}

/* ---- arenas ----------------------------------------------------------------- */

/* What it begins with: offsets from here to what else lies in it. */
struct root {
	uint64_t seed;
	int64_t at[6];
};

static slabd_arena *arena;
static struct root *root;

/* As many chunks and blocks as that. */
#define LARGE 5u

static void fill_more(void)
{
	static const size_t bytes[6] = {7000, 7000, 7000, 7000, 50000, 100000};
	struct slabd_arena_stats stats;
	for (unsigned i = 0; i < 6; i++) {
		uint64_t *words = slabd_arena_alloc(arena, bytes[i], 0);
		if (words == NULL)
			tap_bail("a large arena: %s", slabd_last_error());
		words[2] = SEED + i;
		root->at[i] = (char *)words - (char *)root;
	}
	slabd_arena_get_stats(arena, &stats);
	if (stats.chunks + stats.blocks != LARGE)
		tap_bail("%llu chunks, %llu blocks",
		         (unsigned long long)stats.chunks,
		         (unsigned long long)stats.blocks);
}

static void fill_arena(slabd_pool *pool, bool large)
{
	arena = slabd_arena_create(pool, NULL, "stepped");
	root = arena != NULL ? slabd_arena_calloc(arena, 1, sizeof(*root)) : NULL;
	if (root == NULL)
		tap_bail("arena: %s", slabd_last_error());
	root->seed = SEED;
	if (large)
		fill_more();
}

/* Whether all that was written is there. */
static bool is_whole(void)
{
	if (root == NULL || root->seed != SEED)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		const void *at = (const char *)root + root->at[i];
		if (root->at[i] != 0 && ((const uint64_t *)at)[2] != SEED + i)
			return false;
	}
	return true;
}

static void open_with_arena(struct kill_victim *v)
{
	open_both(v);
	fill_arena(v->pool, false);
}

static void open_with_large(struct kill_victim *v)
{
	open_both(v);
	fill_arena(v->pool, true);
}

/* Its caches are open here, as they are for who has received one before. */
static void open_for_arena(struct kill_victim *v)
{
	open_with_arena(v);
	slabd_arena_destroy(arena);
}

static void open_for_large(struct kill_victim *v)
{
	open_with_large(v);
	slabd_arena_destroy(arena);
}

static void send_arena(struct kill_victim *v)
{
	(void)v;
	slabd_send_arena(own, arena, root);
}

static void receive_arena(struct kill_victim *v)
{
	(void)v;
	arena = slabd_recv_arena(own, (void **)&root);
}

/* ------------------------------------------------------------------------------ */

static void open_channel(struct kill_victim *v)
{
	own = slabd_channel_open(v->pool, "stepped", CAPACITY);
}

static void open_without(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
}

/* A client for as long as no other is counted. */
struct visitor {
	slabd_pool *pool;
	slabd_cache *cache;
	slabd_channel *channel;
};

static void visit(struct visitor *visitor)
{
	struct slabd_options options =
	        fixture_options(&traced.fixture, SLABD_NO_HELPER);
	visitor->pool = slabd_open(NULL, &options);
	if (visitor->pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	visitor->cache = fixture_cache(visitor->pool, TRACED_POOL_COMMON,
	                               TRACED_POOL_SIZE);
	visitor->channel =
	        slabd_channel_open(visitor->pool, "stepped", CAPACITY);
	if (visitor->channel == NULL)
		tap_bail("channel: %s", slabd_last_error());
}

/* What the channels own, by the tags. */
static uint64_t count_owned(const struct traced_pool *w)
{
	uint64_t owned = 0;
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++) {
		const struct layout_channel *row = &w->view.channels[ix];
		if (atom_load(&row->state) == CHANNEL_LIVE)
			owned += traced_pool_count(w, row->owner);
	}
	return owned;
}

/* What the ring names is the channel's, and what that owns the ring names. */
static size_t receive_all(const struct visitor *visitor, slabd_channel *channel)
{
	void *objects[SENT];
	size_t all = 0;
	size_t n;
	while ((n = slabd_recv(channel, objects, SENT)) > 0) {
		n_again += slabd_recv_again(channel) != 0 ? (unsigned)n : 0;
		slabd_free_bulk(visitor->cache, n, objects);
		all += n;
	}
	return all;
}

/* No kill of who sends on has any of it freed. */
static void drain_two(struct traced_pool *w, struct kill_board *board)
{
	uint64_t owned = count_owned(w);
	slabd_channel *second;
	struct visitor visitor;
	size_t all;
	size_t on = 0;
	(void)board;
	visit(&visitor);
	all = receive_all(&visitor, visitor.channel);
	second = slabd_channel_open(visitor.pool, "stepped-on", CAPACITY);
	if (second != NULL)
		on = receive_all(&visitor, second);
	n_wrong += all + on != SENT || owned != SENT;
	n_on += on;
	slabd_close(visitor.pool);
}

static void drain(struct traced_pool *w, struct kill_board *board)
{
	uint64_t owned = count_owned(w);
	struct visitor visitor;
	size_t all;
	(void)board;
	visit(&visitor);
	all = receive_all(&visitor, visitor.channel);
	n_wrong += all != owned;
	n_sent += (unsigned)all;
	slabd_close(visitor.pool);
}

/* Of so many chunks and blocks each. */
static void drain_of(struct traced_pool *w, uint64_t parts)
{
	uint64_t owned = count_owned(w);
	struct visitor visitor;
	size_t all = 0;
	visit(&visitor);
	while ((arena = slabd_recv_arena(visitor.channel, (void **)&root)) !=
	       NULL) {
		n_wrong += !is_whole();
		slabd_arena_destroy(arena);
		all++;
	}
	n_wrong += all * parts != owned;
	n_arenas += (unsigned)all;
	n_large += parts > 1 ? (unsigned)all : 0;
	slabd_close(visitor.pool);
}

static void drain_arenas(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	drain_of(w, 1);
}

static void drain_large(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	drain_of(w, LARGE);
}

/* One is under way for the victim. */
static void fill_with(bool large)
{
	struct visitor visitor;
	visit(&visitor);
	fill_arena(visitor.pool, large);
	if (slabd_send_arena(visitor.channel, arena, root) < 0)
		tap_bail("no arena is sent: %s", slabd_last_error());
	slabd_close(visitor.pool);
}

static void fill_with_arena(struct traced_pool *w, struct kill_board *board)
{
	(void)w;
	(void)board;
	fill_with(false);
}

static void fill_with_large(struct traced_pool *w, struct kill_board *board)
{
	(void)w;
	(void)board;
	fill_with(true);
}

/* Objects are under way for the victim. */
static void fill(struct traced_pool *w, struct kill_board *board)
{
	void *objects[SENT];
	struct visitor visitor;
	(void)w;
	(void)board;
	visit(&visitor);
	if (slabd_alloc_bulk(visitor.cache, SENT, objects) != SENT ||
	    slabd_send(visitor.channel, objects, SENT) != SENT)
		tap_bail("nothing is sent: %s", slabd_last_error());
	slabd_close(visitor.pool);
}

static const struct kill_op ops[] = {
	{.name = "slabd_send",
	 .prepare = open_to_send,
	 .act = send,
	 .after = drain},
	{.name = "slabd_recv",
	 .prepare = open_both,
	 .act = receive,
	 .before = fill,
	 .after = drain},
	{.name = "slabd_recv_begin, slabd_recv_commit",
	 .prepare = open_both,
	 .act = begin_and_commit,
	 .before = fill,
	 .after = drain},
	{.name = "slabd_recv_begin, slabd_forward",
	 .prepare = open_between,
	 .act = send_on,
	 .before = fill,
	 .after = drain_two},
	{.name = "slabd_channel_close, of what was begun",
	 .prepare = open_both,
	 .act = begin_and_close,
	 .before = fill,
	 .after = drain},
	{.name = "slabd_send_arena",
	 .prepare = open_with_arena,
	 .act = send_arena,
	 .after = drain_arenas},
	{.name = "slabd_recv_arena",
	 .prepare = open_for_arena,
	 .act = receive_arena,
	 .before = fill_with_arena,
	 .after = drain_arenas},
	{.name = "slabd_send_arena, chunks and blocks",
	 .prepare = open_with_large,
	 .act = send_arena,
	 .after = drain_large, .settles = true},
	{.name = "slabd_recv_arena, chunks and blocks",
	 .prepare = open_for_large,
	 .act = receive_arena,
	 .before = fill_with_large,
	 .after = drain_large, .settles = true},
	{.name = "slabd_channel_open",
	 .prepare = open_without,
	 .act = open_channel,
	 .after = drain},
};

int main(int argc, char **argv)
{
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 8);
	traced_pool_cache(&traced, TRACED_POOL_COMMON, TRACED_POOL_SIZE, 0, 0);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	tap_is(n_wrong, 0, "the ring names what the channel owns, each time");
	tap_ok(n_sent > 0 && n_again > 0,
	       "of %u objects that came, %u had been begun", n_sent, n_again);
	tap_ok(n_on > 0, "%zu objects had been sent on", n_on);
	tap_ok(n_arenas > n_large && n_large > 0,
	       "%u arenas came, %u of them of several chunks", n_arenas,
	       n_large);
	traced_pool_close(&traced);
	return tap_end();
}
