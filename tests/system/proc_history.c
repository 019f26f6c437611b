/* SPDX-License-Identifier: MIT */
/* What a pool was like: sampled while nobody asks, and kept as slabd is killed and
 * started again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n"
#define SIZE 4096
#define OBJECTS 2000

static struct fixture fixture;
static void *all[OBJECTS];

static void client(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "orders", SIZE);
	(void)arg;
	say(fd, fixture_take(cache, OBJECTS, all));
	hear(fd);
	slabd_free_bulk(cache, OBJECTS, all);
	slabd_close(pool);
}

/* A number of the newest point, of its first node; INT64_MIN. */
static long long newest(json_t *doc, const char *what)
{
	json_t *points = json_at(doc, "pools.0.points");
	json_t *point = json_array_get(points, json_array_size(points) - 1);
	json_t *at = json_object_get(point, what);
	if (at == NULL)
		at = json_object_get(
			json_array_get(json_object_get(point, "nodes"), 0),
			what);
	return json_is_integer(at) ? json_integer_value(at) : INT64_MIN;
}

static long long ask(const char *path, const char *what)
{
	json_t *doc = fixture_get(&fixture, path);
	long long value = newest(doc, what);
	json_decref(doc);
	return value;
}

/* Nobody else asks slabd for anything that has tags counted. */
static bool reaches(const char *what, long long least)
{
	double until = now_ms() + SURELY_MS;
	while (ask("/history", what) < least) {
		if (now_ms() > until)
			return false;
		sleep_ms(50);
	}
	return true;
}

static size_t points(const char *path)
{
	json_t *doc = fixture_get(&fixture, path);
	size_t n = json_array_size(json_at(doc, "pools.0.points"));
	json_decref(doc);
	return n;
}

/* Of the newest event of the log. */
static long long last_event(const char *what)
{
	json_t *doc = fixture_get(&fixture, "/log?limit=1");
	char path[64];
	json_t *at;
	long long value;
	snprintf(path, sizeof(path), "pools.0.events.0.%s", what);
	at = json_at(doc, path);
	value = json_is_integer(at) ? json_integer_value(at) : -1;
	json_decref(doc);
	return value;
}

/* The time is given from the oldest to the newest, and counts don't fall. */
static void test_order(void)
{
	json_t *doc = fixture_get(&fixture, "/history?span=300");
	double before = INFINITY;
	long long grown = 0;
	bool good = json_array_size(json_at(doc, "pools.0.points")) > 1;
	json_t *point;
	size_t i;
	json_array_foreach(json_at(doc, "pools.0.points"), i, point)
	{
		double ago = json_number_value(json_object_get(point, "ago_s"));
		long long n = json_integer_value(
			json_object_get(point, "grown_slabs"));
		good = good && ago < before && n >= grown;
		before = ago;
		grown = n;
	}
	tap_ok(good, "points go from the oldest to the newest");
	tap_is(json_integer_value(json_at(doc, "pools.0.schema")), 1,
	       "the document says its version");
	json_decref(doc);
}

int main(void)
{
	struct child child;
	pid_t slabd;
	size_t n;
	long long grown, seq, at_ms;
	tap_start(300);
	fixture_make(&fixture, CONFIG);
	slabd = super_start(&fixture);
	child_start(&child, client, NULL);
	tap_is((long long)hear(child.fd), OBJECTS, "a client has objects");
	tap_ok(reaches("clients", 1), "it is seen");
	tap_ok(reaches("owned_bytes", (long long)OBJECTS * SIZE),
	       "what it owns is counted though nobody asks");
	tap_ok(reaches("grown_slabs", 1), "and what the pool grew");
	json_decref(fixture_get(&fixture, "/caches"));
	tap_ok(ask("/history", "held_bytes") >= 0,
	       "what clients said as slabctl asked is noted");
	n = points("/history?span=300");
	grown = ask("/history", "grown_slabs");
	tap_ok(fixture_post(&fixture, "/trim", "node=0"),
	       "something is done by hand");
	seq = last_event("seq");
	at_ms = last_event("at_ms");
	tap_ok(seq > 0 && at_ms > 0, "and is in the log");
	slabd = super_kill(&fixture, slabd);
	tap_is(last_event("seq"), seq, "a slabd that is started anew has the log");
	tap_is(last_event("at_ms"), at_ms, "with the time of each event");
	tap_ok(points("/history?span=300") >= n,
	       "a slabd that is started anew has the past of the one before");
	tap_ok(ask("/history", "grown_slabs") >= grown,
	       "and goes on counting where that was");
	test_order();
	tap_ok(!fixture_get(&fixture, "/history?span=0"), "no span is refused");
	say(child.fd, 1);
	child_end(&child, "the client ends well");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0 &&
	               ask("/history", "clients") == 0,
	       "its end is seen");
	super_stop(&fixture, slabd, "all end well");
	fixture_remove(&fixture);
	super_end();
	return tap_end();
}
