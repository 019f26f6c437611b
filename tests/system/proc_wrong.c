/* SPDX-License-Identifier: MIT */
/* What a program gets wrong: each call says so, and nothing else happens. */
#include <errno.h>
#include <string.h>

#include "tests/lib/sent.h"

#define SIZE 96

static struct fixture fixture;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

/* ---- a channel that is closed ---------------------------------------------- */

static void use_closed(slabd_channel *channel, slabd_channel *open,
                       slabd_arena *arena, void *object)
{
	unsigned ids[4];
	void *root;
	fails(slabd_send(channel, &object, 1) == 0, EINVAL, "slabd_send");
	fails(slabd_recv(channel, &object, 1) == 0, EINVAL, "slabd_recv");
	fails(slabd_recv_begin(channel, &object, 1) == 0, EINVAL,
	      "slabd_recv_begin");
	fails(slabd_recv_commit(channel, 0) < 0, EINVAL, "slabd_recv_commit");
	fails(slabd_forward(channel, open, 1) == 0, EINVAL, "slabd_forward");
	fails(slabd_forward(open, channel, 1) == 0, EINVAL,
	      "slabd_forward to it");
	fails(slabd_send_arena(channel, arena, NULL) < 0, EINVAL,
	      "slabd_send_arena");
	fails(slabd_recv_arena(channel, &root) == NULL, EINVAL,
	      "slabd_recv_arena");
	fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1) < 0, EINVAL,
	      "slabd_channel_wait");
	fails(slabd_channel_descriptor(channel) < 0, EINVAL,
	      "slabd_channel_descriptor");
	fails(slabd_channel_peers(channel, ids, 4) == 0, EINVAL,
	      "slabd_channel_peers");
	fails(slabd_channel_slow(channel, SLABD_CHANNEL_BLOCK, -1) < 0, EINVAL,
	      "slabd_channel_slow");
	fails(slabd_channel_close(channel) < 0, EINVAL,
	      "slabd_channel_close, again");
	tap_ok(strstr(slabd_last_error(), "closed") != NULL, "which is said: %s",
	       slabd_last_error());
	tap_is(slabd_recv_again(channel), 0, "slabd_recv_again");
	tap_is(slabd_channel_ended(channel), 0, "slabd_channel_ended");
}

static void test_closed(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "objects", SIZE);
	slabd_arena *arena = slabd_arena_create(pool, NULL, "arena");
	slabd_channel *channel = sent_channel(pool, "closed", 8);
	slabd_channel *open = sent_channel(pool, "closed", 8);
	void *object = NULL;
	void *got = NULL;
	fixture_take(cache, 1, &object);
	slabd_channel_descriptor(channel);
	tap_is(slabd_channel_close(channel), 0, "a channel closes");
	use_closed(channel, open, arena, object);
	tap_ok(slabd_send(open, &object, 1) == 1 &&
	               slabd_recv(open, &got, 1) == 1 && got == object,
	       "who has it open still goes on");
	slabd_close(pool);
	pool = fixture_pool(&fixture);
	use_closed(open, channel, NULL, object);
	slabd_close(pool);
}

/* ---- a pool that is closed -------------------------------------------------- */

static int count_one(void *object, void *arg)
{
	(void)object;
	(void)arg;
	return 0;
}

static void use_pool(slabd_pool *pool, slabd_handle handle, void *object)
{
	struct slabd_stats stats;
	slabd_handle gift;
	fails(slabd_cache_create(pool, "x", SIZE, 0, 0) == NULL, EINVAL,
	      "slabd_cache_create");
	fails(slabd_cache_open(pool, "x") == NULL, EINVAL, "slabd_cache_open");
	fails(slabd_cache_remove(pool, "x") < 0, EINVAL, "slabd_cache_remove");
	fails(slabd_client_id(pool) == 0, EINVAL, "slabd_client_id");
	fails(slabd_handle_of(pool, object) == 0, EINVAL, "slabd_handle_of");
	fails(slabd_pointer(pool, handle) == NULL, EINVAL, "slabd_pointer");
	fails(slabd_owner(pool, handle, NULL) == 0, EINVAL, "slabd_owner");
	fails(slabd_give(pool, object, 1) < 0, EINVAL, "slabd_give");
	fails(slabd_give_bulk(pool, &object, 1, 1) == 0, EINVAL,
	      "slabd_give_bulk");
	fails(slabd_take(pool, handle) == NULL, EINVAL, "slabd_take");
	fails(slabd_take_bulk(pool, &handle, 1, &object) == 0, EINVAL,
	      "slabd_take_bulk");
	fails(slabd_gifts(pool, SLABD_NO_HANDLE, 1, &gift) == 0, EINVAL,
	      "slabd_gifts");
	fails(slabd_flush(pool) < 0, EINVAL, "slabd_flush");
	fails(slabd_thread_flush(pool) < 0, EINVAL, "slabd_thread_flush");
	fails(slabd_thread_idle(pool) < 0, EINVAL, "slabd_thread_idle");
	fails(slabd_thread_node(pool, 0) < 0, EINVAL, "slabd_thread_node");
	fails(slabd_get_stats(pool, &stats) < 0, EINVAL, "slabd_get_stats");
	fails(slabd_descriptor(pool) < 0, EINVAL, "slabd_descriptor");
	fails(slabd_poll(pool) < 0, EINVAL, "slabd_poll");
	fails(slabd_arena_create(pool, NULL, NULL) == NULL, EINVAL,
	      "slabd_arena_create");
	fails(slabd_arena_take(pool, handle) == NULL, EINVAL,
	      "slabd_arena_take");
	fails(slabd_objpool_create(pool, "x", SIZE, NULL) == NULL, EINVAL,
	      "slabd_objpool_create");
	fails(slabd_channel_open(pool, "x", 4) == NULL, EINVAL,
	      "slabd_channel_open");
	fails(slabd_root_set(pool, "x", handle) < 0, EINVAL, "slabd_root_set");
	fails(slabd_root_get(pool, "x") == 0, EINVAL, "slabd_root_get");
	fails(slabd_root_open(pool, "x") == 0, EINVAL, "slabd_root_open");
	fails(slabd_client_epoch(pool, 1) == 0, EINVAL, "slabd_client_epoch");
	fails(slabd_client_check(pool, 1, 0) < 0, EINVAL, "slabd_client_check");
	fails(slabd_client_set_name(pool, "x") < 0, EINVAL,
	      "slabd_client_set_name");
	fails(slabd_client_descriptor(pool, 1, 0) < 0, EINVAL,
	      "slabd_client_descriptor");
	fails(slabd_close(pool) < 0, EINVAL, "slabd_close");
}

/* What was of a pool that is closed. */
static void use_parts(slabd_cache *cache, slabd_arena *arena,
                      slabd_objpool *objpool)
{
	struct slabd_objpool_counts counts;
	slabd_mark mark;
	fails(slabd_alloc(cache) == NULL, EINVAL, "its cache");
	fails(slabd_cache_each(cache, 0, count_one, NULL) < 0, EINVAL,
	      "its cache's objects");
	fails(slabd_arena_alloc(arena, 8, 0) == NULL, EINVAL, "its arena");
	fails(slabd_arena_strdup(arena, "text") == NULL, EINVAL,
	      "a text in it");
	errno = 0;
	slabd_arena_reset(arena);
	tap_is(errno, EINVAL, "its arena's reset");
	errno = 0;
	mark = slabd_arena_mark(arena);
	slabd_arena_rewind(arena, mark);
	tap_is(errno, EINVAL, "its arena's mark");
	errno = 0;
	slabd_arena_destroy(arena);
	tap_is(errno, EINVAL, "its arena's end");
	fails(slabd_objpool_get(objpool) == NULL, EINVAL, "its object pool");
	fails(slabd_objpool_get_counts(objpool, &counts) < 0, EINVAL,
	      "its object pool's counts");
}

static void test_pool(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "objects", SIZE);
	slabd_arena *arena = slabd_arena_create(pool, NULL, "arena");
	slabd_objpool *objpool =
		slabd_objpool_create(pool, "objpool", SIZE, NULL);
	slabd_handle handle;
	void *object = NULL;
	fixture_take(cache, 1, &object);
	handle = slabd_handle_of(pool, object);
	tap_ok(slabd_arena_alloc(arena, 8, 0) != NULL &&
	               slabd_objpool_get(objpool) != NULL,
	       "a pool with an arena and an object pool");
	tap_is(slabd_close(pool), 0, "is closed");
	use_pool(pool, handle, object);
	use_parts(cache, arena, objpool);
}

/* ---- NULL, where something is meant to be ----------------------------------- */

static void said(const char *text)
{
	tap_ok(strstr(slabd_last_error(), text) != NULL, "it is said: %s",
	       slabd_last_error());
}

static void test_null(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "objects", SIZE);
	slabd_channel *channel = sent_channel(pool, "null", 8);
	slabd_objpool *objpool =
		slabd_objpool_create(pool, "objpool", SIZE, NULL);
	unsigned self = slabd_client_id(pool);
	slabd_handle handle;
	void *object = NULL;
	void *got = NULL;
	use_pool(NULL, 77, NULL);
	fixture_take(cache, 1, &object);
	handle = slabd_handle_of(pool, object);
	fails(slabd_cache_counts(NULL, NULL, NULL) < 0, EINVAL,
	      "slabd_cache_counts of no cache");
	fails(slabd_cache_totals(NULL, NULL, NULL) < 0, EINVAL,
	      "slabd_cache_totals of no cache");
	fails(slabd_cache_each(NULL, 0, count_one, NULL) < 0, EINVAL,
	      "slabd_cache_each of no cache");
	fails(slabd_local_of(NULL) == NULL, EINVAL, "slabd_local_of no cache");
	fails(slabd_get_stats(pool, NULL) < 0, EINVAL,
	      "slabd_get_stats into nothing");
	fails(slabd_objpool_get_counts(objpool, NULL) < 0, EINVAL,
	      "slabd_objpool_get_counts into nothing");
	fails(slabd_channel_peers(channel, NULL, 4) == 0, EINVAL,
	      "slabd_channel_peers into nothing");
	tap_is((long long)slabd_channel_peers(channel, NULL, 0), 1,
	       "but a count is to be had so");
	fails(slabd_give_bulk(pool, NULL, 4, self) == 0, EINVAL,
	      "slabd_give_bulk of nothing");
	fails(slabd_send(channel, NULL, 1) == 0, EINVAL,
	      "slabd_send of nothing");
	said("NULL");
	fails(slabd_send(channel, &got, 1) == 0, EINVAL,
	      "slabd_send of a NULL");
	fails(slabd_give(pool, NULL, self) < 0, EINVAL, "slabd_give of a NULL");
	said("is not in pool");
	tap_is((long long)slabd_send(channel, &object, 1), 1, "one is sent");
	fails(slabd_recv(channel, NULL, 1) == 0, EINVAL,
	      "slabd_recv into nothing");
	fails(slabd_recv_begin(channel, NULL, 1) == 0, EINVAL,
	      "slabd_recv_begin into nothing");
	tap_is((long long)slabd_recv(channel, &got, 1), 1,
	       "it was left where it is");
	tap_is(slabd_give(pool, object, self), 0, "one is given");
	fails(slabd_gifts(pool, SLABD_NO_HANDLE, 4, NULL) == 0, EINVAL,
	      "slabd_gifts into nothing");
	fails(slabd_take_bulk(pool, NULL, 1, &got) == 0, EINVAL,
	      "slabd_take_bulk of nothing");
	fails(slabd_take_bulk(pool, &handle, 1, NULL) == 0, EINVAL,
	      "slabd_take_bulk into nothing");
	tap_ok(slabd_take(pool, handle) == object, "it was not taken: %s",
	       slabd_last_error());
	slabd_close(pool);
}

/* ---- cleanups of arenas that end what they are in --------------------------- */

static struct {
	slabd_pool *pool;
	slabd_arena *parent, *child, *made;
	unsigned calls;
	int error;
} in;

static void destroy_parent(void *arg)
{
	(void)arg;
	in.calls++;
	errno = 0;
	slabd_arena_destroy(in.parent);
	in.error = errno;
}

static void close_pool(void *arg)
{
	(void)arg;
	in.calls++;
	in.error = slabd_close(in.pool) < 0 ? errno : 0;
}

static void make_child(void *arg)
{
	in.calls++;
	in.made = slabd_arena_create(in.pool, arg, "made");
	if (slabd_arena_alloc(in.made, 100, 0) == NULL)
		tap_bail("an arena in a cleanup: %s", slabd_last_error());
}

static void make_arenas(void)
{
	in.parent = slabd_arena_create(in.pool, NULL, "parent");
	in.child = slabd_arena_create(in.pool, in.parent, "child");
	slabd_arena_alloc(in.parent, 100, 0);
	slabd_arena_alloc(in.child, 100, 0);
	in.calls = 0;
	in.error = -1;
}

static void test_cleanups(void)
{
	in.pool = fixture_pool(&fixture);
	make_arenas();
	slabd_arena_cleanup(in.child, destroy_parent, NULL);
	slabd_arena_reset(in.child);
	tap_ok(in.calls == 1 && in.error == EBUSY,
	       "a child's cleanup does not destroy its parent, errno %d",
	       in.error);
	slabd_arena_cleanup(in.child, destroy_parent, NULL);
	slabd_arena_destroy(in.parent);
	tap_ok(in.calls == 2 && in.error == EBUSY,
	       "nor once more while that is destroyed");
	fails(slabd_arena_alloc(in.child, 8, 0) == NULL, EINVAL,
	      "the child afterwards");
	make_arenas();
	slabd_arena_cleanup(in.parent, make_child, in.parent);
	slabd_arena_destroy(in.parent);
	fails(in.calls == 1 && slabd_arena_alloc(in.made, 8, 0) == NULL, EINVAL,
	      "a child made in a cleanup, after it");
	make_arenas();
	slabd_arena_cleanup(in.parent, make_child, in.child);
	slabd_arena_reset(in.parent);
	tap_ok(in.calls == 1 && slabd_arena_alloc(in.made, 8, 0) != NULL,
	       "a reset leaves it");
	slabd_arena_cleanup(in.child, close_pool, NULL);
	slabd_arena_reset(in.parent);
	tap_ok(in.calls == 2 && in.error == EBUSY,
	       "a cleanup does not close the pool, errno %d", in.error);
	slabd_arena_cleanup(in.child, close_pool, NULL);
	tap_is(slabd_close(in.pool), 0, "which closes");
	tap_ok(in.calls == 3 && in.error == EINVAL,
	       "and not twice, errno %d", in.error);
}

int main(void)
{
	tap_start(200);
	fixture_open(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	test_closed();
	test_pool();
	test_null();
	test_cleanups();
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is left");
	fixture_audit(&fixture, "all is accounted for");
	fixture_close(&fixture);
	return tap_end();
}
