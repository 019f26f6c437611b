/* SPDX-License-Identifier: MIT */
/*
 * Many objects at once, a thread's handle, a named node, and frees for another
 * one: what they give is whole, and how often that goes beyond the magazine is
 * counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define SIZE 64
#define MOST 64
#define KEEP 512
#define FAR 4096

static struct fixture fixture;
static void *all[1 << 17];

static struct slabd_stats stats_of(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats;
}

/* ---- bulks --------------------------------------------------------------- */

/* Whether n objects are n, each as large as it should be. */
static unsigned faults(void **objects, size_t n)
{
	unsigned wrong = 0;
	for (size_t i = 0; i < n; i++)
		memset(objects[i], (int)i, SIZE);
	for (size_t i = 0; i < n; i++) {
		const unsigned char *bytes = objects[i];
		wrong += bytes[0] != (unsigned char)i ||
		         bytes[SIZE - 1] != (unsigned char)i;
	}
	return wrong;
}

/* Inline where n is a constant. */
#define BULK(n)                                                                \
	do {                                                                   \
		void *mine[MOST + 1] = {NULL};                                 \
		for (int i = 0; i < 100; i++) {                                \
			wrong += slabd_alloc_bulk(cache, (n), mine) != (n);    \
			wrong += mine[(n)] != NULL;                            \
			wrong += faults(mine, (n));                            \
			slabd_free_bulk(cache, (n), mine);                     \
		}                                                              \
	} while (0)

static void constants(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "constants", SIZE);
	volatile size_t any;
	unsigned wrong = 0;
	BULK(0);
	BULK(1);
	BULK(2);
	BULK(3);
	BULK(7);
	BULK(8);
	BULK(9);
	BULK(16);
	BULK(23);
	BULK(31);
	BULK(32);
	BULK(33);
	BULK(64);
	for (any = 0; any <= MOST; any++)
		BULK(any);
	tap_is(wrong, 0, "bulks of a constant and of any number are whole");
	slabd_flush(pool);
	tap_is((long long)stats_of(pool).refused, 0, "none is refused");
	slabd_cache_close(cache);
}

/* A round of KEEP objects in bulks of 32. */
static void round_of(slabd_cache *cache)
{
	for (size_t k = 0; k < KEEP; k += 32)
		if (slabd_alloc_bulk(cache, 32, all + k) != 32)
			tap_bail("%s", slabd_last_error());
	for (size_t k = 0; k < KEEP; k += 32)
		slabd_free_bulk(cache, 32, all + k);
}

/* Whatever was in the magazine before. */
static void steady(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "steady", SIZE);
	struct slabd_stats before, now;
	unsigned moved = 0;
	void *more[MOST];
	for (size_t n = 0; n < MOST; n += 21) {
		slabd_alloc_bulk(cache, n, more);
		for (int i = 0; i < 20; i++)
			round_of(cache);
		before = stats_of(pool);
		for (int i = 0; i < 20; i++)
			round_of(cache);
		now = stats_of(pool);
		moved += now.depot_gets != before.depot_gets ||
		         now.depot_puts != before.depot_puts ||
		         now.refills != before.refills ||
		         now.flushes != before.flushes;
		slabd_free_bulk(cache, n, more);
	}
	tap_is(moved, 0, "%u in bulks of 32 and back stay in the magazine",
	       KEEP);
	slabd_cache_close(cache);
}

/* Objects of many slabs, in no order, come back by the bulk: a magazine takes
 * them as it takes neighbours. */
static void scattered(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "scattered", 2048);
	size_t n = slabd_alloc_bulk(cache, 4000, all);
	struct rng rng = rng_start("proc_bulk");
	struct slabd_stats before;
	for (size_t i = n; i > 1; i--) {
		size_t k = rng_below(&rng, (unsigned)i);
		void *swap = all[k];
		all[k] = all[i - 1];
		all[i - 1] = swap;
	}
	slabd_flush(pool);
	before = stats_of(pool);
	for (size_t i = 0; i < n; i += 32)
		slabd_free_bulk(cache, n - i < 32 ? n - i : 32, all + i);
	slabd_flush(pool);
	tap_is((long long)(stats_of(pool).flushed - before.flushed),
	       (long long)n, "objects of many slabs go home by the bulk");
	slabd_cache_close(cache);
}

/* The pool has fewer than are asked for. */
static void partly(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "partly", 4096);
	size_t most = sizeof(all) / sizeof(all[0]);
	size_t n = 0;
	size_t got;
	do {
		got = slabd_alloc_bulk(cache, 32, all + n);
		n += got;
	} while (got == 32 && n + 32 <= most);
	tap_ok(got < 32 && errno == ENOMEM, "a pool ends within a bulk: %zu",
	       got);
	slabd_free_bulk(cache, n, all);
	tap_is((long long)slabd_alloc_bulk(cache, n, all), (long long)n,
	       "all that was got can be had again");
	slabd_free_bulk(cache, n, all);
	slabd_cache_close(cache);
}

/* ---- handles ------------------------------------------------------------- */

static void by_handle(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "handle", SIZE);
	slabd_local *local = slabd_local_of(cache);
	void *first;
	unsigned wrong = 0;
	uint64_t refused = stats_of(pool).refused;
	tap_ok(local != NULL && local == slabd_local_of(cache),
	       "a thread has one handle of a cache");
	first = slabd_local_alloc(local);
	slabd_free(cache, first);
	tap_ok(slabd_local_alloc(local) == first,
	       "it is the thread's magazine");
	slabd_local_free(local, first);
	tap_ok(slabd_alloc(cache) == first, "both ways");
	slabd_local_free(local, first);
	for (size_t i = 0; i < FAR; i++) {
		all[i] = slabd_local_alloc(local);
		wrong += all[i] == NULL;
	}
	wrong += faults(all, FAR);
	for (size_t i = 0; i < FAR; i++)
		slabd_local_free(local, all[i]);
	tap_is(wrong, 0, "%u objects by it", FAR);
	slabd_local_free(local, NULL);
	slabd_local_free(local, all);
	slabd_local_free(local, (void *)UINT64_C(0xfff8000000000000));
	tap_is((long long)(stats_of(pool).refused - refused), 2,
	       "what is no object is refused");
	slabd_thread_idle(pool);
	tap_is((long long)local->n, 0,
	       "a thread that sleeps has nothing in it");
	tap_is((long long)local->cap, 0, "and no room");
	slabd_local_free(local, slabd_local_alloc(local));
	/* Where a tool watches, nothing is at hand. */
	tap_ok(is_sanitized() || local->n > 0,
	       "which comes back at its next call");
	slabd_cache_close(cache);
}

static void fails(unsigned *wrong, slabd_local *local, void *object)
{
	errno = 0;
	*wrong += slabd_local_alloc(local) != NULL || errno != ENOTCONN;
	slabd_local_free(local, object);
}

static void in_child(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "child", SIZE);
	slabd_local *local = slabd_local_of(cache);
	void *object = slabd_local_alloc(local);
	int status = -1;
	pid_t child;
	slabd_local_free(local, slabd_local_alloc(local));
	child = fork();
	if (child == 0) {
		unsigned wrong = 0;
		struct slabd_options options =
			fixture_options(&fixture, SLABD_NO_HELPER);
		slabd_pool *own;
		slabd_cache *theirs;
		fails(&wrong, local, object);
		own = slabd_open(NULL, &options);
		if (own == NULL)
			_exit(2);
		theirs = fixture_cache(own, "child", SIZE);
		slabd_local_free(slabd_local_of(theirs), slabd_alloc(theirs));
		fails(&wrong, local, object);
		slabd_close(own);
		_exit(wrong == 0 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	tap_is(status, 0, "a forked child gets nothing by its parent's handle");
	slabd_local_free(local, object);
	slabd_cache_close(cache);
}

/* ---- nodes --------------------------------------------------------------- */

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

/* A node that is named and is one's own costs what any allocation costs. */
static void named(slabd_pool *pool, slabd_cache *cache)
{
	struct slabd_stats before = stats_of(pool);
	struct slabd_stats now;
	for (size_t i = 0; i < FAR; i++)
		if ((all[i] = slabd_alloc_node(cache, 1)) == NULL)
			tap_bail("%s", slabd_last_error());
	now = stats_of(pool);
	tap_ok(now.refills - before.refills <= FAR / 64,
	       "%u of the own node by name come by the part: %llu", FAR,
	       (unsigned long long)(now.refills - before.refills));
	slabd_free_bulk(cache, FAR, all);
	tap_is((long long)(stats_of(pool).remote_frees - before.remote_frees),
	       0, "and are at home there");
}

/* What is freed for another node goes home by the batch, and counts at once. */
static void far(slabd_pool *pool, slabd_cache *cache)
{
	struct slabd_stats before;
	unsigned wrong = 0;
	for (size_t i = 0; i < FAR; i++)
		if ((all[i] = slabd_alloc_node(cache, 0)) == NULL)
			tap_bail("%s", slabd_last_error());
	before = stats_of(pool);
	for (size_t i = 0; i < FAR; i++) {
		slabd_free(cache, all[i]);
		wrong += stats_of(pool).remote_frees - before.remote_frees !=
		         i + 1;
	}
	tap_is(wrong, 0, "%u freed for another node, each counted", FAR);
	tap_ok(stats_of(pool).flushes - before.flushes <= FAR / 128,
	       "in few batches: %llu",
	       (unsigned long long)(stats_of(pool).flushes - before.flushes));
	slabd_flush(pool);
	tap_is((long long)(stats_of(pool).remote_frees - before.remote_frees),
	       FAR, "each once");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "remote_frees"),
	       (long long)stats_of(pool).remote_frees,
	       "which slabctl clients shows when they are home");
}

/* ---- all ----------------------------------------------------------------- */

static void one_node(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	(void)fd;
	(void)arg;
	constants(pool);
	steady(pool);
	scattered(pool);
	by_handle(pool);
	in_child(pool);
	partly(pool);
	slabd_close(pool);
}

static void two_nodes(int fd, void *arg)
{
	slabd_pool *pool = pool_on(1);
	slabd_cache *cache = fixture_cache(pool, "far", SIZE);
	(void)fd;
	(void)arg;
	named(pool, cache);
	far(pool, cache);
	slabd_close(pool);
}

static void run(void (*what)(int fd, void *arg), const char *conf,
                const char *name)
{
	struct child child;
	fixture_open(&fixture, "%s", conf);
	child_start(&child, what, NULL);
	child_end(&child, name);
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
	fixture_audit(&fixture, name);
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(120);
	run(one_node, "[pool default]\npage = 4k\nmax = 64M\n", "one node");
	run(two_nodes,
	    "[slabd]\ntopology = node:2 core:1 pu:1\n"
	    "[pool default]\nstart = 4M\nmax = 16M\npage = 4k\n",
	    "two nodes");
	return tap_end();
}
