/* SPDX-License-Identifier: MIT */
/* A program goes on to use a cache that it has closed, or whose pool it has: each
 * call says so, nothing crashes, and no other cache is touched. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "client/slabclient.h"
#include "tests/lib/harness.h"

#define LATER 60 /* caches that close after it */
#define MANY 30  /* that come and go while a handle is kept */
#define SIZE 64

static struct fixture fixture;

static slabd_pool *open_with(unsigned flags)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

static slabd_pool *open_pool(void)
{
	return open_with(0);
}

static bool is_told(void)
{
	return errno == EINVAL && strstr(slabd_last_error(), "was closed");
}

/* The calls of one that said so. */
static unsigned told_by_allocs(slabd_cache *cache)
{
	void *objects[40] = {NULL};
	uint64_t n = 0;
	unsigned told = 0;
	told += slabd_alloc(cache) == NULL && is_told();
	told += slabd_alloc_nowait(cache) == NULL && is_told();
	told += slabd_alloc_node(cache, 0) == NULL && is_told();
	told += slabd_alloc_bulk(cache, 40, objects) == 0 && is_told();
	told += slabd_local_of(cache) == NULL && is_told();
	told += slabd_prefill(cache, 3) < 0 && is_told();
	told += slabd_cache_counts(cache, &n, &n) < 0 && is_told();
	told += slabd_cache_totals(cache, &n, &n) < 0 && is_told();
	told += slabd_cache_close(cache) < 0 && errno == EINVAL;
	return told;
}

/* A free keeps errno. */
static unsigned told_by_frees(slabd_cache *cache, void *const objects[40])
{
	unsigned told = 0;
	errno = EINVAL;
	slabd_free(cache, objects[0]);
	told += is_told();
	errno = EINVAL;
	slabd_free_bulk(cache, 40, objects);
	told += is_told();
	slabd_free(cache, NULL);
	return told;
}

static void use(slabd_cache *cache, void *const objects[40], const char *when)
{
	tap_is(told_by_allocs(cache), 9, "%s: each allocation says so", when);
	tap_is(told_by_frees(cache, objects), 2, "%s: and each free", when);
	tap_ok(strcmp(slabd_cache_name(cache), "(closed)") == 0,
	       "%s: it has no name", when);
}

static void closed(int fd, void *arg)
{
	slabd_pool *pool = open_pool();
	slabd_pool *other = open_pool();
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	slabd_cache *same = fixture_cache(other, "two", SIZE);
	void *objects[40];
	unsigned twice = 0;
	void *live;
	(void)fd;
	(void)arg;
	fixture_take(cache, 40, objects);
	live = slabd_alloc(same);
	slabd_cache_close(cache);
	use(cache, objects, "its pool is open");
	for (unsigned i = 0; i < LATER; i++)
		slabd_cache_close(fixture_cache(pool, "later", SIZE));
	slabd_close(pool);
	use(cache, objects, "its pool is closed");
	tap_ok(live != NULL && slabd_cache_size(same) == SIZE,
	       "another pool's goes on");
	slabd_close(other);
	use(cache, objects, "no pool is open");
	use(same, objects, "closed with its pool");
	pool = open_pool();
	same = fixture_cache(pool, "one", SIZE);
	live = slabd_alloc(same);
	use(cache, objects, "another pool is open");
	slabd_free(cache, live);
	fixture_take(same, 40, objects);
	for (unsigned i = 0; i < 40; i++)
		twice += objects[i] == live;
	tap_is(twice, 0, "and what is in use there stays so");
	slabd_close(pool);
}

/* A handle's calls that said so, and gave and took nothing. */
static unsigned told_by_handle(slabd_local *local, void *object)
{
	unsigned told = 0;
	errno = 0;
	told += slabd_local_alloc(local) == NULL && is_told();
	errno = EINVAL;
	slabd_local_free(local, object);
	return told + is_told();
}

/* A cache that is opened after it, which has idle objects in its magazine. */
static unsigned told_beside_next(slabd_pool *pool, slabd_local *local)
{
	slabd_cache *next = fixture_cache(pool, "next", SIZE);
	void *object = slabd_alloc(next);
	unsigned told;
	slabd_free(next, object);
	told = told_by_handle(local, object);
	slabd_cache_close(next);
	return told;
}

/* What a thread had of a cache at hand, as often as others follow. */
static void handles(int fd, void *arg)
{
	unsigned flags = *(unsigned *)arg;
	slabd_pool *pool = open_with(flags);
	slabd_pool *other = open_with(flags);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	slabd_cache *same = fixture_cache(other, "two", SIZE);
	slabd_local *local = slabd_local_of(cache);
	slabd_local *its = slabd_local_of(same);
	void *object = slabd_local_alloc(local);
	unsigned told = 0;
	(void)fd;
	slabd_local_free(local, object);
	slabd_local_free(its, slabd_local_alloc(its));
	slabd_cache_close(cache);
	tap_is(told_by_handle(local, object), 2,
	       "a handle of a closed cache says so");
	for (unsigned i = 0; i < MANY; i++)
		told += told_beside_next(pool, local);
	tap_is(told, MANY * 2,
	       "and serves none of those that are opened later");
	slabd_close(other);
	tap_is(told_by_handle(its, object), 2, "nor one whose pool is closed");
	slabd_close(pool);
	tap_is(told_by_handle(local, object), 2, "once no pool is open");
}

int main(void)
{
	static const unsigned flags[] = {0, SLABD_CHECKED};
	struct child child;
	tap_start(60);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 64M\n");
	child_start(&child, closed, NULL);
	child_end(&child, "a program that uses what it closed ends well");
	for (unsigned i = 0; i < 2; i++) {
		child_start(&child, handles, (void *)&flags[i]);
		child_end(&child, "and one that uses a handle of it");
	}
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "what it had comes back");
	fixture_audit(&fixture, "after it");
	fixture_close(&fixture);
	return tap_end();
}
