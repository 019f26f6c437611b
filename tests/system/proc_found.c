/* SPDX-License-Identifier: MIT */
/*
 * An audit says so, as long as a client holds free what it should not: an object
 * that it freed twice, one that it has not, the inside of one. And nothing where
 * threads pass objects on as fast as they can.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "shm/atom.h"
#include "shm/wire.h"
#include "tests/lib/harness.h"

#define SIZE 64
#define MANY 3000u
#define AUDITS 12u
#define RING 8u

static struct fixture fixture;

/* ---- what an audit says -------------------------------------------------- */

static char detail[600];

/* How many faults of a clause there are, of all; the last one's text. */
static unsigned count_faults(const char *clause, unsigned *all)
{
	json_t *doc = fixture_get(&fixture, "/audit");
	json_t *faults = json_at(doc, "pools.0.faults");
	unsigned n = 0;
	for (size_t i = 0; i < json_array_size(faults); i++) {
		json_t *fault = json_array_get(faults, i);
		if (strcmp(json_string_value(json_object_get(fault, "clause")),
		           clause) != 0)
			continue;
		snprintf(detail, sizeof(detail), "%s",
		         json_string_value(json_object_get(fault, "detail")));
		n++;
	}
	*all = (unsigned)json_array_size(faults);
	if (json_is_true(json_object_get(doc, "agree")) != (*all == 0))
		*all = UINT32_MAX;
	json_decref(doc);
	return n;
}

/* Asks until the client had the time to answer, or a minute. */
static bool finds(const char *clause, unsigned n)
{
	double end = now_ms() + SURELY_MS;
	unsigned all;
	detail[0] = '\0';
	while (count_faults(clause, &all) != n || all != n)
		if (now_ms() > end)
			return false;
	return true;
}

static void is_found(slabd_pool *pool, const char *what, const char *clause,
                     const void *object, const char *word)
{
	char who[64];
	char where[32];
	snprintf(who, sizeof(who), "by client %u (", slabd_client_id(pool));
	snprintf(where, sizeof(where), "cache found: 0x%llx",
	         (unsigned long long)(slabd_handle_of(pool, object) &
	                              ((UINT64_C(1) << 47) - 1)));
	if (!tap_ok(finds(clause, 1) && strstr(detail, who) != NULL &&
	                    strstr(detail, where) != NULL &&
	                    strstr(detail, word) != NULL &&
	                    strstr(detail, "SLABD_CHECKED=yes") != NULL,
	            "%s is found", what))
		tap_note("%s", detail);
}

/* Flushed, it is refused, and nothing is held any more. */
static void is_over(slabd_pool *pool)
{
	slabd_flush(pool);
	fixture_audit(&fixture, "after a flush");
}

/* ---- faults -------------------------------------------------------------- */

static void test_twice(slabd_pool *pool, slabd_cache *cache)
{
	void *object = slabd_alloc(cache);
	slabd_free(cache, object);
	slabd_free(cache, object);
	is_found(pool, "a double free", "held-twice", object, "twice");
	is_over(pool);
}

static void test_freed(slabd_pool *pool, slabd_cache *cache)
{
	void *object = slabd_alloc(cache);
	slabd_free(cache, object);
	slabd_flush(pool);
	slabd_free(cache, object);
	is_found(pool, "a free of what is free", "held-not-own", object,
	         "which is free,");
	is_over(pool);
}

static void test_inside(slabd_pool *pool, slabd_cache *cache)
{
	char *object = slabd_alloc(cache);
	slabd_free(cache, object + 8);
	tap_ok(finds("held-inside", 1), "a free of what is inside is found");
	is_over(pool);
	slabd_free(cache, object);
}

static void test_others(slabd_pool *a, slabd_cache *ca, slabd_pool *b,
                        slabd_cache *cb)
{
	void *object = slabd_alloc(ca);
	slabd_handle handle = slabd_handle_of(a, object);
	char owner[48];
	snprintf(owner, sizeof(owner), "which is client %u's (",
	         slabd_client_id(b));
	slabd_give(a, object, slabd_client_id(b));
	slabd_free(ca, object);
	is_found(a, "a free after a give", "held-not-own", object, owner);
	is_over(a);
	slabd_free(cb, slabd_pointer(b, handle));
	is_found(b, "a free of a gift", "held-not-own", slabd_pointer(b, handle),
	         "a gift that it has not taken");
	is_over(b);
	slabd_free(cb, slabd_take(b, handle));
}

/* Many frees later it lies in the depot, and once more in a magazine. */
static void test_depot(slabd_pool *pool, slabd_cache *cache)
{
	static void *object[MANY];
	fixture_take(cache, MANY, object);
	slabd_free_bulk(cache, MANY, object);
	slabd_free(cache, object[0]);
	is_found(pool, "a double free that is in the depot, too", "held-twice",
	         object[0], "twice");
	is_over(pool);
}

struct asleep {
	slabd_cache *cache;
	void *object;
	uint32_t state; /* (A) 1: it has freed; 2: it may end */
};

static void *free_and_sleep(void *arg)
{
	struct asleep *asleep = arg;
	slabd_free(asleep->cache, asleep->object);
	atom_store(&asleep->state, 1u);
	while (atom_load(&asleep->state) != 2)
		sleep_ms(1);
	return NULL;
}

static void test_threads(slabd_pool *pool, slabd_cache *cache)
{
	struct asleep asleep = {.cache = cache, .object = slabd_alloc(cache)};
	pthread_t thread;
	pthread_create(&thread, NULL, free_and_sleep, &asleep);
	while (atom_load(&asleep.state) != 1)
		sleep_ms(1);
	slabd_free(cache, asleep.object);
	is_found(pool, "a double free by two threads", "held-twice",
	         asleep.object, "twice");
	atom_store(&asleep.state, 2u);
	pthread_join(thread, NULL);
	is_over(pool);
}

struct poller {
	slabd_pool *pool;
	uint32_t ends; /* (A) */
};

static void *poll_on(void *arg)
{
	struct poller *poller = arg;
	while (atom_load(&poller->ends) == 0) {
		slabd_poll(poller->pool);
		sleep_ms(1);
	}
	return NULL;
}

/* One that has no helper answers as it is polled. */
static void test_polled(void)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_cache *cache = fixture_cache(pool, "found", SIZE);
	void *object = slabd_alloc(cache);
	struct poller poller = {.pool = pool};
	pthread_t thread;
	unsigned all = 0;
	slabd_free(cache, object);
	slabd_free(cache, object);
	tap_ok(count_faults("held-twice", &all) == 0 && all == 0,
	       "of who does not say nothing is known");
	pthread_create(&thread, NULL, poll_on, &poller);
	is_found(pool, "once it is polled its fault", "held-twice", object,
	         "twice");
	atom_store(&poller.ends, 1u);
	pthread_join(thread, NULL);
	slabd_close(pool);
}

/* ---- no faults ----------------------------------------------------------- */

/* Objects go round between two threads, that free what the other allocated: a few
 * that are always the same, in small magazines. */
struct round {
	slabd_cache *cache;
	void *ring[RING]; /* (A) */
	uint32_t ends;    /* (A) */
};

static void *put_in(void *arg)
{
	struct round *round = arg;
	for (unsigned i = 0; atom_load(&round->ends) == 0; i++) {
		void *object;
		/* pairs: take_out */
		if (atom_load_acquire(&round->ring[i % RING]) != NULL)
			continue;
		object = slabd_alloc(round->cache);
		/* pairs: take_out */
		atom_store_release(&round->ring[i % RING], object);
	}
	return NULL;
}

static void *take_out(void *arg)
{
	struct round *round = arg;
	for (unsigned i = 0; atom_load(&round->ends) == 0; i++) {
		/* pairs: put_in */
		void *object = atom_load_acquire(&round->ring[i % RING]);
		if (object == NULL)
			continue;
		/* pairs: put_in */
		atom_store_release(&round->ring[i % RING], (void *)NULL);
		slabd_free(round->cache, object);
	}
	return NULL;
}

static void test_right(slabd_cache *cache)
{
	static struct round round[2];
	unsigned faults = 0;
	pthread_t thread[4];
	round[0].cache = round[1].cache = cache;
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, i % 2 ? take_out : put_in,
		               &round[i / 2]);
	for (unsigned i = 0; i < AUDITS; i++) {
		unsigned all;
		count_faults("", &all);
		faults += all;
	}
	tap_is(faults, 0, "nothing is wrong while objects go round");
	atom_store(&round[0].ends, 1u);
	atom_store(&round[1].ends, 1u);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < 2 * RING; i++)
		slabd_free(cache, round[i / RING].ring[i % RING]);
}

int main(void)
{
	slabd_pool *a, *b;
	slabd_cache *ca, *cb;
	tap_start(240);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 4M\nmax = 8M\n");
	a = fixture_pool(&fixture);
	b = fixture_pool(&fixture);
	ca = fixture_cache(a, "found", SIZE);
	cb = fixture_cache(b, "found", SIZE);
	test_right(ca);
	test_twice(a, ca);
	test_freed(a, ca);
	test_inside(a, ca);
	test_others(a, ca, b, cb);
	test_depot(a, ca);
	test_threads(a, ca);
	test_polled();
	tap_is(slabd_close(b), 0, "close");
	tap_is(slabd_close(a), 0, "close");
	fixture_audit(&fixture, "at the end");
	fixture_close(&fixture);
	return tap_end();
}
