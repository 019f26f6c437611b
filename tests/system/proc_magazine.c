/* SPDX-License-Identifier: MIT */
/* Magazines grow where they miss, shrink where they idle, and stay within the
 * thread's budget. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/slabclient.h"
#include "tests/lib/harness.h"

#define LIVE 1500 /* more than a magazine holds: each round misses */
#define BUDGET (2 << 20)
#define CACHES 16
#define SIZE 256
#define IDLE (1 << 20) /* where nothing is in use, and much missed */

static struct fixture fixture;
static void *live[LIVE];

static void rounds(slabd_cache *cache, int n)
{
	for (int i = 0; i < n; i++) {
		size_t got = slabd_alloc_bulk(cache, LIVE, live);
		if (got != LIVE)
			tap_bail("%zu objects: %s", got, slabd_last_error());
		slabd_free_bulk(cache, got, live);
	}
}

static long long cap_of(const slabd_cache *cache)
{
	return (long long)slabd_mag_of_(cache)->cap;
}

static void test_growth(slabd_pool *pool)
{
	slabd_cache *busy = fixture_cache(pool, "busy", 64);
	slabd_cache *idle = fixture_cache(pool, "idle", 64);
	slabd_free(idle, slabd_alloc(idle));
	tap_ok(cap_of(idle) > 0 && cap_of(idle) <= 16,
	       "a magazine starts small: %lld", cap_of(idle));
	rounds(idle, 10);
	tap_is(cap_of(idle), SLABD_MAGAZINE_MAX, "it grows where it misses");
	rounds(busy, 300);
	tap_is(cap_of(busy), SLABD_MAGAZINE_MAX, "so does another");
	tap_ok(cap_of(idle) <= 16, "and the first shrinks where it idles: %lld",
	       cap_of(idle));
	tap_ok((long long)slabd_mag_of_(idle)->n <= cap_of(idle),
	       "to what it may hold");
	rounds(idle, 10);
	tap_is(cap_of(idle), SLABD_MAGAZINE_MAX, "until it is needed again");
}

/* Objects that stay in use, as many bytes as let magazines grow. */
static void **use(slabd_cache *cache, size_t n)
{
	void **used = calloc(n, sizeof(*used));
	if (used == NULL || slabd_alloc_bulk(cache, n, used) != n)
		tap_bail("%zu objects: %s", n, slabd_last_error());
	return used;
}

static void end_use(slabd_cache *cache, void **used, size_t n)
{
	slabd_free_bulk(cache, n, used);
	free(used);
}

static void test_budget(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_cache *caches[CACHES];
	slabd_pool *pool;
	long long bytes = 0;
	void **used;
	options.thread_bytes = BUDGET;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	for (int i = 0; i < CACHES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "budget-%d", i);
		caches[i] = fixture_cache(pool, name, SIZE);
	}
	used = use(caches[0], 16 * BUDGET / SIZE);
	/* By turns, so that none idles: each wants a full magazine. */
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < CACHES; i++)
			rounds(caches[i], 1);
	for (int i = 0; i < CACHES; i++)
		bytes += cap_of(caches[i]) * SIZE;
	tap_ok(bytes > BUDGET / 2 && bytes <= BUDGET,
	       "a thread's magazines may hold %lld bytes of %d", bytes, BUDGET);
	end_use(caches[0], used, 16 * BUDGET / SIZE);
	bytes = 0;
	for (int i = 0; i < CACHES; i++)
		bytes += cap_of(caches[i]) * SIZE;
	tap_ok(bytes > 0 && bytes <= IDLE,
	       "and %lld when the thread has nothing in use", bytes);
	slabd_close(pool);
}

/* Each of eight large caches wants a quarter of the budget, and together they
 * get it before the small one comes. */
static void test_fairness(slabd_pool *pool)
{
	slabd_cache *small = fixture_cache(pool, "fair-small", 64);
	slabd_cache *huge = fixture_cache(pool, "fair-huge", 1 << 20);
	void **used = use(huge, 32);
	long long large = 0;
	slabd_cache *caches[8];
	for (int i = 0; i < 8; i++) {
		char name[16];
		snprintf(name, sizeof(name), "fair-%d", i);
		caches[i] = fixture_cache(pool, name, 32 << 10);
		for (int round = 0; round < 4; round++) {
			size_t got = slabd_alloc_bulk(caches[i], 40, live);
			if (got != 40)
				tap_bail("%zu objects: %s", got,
				         slabd_last_error());
			slabd_free_bulk(caches[i], got, live);
		}
	}
	for (int i = 0; i < 8; i++)
		large += cap_of(caches[i]);
	tap_ok(large * (32 << 10) > 3 << 20 && large * (32 << 10) <= 4 << 20,
	       "large objects have most of the budget: %lld of them", large);
	rounds(small, 10);
	tap_is(cap_of(small), SLABD_MAGAZINE_MAX,
	       "a small cache that misses takes its share back");
	end_use(huge, used, 32);
	slabd_flush(pool);
	live[0] = slabd_alloc(huge);
	slabd_free(huge, live[0]);
	tap_is(cap_of(huge), 0, "an object of 1 MiB has no magazine");
	tap_ok(slabd_alloc(huge) == live[0], "and comes back from the depot");
	slabd_free(huge, live[0]);
}

static unsigned in_line(const void *at)
{
	return (uintptr_t)at % 64;
}

/* A load whose low 12 address bits are those of a store before it waits. */
static void test_places(slabd_pool *pool)
{
	unsigned bad = 0;
	for (unsigned i = 0; i < CACHES; i++) {
		char name[16];
		slabd_cache *cache;
		unsigned n;
		snprintf(name, sizeof(name), "placed-%u", i);
		cache = fixture_cache(pool, name, 64);
		n = in_line(&slabd_mag_of_(cache)->n);
		bad += n == in_line(&cache->mag_) || n == in_line(&cache->map_);
		bad += n == in_line(&slabd_mags_1_);
		slabd_cache_close(cache);
	}
	tap_is(bad, 0, "nothing that a hit loads lies where it stores n");
	bad = 0;
	for (unsigned i = 0; i < CACHES; i++) {
		char name[16];
		slabd_objpool *objpool;
		unsigned n;
		snprintf(name, sizeof(name), "placed-%u", i);
		objpool = slabd_objpool_create(pool, name, 64, NULL);
		if (objpool == NULL)
			tap_bail("slabd_objpool_create: %s", slabd_last_error());
		n = in_line(&slabd_objs_of_(objpool)->n_);
		bad += n == in_line(&objpool->at_) ||
		       n == in_line(&objpool->reset_) ||
		       n == in_line(&slabd_objs_1_);
		slabd_objpool_destroy(objpool);
	}
	tap_is(bad, 0, "nor of an object pool's");
}

int main(void)
{
	slabd_pool *pool;
	tap_start(300);
	fixture_open(&fixture, "[slabd]\ntopology = node:1 core:2 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 128M\n");
	pool = fixture_pool(&fixture);
	test_growth(pool);
	test_fairness(pool);
	test_places(pool);
	slabd_close(pool);
	test_budget();
	fixture_close(&fixture);
	return tap_end();
}
