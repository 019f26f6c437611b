/* SPDX-License-Identifier: MIT */
/* What a slabd that stood still for longer than a call waits finds asked of it as it
 * goes on: who asked was told that it did not answer, and it does none of that. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/types.h"
#include "shm/abandon.h"
#include "tests/lib/asked.h"
#include "tests/lib/harness.h"

#define SIZE 128
#define WAIT_MS 5200.0 /* as long as a call waits, and some slices */

static struct fixture fixture;

/* A client, what it asks for while slabd stands still, and what came of it. */
struct asks {
	const char *what;
	bool (*ask)(struct asks *asks);   /* true: it was done */
	void (*look)(struct asks *asks);  /* slabd has gone on */
	slabd_pool *pool;
	slabd_cache *cache;
	void *object;
	slabd_handle handle;
	unsigned id;
	bool done;
	int error;
	char line[256];
};

/* ---- what is asked for ---------------------------------------------------- */

static bool ask_channel(struct asks *asks)
{
	return slabd_channel_open(asks->pool, "late", 4) != NULL;
}

static void look_channel(struct asks *asks)
{
	slabd_pool *other = fixture_pool(&fixture);
	slabd_channel *channel;
	fixture_fails(slabd_channel_open(other, "late", 0) == NULL, ENOENT,
	              "the channel");
	channel = slabd_channel_open(asks->pool, "late", 4);
	tap_ok(channel != NULL, "asked again, it is there: %s",
	       slabd_last_error());
	slabd_channel_close(channel);
	fixture_fails(slabd_channel_open(other, "late", 0) == NULL, ENOENT,
	              "the channel once it was closed");
	slabd_close(other);
}

static bool ask_cache(struct asks *asks)
{
	return slabd_cache_create(asks->pool, "late", SIZE, 0, 0) != NULL;
}

static void look_cache(struct asks *asks)
{
	fixture_fails(slabd_cache_open(asks->pool, "late") == NULL, ENOENT,
	              "the cache");
}

static bool ask_opened(struct asks *asks)
{
	return slabd_cache_open(asks->pool, "opened") != NULL;
}

/* It would be in use by who never heard that it has it open. */
static void look_opened(struct asks *asks)
{
	slabd_pool *other = fixture_pool(&fixture);
	tap_is(slabd_cache_remove(other, "opened"), 0,
	       "a cache that it did not open can be removed: %s",
	       slabd_last_error());
	(void)asks;
	slabd_close(other);
}

static bool ask_removed(struct asks *asks)
{
	return slabd_cache_remove(asks->pool, "removed") == 0;
}

static void look_removed(struct asks *asks)
{
	tap_ok(slabd_cache_open(asks->pool, "removed") != NULL,
	       "a cache that was not removed is there: %s", slabd_last_error());
}

static bool ask_objpool(struct asks *asks)
{
	static const struct slabd_objpool_ops ops;
	return slabd_objpool_create(asks->pool, "late-pool", SIZE, &ops) != NULL;
}

static void look_objpool(struct asks *asks)
{
	fixture_fails(slabd_cache_open(asks->pool, "objpool late-pool") == NULL, ENOENT,
	              "the object pool's cache");
}

static bool ask_root(struct asks *asks)
{
	return slabd_root_open(asks->pool, "late") != 0;
}

static void look_root(struct asks *asks)
{
	fixture_fails(slabd_root_set(asks->pool, "late", 0) < 0, ENOENT,
	              "the root");
}

static bool ask_set(struct asks *asks)
{
	return slabd_root_set(asks->pool, "set", asks->handle) == 0;
}

/* Who was told that it did not become the root's may free it at once, and have it
 * again by the next allocation. */
static void look_set(struct asks *asks)
{
	fixture_fails(slabd_root_get(asks->pool, "set") == 0, ENOENT,
	              "the root that was to name an object");
	tap_is(slabd_owner(asks->pool, asks->handle, NULL),
	       slabd_client_id(asks->pool), "whose object is whose it was");
}

static bool ask_end(struct asks *asks)
{
	return slabd_root_set(asks->pool, "stays", 0) == 0;
}

static void look_end(struct asks *asks)
{
	tap_ok(slabd_root_get(asks->pool, "stays") == asks->handle,
	       "a root that did not end is there");
}

static bool ask_take(struct asks *asks)
{
	return slabd_take(asks->pool, asks->handle) != NULL;
}

static void look_take(struct asks *asks)
{
	int given = -1;
	unsigned owner = slabd_owner(asks->pool, asks->handle, &given);
	tap_ok(owner == asks->id && given == 0 &&
	               slabd_root_get(asks->pool, "taken") == asks->handle,
	       "what was not taken out of a root is the root's");
	tap_ok(slabd_take(asks->pool, asks->handle) == asks->object,
	       "and is taken as that is asked again: %s", slabd_last_error());
}

static bool ask_name(struct asks *asks)
{
	return slabd_client_set_name(asks->pool, "late") == 0;
}

static void look_name(struct asks *asks)
{
	char name[SLABD_NAME_MAX + 1] = "";
	slabd_client_name(asks->pool, slabd_client_id(asks->pool), name,
	                  sizeof(name));
	tap_ok(strcmp(name, "late") != 0, "no name was set: %s", name);
}

static struct asks all[] = {
	{.what = "a channel", .ask = ask_channel, .look = look_channel},
	{.what = "a cache", .ask = ask_cache, .look = look_cache},
	{.what = "one that is there", .ask = ask_opened, .look = look_opened},
	{.what = "its end", .ask = ask_removed, .look = look_removed},
	{.what = "an object pool", .ask = ask_objpool, .look = look_objpool},
	{.what = "a root", .ask = ask_root, .look = look_root},
	{.what = "what it names", .ask = ask_set, .look = look_set},
	{.what = "the end of a root", .ask = ask_end, .look = look_end},
	{.what = "what a root has", .ask = ask_take, .look = look_take},
	{.what = "a name", .ask = ask_name, .look = look_name},
};
#define N_ASKS (sizeof(all) / sizeof(all[0]))

/* ---- all at once ----------------------------------------------------------- */

static void *ask_one(void *arg)
{
	struct asks *asks = arg;
	errno = 0;
	asks->done = asks->ask(asks);
	asks->error = errno;
	snprintf(asks->line, sizeof(asks->line), "%s", slabd_last_error());
	return NULL;
}

static void ask_all(void)
{
	pthread_t thread[N_ASKS];
	for (unsigned i = 0; i < N_ASKS; i++)
		if (pthread_create(&thread[i], NULL, ask_one, &all[i]) != 0)
			tap_bail("no thread");
	for (unsigned i = 0; i < N_ASKS; i++)
		pthread_join(thread[i], NULL);
}

static void prepare(struct asks *asks)
{
	const char *root = asks->ask == ask_end    ? "stays"
	                   : asks->ask == ask_take ? "taken"
	                                           : NULL;
	asks->pool = fixture_pool(&fixture);
	asks->cache = fixture_cache(asks->pool, "objects", SIZE);
	fixture_take(asks->cache, 1, &asks->object);
	asks->handle = slabd_handle_of(asks->pool, asks->object);
	if (root == NULL)
		return;
	if (slabd_root_set(asks->pool, root, asks->handle) < 0)
		tap_bail("root %s: %s", root, slabd_last_error());
	asks->id = slabd_root_open(asks->pool, root);
}

/* Slabd has read all that each of them asked before. */
static void catch_up(void)
{
	for (unsigned i = 0; i < N_ASKS; i++)
		slabd_client_descriptor(all[i].pool, 0, 0);
}

static void test_all(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache_close(fixture_cache(pool, "opened", SIZE));
	slabd_cache_close(fixture_cache(pool, "removed", SIZE));
	for (unsigned i = 0; i < N_ASKS; i++)
		prepare(&all[i]);
	fixture_halt(&fixture);
	ask_all();
	fixture_signal(&fixture, SIGCONT);
	for (unsigned i = 0; i < N_ASKS; i++) {
		tap_ok(!all[i].done && all[i].error == ETIMEDOUT,
		       "%s is asked of a slabd that stands still: errno %d",
		       all[i].what, all[i].error);
		tap_ok(strstr(all[i].line, "stopped by a signal") != NULL,
		       "which is said: %s", all[i].line);
	}
	catch_up();
	for (unsigned i = 0; i < N_ASKS; i++)
		all[i].look(&all[i]);
	for (unsigned i = 0; i < N_ASKS; i++)
		slabd_close(all[i].pool);
	slabd_close(pool);
	fixture_audit(&fixture, "all is accounted for");
}

/* slabd stands still in the midst of it, which its word tells: nobody can say whether
 * the object is another's by now. */
static void test_begun(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "objects", SIZE);
	void *object = NULL;
	slabd_handle handle;
	fixture_take(cache, 1, &object);
	handle = slabd_handle_of(pool, object);
	fixture_halt(&fixture);
	atom_store(abandon_word(&pool->view, slabd_client_id(pool)),
	           ABANDON_BEGUN | (pool->link.seq + 1));
	fixture_fails(slabd_root_set(pool, "begun", handle) < 0, EINPROGRESS,
	              "what slabd had begun as it was stopped");
	fixture_signal(&fixture, SIGCONT);
	tap_is(slabd_root_set(pool, "begun", handle), 0,
	       "asked again, it is done: %s", slabd_last_error());
	tap_ok(slabd_root_get(pool, "begun") == handle &&
	               slabd_owner(pool, handle, NULL) ==
	                       slabd_root_open(pool, "begun"),
	       "the object is the root's");
	slabd_close(pool);
	fixture_audit(&fixture, "once more");
}

/* Sizes of chunks that are not open yet would each be asked for. */
static void test_arena(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_arena *large = slabd_arena_create(pool, NULL, "large");
	slabd_arena *arena = slabd_arena_create(pool, NULL, "arena");
	double ms;
	fixture_halt(&fixture);
	asked_begin();
	fixture_fails(slabd_arena_alloc(large, 300000, 0) == NULL, ETIMEDOUT,
	              "a large block of an arena");
	ms = asked_end();
	tap_ok(ms < WAIT_MS, "slabd is waited for once, %.1f ms", ms);
	asked_begin();
	fixture_fails(slabd_arena_alloc(arena, 8, 0) == NULL, ETIMEDOUT,
	              "the first bytes of one");
	ms = asked_end();
	tap_ok(ms < WAIT_MS, "slabd is waited for once, %.1f ms", ms);
	fixture_signal(&fixture, SIGCONT);
	tap_ok(slabd_arena_alloc(arena, 8, 0) != NULL, "then there are some: %s",
	       slabd_last_error());
	fixture_halt(&fixture);
	asked_begin();
	for (unsigned i = 0; i < 4; i++)
		if (slabd_arena_alloc(arena, 3000, 0) == NULL)
			tap_bail("an arena: %s", slabd_last_error());
	ms = asked_end();
	fixture_signal(&fixture, SIGCONT);
	tap_note("%.1f ms for chunks where slabd stands still", ms);
	slabd_close(pool);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, "[pool default]\n"
	                       "start = 16M\nmax = 64M\n");
	test_all();
	test_begun();
	test_arena();
	fixture_close(&fixture);
	return tap_end();
}
