/* SPDX-License-Identifier: MIT */
/* Clients come and go faster than slabd's second sweeps, which come half a second
 * after each: who has gone takes no place. */
#include <errno.h>
#include <string.h>

#include "tests/lib/harness.h"

#define PLACES 64
#define STANDING (PLACES - 1) /* who stay meanwhile */
#define TURNS (8 * PLACES)

static struct fixture fixture;

static slabd_pool *open_pool(void)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	return slabd_open(NULL, &options);
}

/* True if it was let in, had an object and was seen off. */
static bool come_and_go(void)
{
	slabd_pool *pool = open_pool();
	slabd_cache *cache;
	if (pool == NULL)
		return false;
	cache = fixture_cache(pool, "passing", 64);
	if (slabd_alloc(cache) == NULL)
		return false;
	return slabd_close(pool) == 0;
}

static unsigned turn_over(void)
{
	unsigned failed = 0;
	double since = now_ms();
	for (unsigned i = 0; i < TURNS; i++) {
		if (come_and_go())
			continue;
		if (failed++ == 0)
			tap_note("the %uth: %s", i + 1, slabd_last_error());
	}
	tap_note("%u opened and closed in %.0f ms", TURNS, now_ms() - since);
	return failed;
}

/* All places but one are taken: that one is had again and again. */
static void passes(int fd, void *arg)
{
	slabd_pool *standing[STANDING];
	slabd_pool *last;
	(void)fd;
	(void)arg;
	tap_is(turn_over(), 0, "%u come and go, with %u places", TURNS, PLACES);
	for (unsigned i = 0; i < STANDING; i++) {
		standing[i] = open_pool();
		if (standing[i] == NULL)
			tap_bail("the %uth place: %s", i + 1,
			         slabd_last_error());
	}
	tap_is(turn_over(), 0, "and with one that is left");
	last = open_pool();
	tap_ok(last != NULL, "which can be had once more");
	fixture_fails(open_pool() == NULL, EAGAIN, "one more than the places");
	tap_ok(strstr(slabd_last_error(), "max_clients") != NULL,
	       "is told what to raise");
	slabd_close(last);
	for (unsigned i = 0; i < STANDING; i++)
		slabd_close(standing[i]);
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"
	             "max_clients = %u\n",
	             PLACES);
	child_start(&child, passes, NULL);
	child_end(&child, "who comes and goes ends well");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0,
	       "nobody is left");
	tap_is(fixture_number(&fixture, "/status", "pools.0.deaths"), 0,
	       "all said goodbye");
	fixture_audit(&fixture, "after the last");
	fixture_close(&fixture);
	return tap_end();
}
