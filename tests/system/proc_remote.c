/* SPDX-License-Identifier: MIT */
/* What a client counts as remote: what lies on another node, each object once,
 * on whichever list it stood. */
#include <string.h>

#include "tests/lib/harness.h"

#define NODE_BYTES (UINT64_C(8) << 20) /* max of each node */
#define OFFSETS (UINT64_C(1) << 47)    /* of a handle; its generation is above */
#define SIZE 60000                     /* one object a slab of 64 KiB */
#define LENT 4
#define MOST 400

static struct fixture fixture;

static slabd_pool *pool_on(int node)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_FORCE_NODE);
	slabd_pool *pool;
	options.node = node;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* Takes all there is, on a node: what lies elsewhere, and what was counted. */
static void take_all(slabd_pool *pool, slabd_cache *cache, unsigned node)
{
	struct slabd_stats stats = {0};
	void *object;
	unsigned n = 0;
	unsigned elsewhere = 0;
	while (n < MOST && (object = slabd_alloc(cache)) != NULL) {
		uint64_t at = slabd_handle_of(pool, object) % OFFSETS /
		              NODE_BYTES;
		elsewhere += at != node;
		n++;
	}
	slabd_get_stats(pool, &stats);
	tap_ok(elsewhere > 0 && elsewhere < n,
	       "of %u objects for node %u %u lie elsewhere", n, node,
	       elsewhere);
	tap_is((long long)stats.remote_allocs, elsewhere,
	       "and as many are counted as remote");
}

/* Some slabs of node 0 stand on node 1's list, and node 0's threads get at
 * them there. */
static void client(int fd, void *arg)
{
	slabd_pool *here = pool_on(0);
	slabd_pool *there = pool_on(1);
	slabd_cache *cache = fixture_cache(here, "large", SIZE);
	slabd_cache *theirs = fixture_cache(there, "large", SIZE);
	void *objects[2 * LENT];
	unsigned n = 0;
	(void)fd;
	(void)arg;
	while (n < 2 * LENT && (objects[n] = slabd_alloc(cache)) != NULL)
		n++;
	while (n > 0)
		slabd_free(cache, objects[--n]);
	slabd_flush(here);
	tap_ok(fixture_post(&fixture, "/lend",
	                    "pool=default&cache=large&from=0&to=1&n=4"),
	       "some slabs of node 0 are lent to node 1");
	take_all(here, cache, 0);
	slabd_cache_close(theirs);
	slabd_close(there);
	slabd_close(here);
}

/* The same for who has borrowed. */
static void borrower(int fd, void *arg)
{
	slabd_pool *pool = pool_on(1);
	slabd_cache *cache = fixture_cache(pool, "large", SIZE);
	(void)fd;
	(void)arg;
	take_all(pool, cache, 1);
	slabd_close(pool);
}

/* What was freed to another node and waits to go there does not hold a cache
 * that is closed. */
static void closer(int fd, void *arg)
{
	slabd_pool *pool = pool_on(0);
	slabd_cache *cache = fixture_cache(pool, "closed", 64);
	void *object = slabd_alloc_node(cache, 1);
	(void)fd;
	(void)arg;
	tap_ok(object != NULL, "an object of another node");
	slabd_free(cache, object);
	slabd_cache_close(cache);
	tap_is(slabd_cache_remove(pool, "closed"), 0,
	       "its cache is closed and removed");
	slabd_close(pool);
}

int main(void)
{
	struct child child;
	tap_start(60);
	fixture_open(&fixture,
	             "[slabd]\ntopology = node:2 core:1 pu:1\n"
	             "[pool default]\npage = 4k\nmax = 8M\n"
	             "[balance]\nhold = 60s\n");
	child_start(&child, client, NULL);
	child_end(&child, "who finds its own elsewhere");
	child_start(&child, borrower, NULL);
	child_end(&child, "who takes what is another's");
	child_start(&child, closer, NULL);
	child_end(&child, "who frees to another node and closes");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
