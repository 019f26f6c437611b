/* SPDX-License-Identifier: MIT */
/* Checked mode in a pool that is used up: what was freed can be had again, also while
 * another thread has it on its way home. */
#include <pthread.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 4M\nmax = 8M\n"
#define SIZE 65536u
#define MANY 400u
#define ROUNDS 2000u
#define SELDOM 100u /* slabd may look at the slab for as long as it is not run */

static struct fixture fixture;
static void *object[MANY];
static bool over; /* (A) */

/* What is kept goes home all the time. */
static void *flush(void *arg)
{
	while (!atom_load(&over))
		slabd_thread_flush(arg);
	return NULL;
}

static void test_on_its_way(slabd_pool *pool, slabd_cache *cache)
{
	pthread_t thread;
	unsigned failed = 0;
	if (pthread_create(&thread, NULL, flush, pool) != 0)
		tap_bail("pthread_create");
	for (unsigned i = 0; i < ROUNDS; i++) {
		slabd_free(cache, object[0]);
		object[0] = slabd_alloc(cache);
		while (object[0] == NULL) {
			failed++;
			object[0] = slabd_alloc(cache);
		}
	}
	atom_store(&over, true);
	pthread_join(thread, NULL);
	tap_ok(failed * SELDOM <= ROUNDS, "what is on its way home can be had");
	tap_note("%u of %u times not", failed, ROUNDS);
}

int main(void)
{
	struct slabd_options options;
	slabd_pool *pool;
	slabd_cache *cache;
	unsigned n = 0;
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	options = fixture_options(&fixture, SLABD_CHECKED);
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "full", SIZE);
	while (n < MANY && (object[n] = slabd_alloc(cache)) != NULL)
		n++;
	tap_ok(n > 8 && n < MANY, "the pool is used up, by %u", n);
	test_on_its_way(pool, cache);
	slabd_free_bulk(cache, n, object);
	tap_is(slabd_close(pool), 0, "close");
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is left");
	fixture_audit(&fixture, "at the end");
	fixture_close(&fixture);
	return tap_end();
}
