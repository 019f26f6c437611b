/* SPDX-License-Identifier: MIT */
/* Memory that outlives its process: what a root names, and what it has, is as each call
 * says, and what is wrong is refused by name. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/keeper.h"

#define ROOTS 4u  /* that the pool may have */

#define MANY 100u
static struct fixture fixture;
static struct keeper keeper;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

static bool start(void)
{
	int status = 0;
	return keeper_start(&keeper, &fixture, &status);
}

static void restart(void)
{
	keeper_catch_up(&keeper);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	if (!start())
		tap_bail("the next slabd does not start");
}

static long long root_objects(unsigned ix)
{
	char at[48];
	snprintf(at, sizeof(at), "pools.0.roots.%u.objects", ix);
	return fixture_number(&fixture, "/roots", at);
}

/* ---- each call ------------------------------------------------------------ */

static void test_names(slabd_pool *pool, slabd_cache *cache)
{
	void *object = slabd_alloc(cache);
	slabd_handle handle = slabd_handle_of(pool, object);
	slabd_handle freed;
	char name[80];
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	fails(slabd_root_set(pool, NULL, handle) < 0, EINVAL, "no name");
	fails(slabd_root_set(pool, "", handle) < 0, EINVAL, "an empty name");
	fails(slabd_root_set(pool, name, handle) < 0, ENAMETOOLONG,
	      "a name that is too long");
	fails(slabd_root_set(pool, "a\nb", handle) < 0, EINVAL,
	      "a name with a line's end");
	fails(slabd_root_get(pool, "a") == 0, ENOENT, "no such root");
	fails(slabd_root_set(pool, "a", 0) < 0, ENOENT, "no root to end");
	fails(slabd_root_set(pool, "a", 77) < 0, EINVAL, "no handle");
	fails(slabd_root_set(pool, "a", handle + 8) < 0, EINVAL,
	      "a handle inside an object");
	slabd_free(cache, object);
	fails(slabd_root_set(pool, "a", handle) < 0, EPERM,
	      "an object that this thread has freed");
	slabd_flush(pool);
	fails(slabd_root_set(pool, "a", handle) < 0, EINVAL,
	      "one that was freed");
	object = slabd_alloc(cache);
	freed = slabd_handle_of(pool, object);
	slabd_give(pool, object, slabd_client_id(pool));
	fails(slabd_root_set(pool, "a", freed) < 0, EPERM,
	      "a gift that was not taken");
	slabd_free(cache, slabd_take(pool, freed));
	tap_is(fixture_number(&fixture, "/roots", "pools.0.roots.0.id"),
	       INT64_MIN, "what is refused makes no root");
}

static void test_set(slabd_pool *pool, slabd_cache *cache)
{
	char *first = slabd_alloc(cache);
	char *second = slabd_alloc(cache);
	slabd_handle one = slabd_handle_of(pool, first);
	slabd_handle two = slabd_handle_of(pool, second);
	slabd_handle former = 5;
	unsigned id;
	strcpy(first, "first");
	tap_ok(slabd_root_swap(pool, "set", one, &former) == 0 && former == 0,
	       "an object is anchored: %s", slabd_last_error());
	id = slabd_root_open(pool, "set");
	tap_ok(slabd_root_get(pool, "set") == one &&
	               slabd_owner(pool, one, NULL) == id &&
	               id != slabd_client_id(pool),
	       "its name leads to it, and the root owns it");
	tap_ok(strcmp(slabd_pointer(pool, one), "first") == 0, "as it was");
	tap_is(slabd_root_set(pool, "set", one), 0, "once more is no matter");
	slabd_free(cache, first);
	slabd_flush(pool);
	tap_ok(slabd_owner(pool, one, NULL) == id,
	       "who was its owner can't free it");
	tap_ok(slabd_root_swap(pool, "set", two, &former) == 0 &&
	               former == one && slabd_root_get(pool, "set") == two,
	       "another takes its place");
	tap_ok(slabd_take(pool, one) == first,
	       "and who set that may take what was there");
	fails(slabd_take(pool, one) == NULL, EPERM, "take it twice");
	slabd_free(cache, first);
	tap_is(slabd_root_set(pool, "set", 0), 0, "a root ends");
	fails(slabd_root_get(pool, "set") == 0, ENOENT, "its name after that");
	tap_ok(slabd_take(pool, two) == second, "what it named can be taken");
	slabd_free(cache, second);
}

static int count_one(void *object, void *arg)
{
	(void)object;
	++*(unsigned *)arg;
	return 0;
}

static void test_more(slabd_pool *pool, slabd_pool *other, slabd_cache *cache)
{
	unsigned id = slabd_root_open(pool, "more");
	slabd_handle handle[3];
	void *object;
	unsigned n = 0;
	tap_ok(id != 0 && slabd_root_open(other, "more") == id,
	       "a root is opened by all");
	fails(slabd_root_get(pool, "more") == 0, ENOENT, "it names nothing");
	for (unsigned i = 0; i < 3; i++) {
		object = slabd_alloc(cache);
		handle[i] = slabd_handle_of(pool, object);
		if (slabd_give(pool, object, id) < 0)
			tap_bail("give: %s", slabd_last_error());
	}
	tap_is(slabd_cache_each(cache, id, count_one, &n), 0, "it is listed");
	tap_is(n, 3, "with all that was given to it");
	tap_is(slabd_root_set(pool, "more", handle[1]), 0,
	       "one of them is named");
	object = slabd_take(other, handle[0]);
	tap_ok(object != NULL && slabd_owner(pool, handle[0], NULL) ==
	                                 slabd_client_id(other),
	       "any client takes one out");
	fails(slabd_take(pool, handle[0]) == NULL, EPERM, "which is its own");
	tap_ok(slabd_take(other, slabd_root_get(pool, "more")) != NULL,
	       "the one that is named, too");
	fails(slabd_root_get(pool, "more") == 0, ENOENT,
	      "after which it names nothing");
	tap_is(slabd_root_set(pool, "more", handle[2]), 0, "the last is named");
	tap_is(root_objects(0), 1, "slabctl counts what it has");
	tap_is(fixture_number(&fixture, "/audit", "pools.0.rooted"), 1,
	       "audit does, too");
	tap_ok(fixture_post(&fixture, "/root", "action=remove&root=more"),
	       "an administrator removes it");
	tap_ok(!fixture_post(&fixture, "/root", "action=remove&root=more"),
	       "once");
	fails(slabd_root_get(other, "more") == 0, ENOENT, "its name then");
	fails(slabd_give(other, object, id) < 0, ESRCH, "a give to its id");
	tap_ok(fixture_until(&fixture, "/audit", "pools.0.rooted", 0,
	                     SURELY_MS) >= 0, "what it had comes back");
}

/* Many objects, in the order that was asked for, up to the first that is not to be
 * had. */
static void test_many(slabd_pool *pool, slabd_pool *other, slabd_cache *cache)
{
	unsigned id = slabd_root_open(pool, "many");
	slabd_handle handle[MANY];
	void *objects[MANY];
	void *taken[MANY];
	unsigned wrong = 0;
	tap_is((long long)slabd_alloc_bulk(cache, MANY, objects), MANY,
	       "many objects");
	for (unsigned i = 0; i < MANY; i++)
		handle[i] = slabd_handle_of(pool, objects[i]);
	tap_is((long long)slabd_give_bulk(pool, objects, MANY, id), MANY,
	       "are a root's");
	tap_is(slabd_root_set(pool, "many", handle[3]), 0, "one is named");
	tap_ok(slabd_take(other, handle[40]) != NULL, "one is another's");
	fails((wrong = (unsigned)slabd_take_bulk(pool, handle, MANY, taken)) !=
	              MANY, EPERM, "slabd_take_bulk up to that");
	tap_is(wrong, 40, "takes those before");
	tap_is((long long)slabd_take_bulk(pool, handle + 41, MANY - 41,
	                                  taken + 41),
	       MANY - 41, "and those behind it");
	wrong = 0;
	for (unsigned i = 0; i < MANY; i++)
		wrong += i != 40 && taken[i] != objects[i];
	tap_is(wrong, 0, "each the one of its handle");
	fails(slabd_root_get(pool, "many") == 0, ENOENT,
	      "the root names nothing");
	tap_is(root_objects(0), 0, "and has nothing");
	taken[40] = taken[MANY - 1];
	slabd_free_bulk(cache, MANY - 1, taken);
	tap_is(slabd_root_set(pool, "many", SLABD_NO_HANDLE), 0, "it ends");
}

static void test_bounds(slabd_pool *pool, slabd_cache *cache)
{
	char name[8] = "b0";
	for (unsigned i = 0; i < ROOTS; i++, name[1]++)
		if (slabd_root_open(pool, name) == 0)
			tap_bail("root %s: %s", name, slabd_last_error());
	fails(slabd_root_open(pool, name) == 0, ENOSPC, "one root too many");
	fails(slabd_root_set(pool, name,
	                     slabd_handle_of(pool, slabd_alloc(cache))) < 0,
	      ENOSPC, "an object for it");
	while (name[1]-- > '0')
		if (slabd_root_set(pool, name, 0) < 0)
			tap_bail("end of %s: %s", name, slabd_last_error());
	tap_ok(slabd_root_open(pool, "later") != 0, "places are free again");
	slabd_root_set(pool, "later", 0);
}

static void test_arena(slabd_pool *pool, slabd_pool *other)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "kept");
	char *text = slabd_arena_strdup(arena, "a request");
	slabd_handle handle =
	        slabd_arena_give(arena, slabd_root_open(pool, "arena"));
	(void)text;
	tap_ok(handle != 0 && slabd_root_set(pool, "arena", handle) == 0,
	       "an arena is anchored: %s", slabd_last_error());
	arena = slabd_arena_take(other, slabd_root_get(other, "arena"));
	tap_ok(arena != NULL &&
	               strcmp(slabd_arena_first(arena), "a request") == 0,
	       "and taken out by another client");
	slabd_arena_destroy(arena);
	slabd_root_set(pool, "arena", 0);
}

/* Its cache has no other opener, and memory is asked back. */
static void test_closed(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "closed", 512);
	char *object = slabd_alloc(cache);
	slabd_handle handle = slabd_handle_of(pool, object);
	strcpy(object, "still here");
	slabd_root_set(pool, "closed", handle);
	slabd_cache_close(cache);
	fails(slabd_cache_remove(pool, "closed") < 0, EBUSY,
	      "a cache of which a root has something");
	fixture_post(&fixture, "/trim", "");
	restart();
	tap_ok(slabd_root_get(pool, "closed") == handle &&
	               strcmp(slabd_pointer(pool, handle), "still here") == 0,
	       "a root keeps its cache, over trims and slabd's death");
	slabd_root_set(pool, "closed", 0);
	cache = fixture_cache(pool, "closed", 512);
	slabd_free(cache, slabd_take(pool, handle));
	slabd_cache_close(cache);
}

static void forked(int fd, void *arg)
{
	slabd_pool *pool = arg;
	(void)fd;
	fails(slabd_root_get(pool, "x") == 0, ENOTCONN, "get in a child");
	fails(slabd_root_set(pool, "x", 0) < 0, ENOTCONN, "set in a child");
	fails(slabd_root_open(pool, "x") == 0, ENOTCONN, "open in a child");
}

static void test_calls(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_pool *other = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "calls", 128);
	struct child child;
	test_names(pool, cache);
	test_set(pool, cache);
	test_more(pool, other, cache);
	test_many(pool, other, cache);
	test_bounds(pool, cache);
	test_arena(pool, other);
	test_closed(pool);
	child_start(&child, forked, pool);
	child_end(&child, "a forked child");
	slabd_close(other);
	slabd_close(pool);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is left");
	fixture_audit(&fixture, "audit agrees");
}

static void test_checked(void)
{
	struct slabd_options options = fixture_options(&fixture, SLABD_CHECKED);
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_cache *cache = fixture_cache(pool, "calls", 128);
	void *object = slabd_alloc(cache);
	slabd_handle handle = slabd_handle_of(pool, object);
	slabd_free(cache, object);
	tap_ok(slabd_root_set(pool, "x", handle) < 0,
	       "a checked client sets no object that it has freed: %s",
	       slabd_last_error());
	object = slabd_alloc(cache);
	handle = slabd_handle_of(pool, object);
	tap_is(slabd_root_set(pool, "x", handle), 0, "and one that it has");
	slabd_root_set(pool, "x", 0);
	slabd_free(cache, slabd_take(pool, handle));
	slabd_close(pool);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is left of it");
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, "[pool default]\nmax = 64M\nstart = 8M\n"
	                       "max_roots = %u\n", ROOTS);
	keeper_open(&keeper, &fixture);
	if (!start() || !fixture_ready(&fixture))
		tap_bail("slabd does not start");
	test_calls();
	test_checked();
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
