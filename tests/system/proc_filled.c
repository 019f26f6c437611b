/* SPDX-License-Identifier: MIT */
/*
 * What slabd sees of objects that are never filled: of a cache of 512 bytes whose
 * objects have 200, with the memory that a smaller one saves; of those that are full
 * nothing is said, nor of those that nobody has written to. Slabs that come and go
 * while it looks harm nothing.
 */
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define OBJECTS 4000u
#define SIZE 512u
#define FILLED 200u
#define LOOKS 20u

static struct fixture fixture;

static void fill(slabd_cache *cache, unsigned bytes)
{
	static void *all[OBJECTS];
	size_t n = fixture_take(cache, OBJECTS, all);
	for (size_t i = 0; i < n; i++)
		memset(all[i], 0x5a, bytes);
}

/* Has its objects, says so, and has them until it is told to end. */
static void keeper(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(arg);
	fill(fixture_cache(pool, "part", SIZE), FILLED);
	fill(fixture_cache(pool, "full", SIZE), SIZE);
	fill(fixture_cache(pool, "none", SIZE), 0);
	fixture_cache(pool, "empty", SIZE);
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

/* Fills slabs and gives them back, again and again, until it is killed. */
static void changer(int fd, void *arg)
{
	static void *all[OBJECTS];
	slabd_pool *pool = fixture_pool(arg);
	slabd_cache *cache[2] = {fixture_cache(pool, "odd", 1040),
	                         fixture_cache(pool, "even", 8192)};
	say(fd, 1);
	for (unsigned i = 0;; i++) {
		size_t n = slabd_alloc_bulk(cache[i % 2], OBJECTS / 4, all);
		for (size_t k = 0; k < n; k++)
			memset(all[k], 1, 16);
		slabd_free_bulk(cache[i % 2], n, all);
	}
}

/* What is said of a cache's objects: borrowed, or NULL. */
static json_t *advice_of(json_t *doc, const char *cache)
{
	size_t i;
	json_t *one;
	json_array_foreach(json_at(doc, "advice"), i, one) {
		const char *of = json_string_value(json_object_get(one, "cache"));
		const char *kind = json_string_value(json_object_get(one, "kind"));
		if (of != NULL && strcmp(of, cache) == 0 &&
		    strcmp(kind, "unused") == 0)
			return one;
	}
	return NULL;
}

static long long seen_of(json_t *doc, const char *cache, const char *key)
{
	size_t i;
	json_t *one;
	json_array_foreach(json_at(doc, "pools.0.caches"), i, one)
		if (strcmp(json_string_value(json_object_get(one, "name")),
		           cache) == 0)
			return json_integer_value(json_object_get(one, key));
	return -1;
}

static void test_said(void)
{
	json_t *doc = fixture_get(&fixture, "/advise");
	json_t *said = advice_of(doc, "part");
	const char *what = json_string_value(json_object_get(said, "what"));
	tap_ok(what != NULL &&
	               strstr(what, "objects of 512 bytes hold at most 200") &&
	               strstr(what, "a cache of 208 would take 59% less"),
	       "objects of 512 bytes that have 200: said, with what would do");
	tap_ok(json_integer_value(json_object_get(said, "saves_bytes")) >=
	               OBJECTS * (SIZE - 208) / 2,
	       "and what that saves");
	tap_ok(seen_of(doc, "part", "looked") >= 64 &&
	               seen_of(doc, "part", "looked") <= OBJECTS,
	       "some of them were looked at");
	tap_is(seen_of(doc, "part", "filled_bytes"), FILLED, "to a byte");
	tap_ok(advice_of(doc, "full") == NULL, "of full ones nothing is said");
	tap_is(seen_of(doc, "full", "filled_bytes"), SIZE,
	       "they were looked at, too");
	tap_ok(advice_of(doc, "none") == NULL && advice_of(doc, "empty") == NULL,
	       "nor of those that nobody has written to, or that there are none of");
	tap_is(seen_of(doc, "none", "looked") + seen_of(doc, "empty", "looked"),
	       0, "these don't count");
	json_decref(doc);
}

static void test_changing(void)
{
	struct child child;
	unsigned good = 0;
	child_start(&child, changer, &fixture);
	hear(child.fd);
	for (unsigned i = 0; i < LOOKS; i++) {
		json_t *doc = fixture_get(&fixture, "/advise");
		good += advice_of(doc, "part") != NULL &&
		        advice_of(doc, "full") == NULL;
		json_decref(doc);
	}
	tap_is(good, LOOKS, "the same while slabs come and go");
	child_kill(&child);
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 4M\n"
	                       "floor = 4M\nmax = 64M\n");
	child_start(&child, keeper, &fixture);
	hear(child.fd);
	test_said();
	test_changing();
	say(child.fd, 1);
	child_end(&child, "its client");
	fixture_audit(&fixture, "in the end all agrees");
	fixture_close(&fixture);
	return tap_end();
}
