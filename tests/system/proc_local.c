/* SPDX-License-Identifier: MIT */
/* A thread gets its own node's memory as long as there is any to be had, and
 * memory that is ready whether slabd runs or stands still. */
#include <signal.h>
#include <string.h>

#include "tests/lib/harness.h"

#define SIZE 256
#define MIB (1u << 20)
#define NODE_MIB 48u            /* that each node may have */
#define MANY (40u * MIB / SIZE) /* objects, for which there is room on one */
#define READY_MIB 32u

static struct fixture fixture;
static void *all[2 * NODE_MIB * MIB / SIZE];

static slabd_pool *open_on(int node)
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

static struct slabd_stats stats_of(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats;
}

/* Up to n objects, written to; how many. */
static size_t take(slabd_cache *cache, size_t n, void **to)
{
	size_t got = 0;
	while (got < n && (to[got] = slabd_alloc(cache)) != NULL)
		memset(to[got++], 1, SIZE);
	return got;
}

/* Leaves much that is free on a node's list. */
static void leave_free(int node)
{
	slabd_pool *pool = open_on(node);
	slabd_cache *cache = fixture_cache(pool, "orders", SIZE);
	size_t n = take(cache, MANY, all);
	tap_is((long long)n, MANY, "node %d gives that many", node);
	tap_is((long long)stats_of(pool).remote_with_room, 0,
	       "and no other one meanwhile");
	slabd_close(pool);
}

static void own_first(int fd, void *arg)
{
	slabd_pool *pool;
	slabd_cache *cache;
	struct slabd_stats stats;
	size_t n;
	(void)fd;
	(void)arg;
	leave_free(1);
	pool = open_on(0);
	cache = fixture_cache(pool, "orders", SIZE);
	n = take(cache, MANY, all);
	stats = stats_of(pool);
	tap_is((long long)n, MANY, "node 0 grows");
	tap_is((long long)stats.remote_allocs, 0,
	       "and nothing is taken from where it would be at hand");
	tap_note("%llu waits, %llu rings", (unsigned long long)stats.waits,
	         (unsigned long long)stats.rings);
	slabd_free_bulk(cache, n, all);
	n = take(cache, MANY, all);
	tap_is((long long)stats_of(pool).remote_allocs, 0,
	       "nor the second time");
	n += take(cache, 3 * MANY / 2 - n, all + n);
	stats = stats_of(pool);
	tap_is((long long)n, 3 * MANY / 2, "more than the node has");
	tap_ok(stats.remote_allocs > 0, "comes from the other one");
	tap_is((long long)stats.remote_with_room, 0,
	       "once slabd has said that there is no more");
	tap_is(fixture_client(&fixture, slabd_client_id(pool),
	                      "remote_with_room"),
	       0, "which slabctl clients shows");
	slabd_close(pool);
}

/* What node 0 might have is not to be had, as nobody gives it. */
static void other_in_time(int fd, void *arg)
{
	slabd_pool *pool;
	slabd_cache *cache;
	struct slabd_stats stats;
	size_t n = 0;
	(void)fd;
	(void)arg;
	leave_free(1);
	pool = open_on(0);
	cache = fixture_cache(pool, "orders", SIZE);
	fixture_halt(&fixture);
	while (n < MANY && stats_of(pool).remote_with_room == 0)
		n += take(cache, 1, all + n);
	stats = stats_of(pool);
	tap_ok(stats.remote_with_room > 0,
	       "with slabd stopped another node serves");
	tap_is((long long)stats.waits, 1, "after one wait");
	n += take(cache, 900, all + n);
	tap_ok(stats_of(pool).waits - stats.waits <= 4,
	       "and as many more as 900 is doubled from 64");
	tap_is((long long)stats_of(pool).failures, 0, "none fails");
	fixture_signal(&fixture, SIGCONT);
	tap_is(fixture_number(&fixture, "/nodes", "pools.0.remote_with_room"),
	       (long long)stats_of(pool).remote_with_room,
	       "slabctl nodes shows those that came too early");
	slabd_close(pool);
}

static void run(void (*what)(int fd, void *arg), const char *name)
{
	struct child child;
	child_start(&child, what, NULL);
	child_end(&child, name);
	fixture_audit(&fixture, name);
}

static void two_nodes(void)
{
	fixture_open(&fixture,
	             "[slabd]\ntopology = node:2 core:1 pu:1\n"
	             "[balance]\nremote_wait = 1s\nenabled = no\n"
	             "[pool default]\nstart = 4M\nmax = %uM\npage = 4k\n",
	             NODE_MIB);
	run(other_in_time, "another one in time");
	run(own_first, "own node first");
	fixture_close(&fixture);
}

/* ---- slabd stands still ------------------------------------------------- */

/* Uses a cache a little; then slabd stands still, and all that was ready but
 * what is kept for others is to be had. */
static void ready_without(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "orders", 4000);
	size_t most = (READY_MIB - 2) * 16 * (65536 / 4000 - 1);
	long long carved = (READY_MIB - 2) * (long long)MIB;
	uint64_t waits;
	size_t n = 0;
	(void)fd;
	(void)arg;
	for (; n < 100; n++)
		if ((all[n] = slabd_alloc(cache)) == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
	tap_ok(fixture_until(&fixture, "/nodes", "pools.0.nodes.0.carved_bytes",
	                     carved, SURELY_MS) >= 0,
	       "what is ready is made into slabs");
	fixture_halt(&fixture);
	waits = stats_of(pool).waits;
	while (n < most && (all[n] = slabd_alloc(cache)) != NULL)
		n++;
	tap_is((long long)n, (long long)most, "all of it can be had");
	tap_is((long long)stats_of(pool).failures, 0, "none failed");
	tap_is((long long)(stats_of(pool).waits - waits), 0, "and none waited");
	fixture_signal(&fixture, SIGCONT);
	slabd_free_bulk(cache, n, all);
	slabd_close(pool);
}

int main(void)
{
	tap_start(600);
	two_nodes();
	fixture_open(&fixture,
	             "[pool default]\nstart = %uM\nmax = %uM\npage = 4k\n",
	             READY_MIB, 2 * READY_MIB);
	run(ready_without, "slabd stands still");
	fixture_close(&fixture);
	return tap_end();
}
