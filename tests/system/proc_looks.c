/* SPDX-License-Identifier: MIT */
/* Looks and audits beside a client that grows: it gets all that is to be had, no
 * audit cries wolf, and what is told when all is quiet is exact. */
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/turns.h"

#define SIZE 64
#define MIB (1u << 20)
#define GROW_MIB 48u
#define MANY (GROW_MIB * MIB / SIZE)
#define WATCHERS 8u
#define LOOKS 12u

static struct fixture fixture;
static void *all[MANY];

/* Whether a document is there, and of an audit says that all agree. */
static bool look(const char *path)
{
	json_t *doc = fixture_get(&fixture, path);
	json_t *agree = json_at(doc, "agree");
	bool good = doc != NULL && (agree == NULL || json_is_true(agree));
	if (!good)
		tap_note("%s: %s", path,
		         doc == NULL ? "no answer" : "does not agree");
	json_decref(doc);
	return good;
}

static void watcher(int fd, void *arg)
{
	static const char *const paths[] = {"/status", "/nodes", "/caches",
	                                    "/clients", "/audit"};
	unsigned first = *(const unsigned *)arg;
	unsigned good = 0;
	(void)fd;
	for (unsigned i = 0; i < LOOKS; i++)
		good += look(paths[(first + i) % 5]);
	tap_is(good, LOOKS, "watcher %u sees all", first);
}

/* Takes all, gives every other one back, twice: slabs come and go, and stay. */
static void grower(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "orders", SIZE);
	struct slabd_stats stats = {0};
	size_t n = 0;
	(void)fd;
	(void)arg;
	for (unsigned round = 0; round < 2; round++) {
		for (n = 0; n < MANY; n++)
			if (all[n] == NULL &&
			    (all[n] = slabd_alloc(cache)) == NULL)
				break;
		tap_is((long long)n, MANY, "a client grows beside them");
		for (size_t i = 0; i < n; i += 2) {
			slabd_free(cache, all[i]);
			all[i] = NULL;
		}
	}
	slabd_get_stats(pool, &stats);
	tap_is((long long)stats.failures, 0, "and is never refused");
	slabd_flush(pool);
	tap_is(fixture_number(&fixture, "/caches", "pools.0.caches.0.used"),
	       MANY / 2, "what it has in use is told to the object");
	slabd_close(pool);
}

static void beside(void)
{
	static unsigned number[WATCHERS];
	struct child watchers[WATCHERS];
	struct child child;
	struct turns before;
	struct turns turns;
	tap_ok(turns_read(&fixture, &before), "turns are told");
	child_start(&child, grower, NULL);
	for (unsigned i = 0; i < WATCHERS; i++) {
		number[i] = i;
		child_start(&watchers[i], watcher, &number[i]);
	}
	for (unsigned i = 0; i < WATCHERS; i++)
		child_end(&watchers[i], "a watcher ends well");
	child_end(&child, "the client ends well");
	tap_ok(turns_read(&fixture, &turns), "turns are told again");
	turns_subtract(&turns, &before);
	tap_ok(turns.count > 0 && turns_below_us(&turns) > 0,
	       "the looks are in them");
	tap_note("%llu turns, each below %llu us",
	         (unsigned long long)turns.count,
	         (unsigned long long)turns_below_us(&turns));
	fixture_audit(&fixture, "after that");
	tap_is(fixture_owned(&fixture), 0, "and nobody has anything");
}

int main(void)
{
	tap_start(600);
	fixture_open(&fixture,
	             "[pool default]\nstart = 4M\nmax = %uM\npage = 4k\n",
	             GROW_MIB + 16);
	beside();
	fixture_close(&fixture);
	return tap_end();
}
