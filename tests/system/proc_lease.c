/* SPDX-License-Identifier: MIT */
/* A client that stands still with a lease in its hand holds up nobody. */
#include <errno.h>
#include <string.h>

#include "client/handle.h"
#include "client/types.h"
#include "client/want.h"
#include "shm/lease.h"
#include "shm/slab.h"
#include "tests/lib/asked.h"
#include "tests/lib/harness.h"

#define SIZE 1000
#define WAIT_MS 1000 /* as by default */

static struct fixture fixture;

/* Takes the lease of the slab in which an object lies, as a client does that
 * is stopped there. The slab. */
static uint32_t stand_still(slabd_pool *pool, const void *object)
{
	struct slab_place place;
	if (slab_locate(&pool->view,
	                handle_off(slabd_handle_of(pool, object)), &place) < 0)
		tap_bail("no object there");
	while (!lease_take_any(&pool->view.leases[place.head], pool->user.id,
	                       pool->user.epoch))
		sleep_ms(1);
	return place.head;
}

/* Of all that are open, whether slabd took none for a flood. */
static void test_calm(slabd_pool *pool, const char *when)
{
	unsigned id = slabd_client_id(pool);
	tap_is(fixture_number(&fixture, "/status", "dropped.flood"), 0,
	       "%s: it is no flood", when);
	tap_ok(fixture_client(&fixture, id, "connected") == 1,
	       "%s: it is connected", when);
	tap_ok(fixture_client(&fixture, id, "rings") < 600,
	       "%s: it rang %lld times", when,
	       fixture_client(&fixture, id, "rings"));
}

static void test_room(slabd_pool *still, slabd_pool *other)
{
	slabd_cache *cache = fixture_cache(still, "held", SIZE);
	slabd_cache *same = fixture_cache(other, "held", SIZE);
	void *object = slabd_alloc(cache);
	uint32_t head;
	double ms;
	unsigned n = 1;
	slabd_flush(still);
	head = stand_still(still, object);
	/* slabd may be late, and the lease is held for all that. */
	asked_begin();
	while ((object = slabd_alloc(same)) == NULL && n < SURELY_MS / WAIT_MS)
		n++;
	ms = asked_end();
	tap_ok(object != NULL,
	       "another client gets an object of another slab");
	tap_note("asked %u times, waited %.1f ms", n, ms);
	slabd_free(same, object);
	slabd_flush(other);
	test_calm(other, "room");
	lease_drop_own(&still->view.leases[head]);
}

/* Until slabd says that there is no more, and is not merely late. */
static void use_up(slabd_cache *cache)
{
	while (slabd_alloc(cache) != NULL ||
	       strstr(slabd_last_error(), "full") == NULL)
		continue;
}

/* The pool is full, but for the slab that is held. */
static void test_full(slabd_pool *still, slabd_pool *other)
{
	slabd_cache *cache = fixture_cache(still, "last", SIZE);
	slabd_cache *same = fixture_cache(other, "last", SIZE);
	slabd_cache *fill = fixture_cache(other, "fill", 60000);
	void *object = slabd_alloc(cache);
	uint32_t head = stand_still(still, object);
	double since;
	lease_drop_own(&still->view.leases[head]);
	use_up(fill);
	use_up(cache);
	stand_still(still, object);
	slabd_free(cache, object);
	slabd_flush(still);
	for (unsigned i = 0; i < 3; i++) {
		double ms;
		asked_begin();
		errno = 0;
		tap_ok(slabd_alloc(same) == NULL && errno == ENOMEM,
		       "where nothing else is free, it gets ENOMEM");
		ms = asked_end();
		tap_ok(ms <= WAIT_MS, "having waited for no longer than it may");
		tap_note("%.1f ms", ms);
	}
	test_calm(other, "full");
	lease_drop_own(&still->view.leases[head]);
	/* slabd asks for refused lists anew a while later. */
	for (since = now_ms(); now_ms() < since + SURELY_MS; sleep_ms(5))
		if ((object = slabd_alloc(same)) != NULL)
			break;
	tap_ok(object != NULL, "and the object, once the lease is free");
}

/* A list that is bare for this client each time that it looks, and not for
 * slabd: the want is set as if it had looked, as often as can be. */
static void test_eager(slabd_pool *pool)
{
	slabd_cache *cache = fixture_cache(pool, "eager", SIZE);
	uint32_t id = cache_of(cache)->id;
	unsigned self = slabd_client_id(pool);
	double until = now_ms() + SURELY_MS;
	long long rings;
	/* For longer where it has no processor of its own. */
	do {
		double since = now_ms();
		while (now_ms() < since + 1500)
			want_tell(pool, id, 0);
		rings = fixture_client(&fixture, self, "rings");
	} while (rings <= 500 && now_ms() < until);
	tap_ok(rings > 500,
	       "a client that rings for each want");
	tap_is(fixture_number(&fixture, "/status", "dropped.flood"), 0,
	       "is no flood either");
	tap_is(fixture_client(&fixture, self, "connected"), 1, "and connected");
}

/* Waits for a second, as clients do by default. */
static slabd_pool *open_pool(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool;
	options.wait_ms = WAIT_MS;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

int main(void)
{
	slabd_pool *still;
	slabd_pool *other;
	tap_start(300);
	fixture_open(&fixture, "[slabd]\ntopology = node:1 core:2 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	still = open_pool();
	other = open_pool();
	test_room(still, other);
	test_full(still, other);
	slabd_close(other);
	test_eager(still);
	slabd_close(still);
	fixture_close(&fixture);
	return tap_end();
}
