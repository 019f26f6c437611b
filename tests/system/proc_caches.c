/* SPDX-License-Identifier: MIT */
/* Caches end: what nobody uses makes room, and what somebody uses does not. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/rng.h"
#include "tests/lib/super.h"

#define CACHES 70u
#define CONFIG                                                                 \
	"[pool default]\npage = 4k\nstart = 2M\nmax = 16M\nmax_caches = 70\n"
#define OBJECTS 100u

static struct fixture fixture;

static slabd_pool *quiet_pool(void)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* Makes caches until one is refused; how many. */
static unsigned make_all(slabd_pool *pool, const char *what, unsigned n,
                         bool closes)
{
	unsigned i;
	for (i = 0; i < n; i++) {
		char name[32];
		slabd_cache *cache;
		snprintf(name, sizeof(name), "%s-%u", what, i);
		cache = slabd_cache_create(pool, name, 64, 0, 0);
		if (cache == NULL)
			return i;
		if (closes)
			slabd_cache_close(cache);
	}
	return i;
}

static bool says(const char *text)
{
	if (strstr(slabd_last_error(), text) != NULL)
		return true;
	tap_note("%s", slabd_last_error());
	return false;
}

/* ---- names that nobody uses --------------------------------------------- */

static void hoarder(int fd, void *arg)
{
	(void)arg;
	say(fd, make_all(quiet_pool(), "hoard", CACHES, false));
	hear(fd);
}

static void test_names(void)
{
	struct child child;
	slabd_pool *pool = quiet_pool();
	tap_is(make_all(pool, "mine", 3 * CACHES, true), 3 * CACHES,
	       "names that were closed make room for others");
	slabd_close(pool);
	child_start(&child, hoarder, NULL);
	tap_is((long long)hear(child.fd), CACHES, "one client has all open");
	pool = quiet_pool();
	fixture_fails(slabd_cache_create(pool, "more", 64, 0, 0) == NULL,
	              ENOSPC, "another one gets none");
	tap_ok(says("all are open or have objects in use"), "and hears why");
	fixture_fails(slabd_cache_remove(pool, "hoard-3") < 0, EBUSY,
	              "one that is open is not removed");
	tap_ok(says("1 client has it open (client"), "and it is said by whom");
	child_kill(&child);
	fixture_until(&fixture, "/status", "pools.0.clients", 1, SURELY_MS);
	tap_is(make_all(pool, "mine", CACHES, false), CACHES,
	       "with its end all of them can be had");
	slabd_close(pool);
	fixture_audit(&fixture, "the accounts are exact");
}

/* ---- by hand ------------------------------------------------------------ */

static void test_remove(void)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_create(pool, "big", 4096, 0, 0);
	static void *all[OBJECTS];
	fixture_fails(slabd_cache_remove(pool, "nobody's") < 0, ENOENT,
	              "what is not there");
	tap_is((long long)fixture_take(cache, OBJECTS, all), OBJECTS,
	       "objects of a cache");
	fixture_fails(slabd_cache_remove(pool, "big") < 0, EBUSY,
	              "that is open");
	slabd_cache_close(cache);
	fixture_fails(slabd_cache_remove(pool, "big") < 0, EBUSY,
	              "that has objects in use");
	tap_ok(says("100 of its objects are in use (client"),
	       "and it is said how many and whose");
	tap_ok(!fixture_post(&fixture, "/cache", "action=remove&cache=big"),
	       "nor does slabctl remove it");
	cache = slabd_cache_create(pool, "big", 4096, 0, SLABD_CACHE_FIND);
	slabd_free_bulk(cache, OBJECTS, all);
	slabd_cache_close(cache);
	tap_is(slabd_cache_remove(pool, "big"), 0, "once it is unused it goes");
	fixture_fails(slabd_cache_create(pool, "big", 4096, 0,
	                                 SLABD_CACHE_FIND) == NULL,
	              ENOENT, "and is not found");
	slabd_cache_close(slabd_cache_create(pool, "big", 64, 0, 0));
	tap_ok(fixture_post(&fixture, "/cache", "action=remove&cache=big"),
	       "slabctl removes one");
	tap_ok(!fixture_post(&fixture, "/cache", "action=remove&cache=big"),
	       "and no other");
	slabd_close(pool);
	fixture_audit(&fixture, "the accounts are exact");
}

/* ---- a struct that grew ------------------------------------------------- */

static void old_worker(int fd, void *arg)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_create(pool, "session", 100, 0, 0);
	void *object = slabd_alloc(cache);
	(void)arg;
	say(fd, slabd_handle_of(pool, object));
	hear(fd);
	tap_ok(slabd_give(pool, object, (unsigned)hear(fd)) == 0,
	       "an old one gives an object to a new one");
	slabd_close(pool);
	say(fd, 1);
	hear(fd);
}

static void test_grown(void)
{
	struct child old;
	slabd_pool *pool;
	slabd_cache *grown;
	slabd_cache *before;
	slabd_handle handle;
	long long n;
	child_start(&old, old_worker, NULL);
	handle = hear(old.fd);
	pool = quiet_pool();
	fixture_fails(slabd_cache_create(pool, "session", 200, 0, 0) == NULL,
	              EEXIST, "a name with another size");
	tap_ok(says("exists with size 100") && says("not 200") &&
	               says("SLABD_CACHE_BESIDE"),
	       "both sizes are named, and the way out");
	grown = slabd_cache_create(pool, "session", 200, 0, SLABD_CACHE_BESIDE);
	before = slabd_cache_create(pool, "session", 100, 0, SLABD_CACHE_FIND);
	tap_ok(grown != NULL && before != NULL && grown != before,
	       "both are there at the same time");
	say(old.fd, 1);
	say(old.fd, slabd_client_id(pool));
	hear(old.fd);
	slabd_free(before, slabd_take(pool, handle));
	slabd_flush(pool);
	n = fixture_number(&fixture, "/status", "pools.0.caches");
	slabd_cache_close(before);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.caches", n - 1,
	                     SURELY_MS) >= 0,
	       "the older one goes by itself after its last user");
	tap_ok(slabd_alloc(grown) != NULL, "the newer one goes on");
	slabd_close(pool);
	say(old.fd, 1);
	child_end(&old, "the old one ends well");
	/* Nobody has it open or owns anything: any size will do. */
	pool = quiet_pool();
	tap_ok(slabd_cache_create(pool, "session", 300, 0, 0) != NULL,
	       "a name that nobody uses is taken with any size");
	slabd_close(pool);
	fixture_audit(&fixture, "the accounts are exact");
}

/* ---- over a restart ----------------------------------------------------- */

static void keeper(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = slabd_cache_create(pool, "kept", 64, 0, 0);
	slabd_cache *other = slabd_cache_create(pool, "shut", 64, 0, 0);
	(void)arg;
	say(fd, cache != NULL && other != NULL);
	hear(fd);
	/* No slabd hears of it. */
	slabd_cache_close(other);
	say(fd, 1);
	hear(fd);
	slabd_cache_close(cache);
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

/* Within a minute, as a client may be on its way back with the news. */
static bool is_removed(slabd_pool *pool, const char *name)
{
	double until = now_ms() + SURELY_MS;
	int r;
	do
		r = slabd_cache_remove(pool, name);
	while (r < 0 && errno == EBUSY && now_ms() < until);
	return r == 0;
}

static void test_restart(void)
{
	struct child child;
	slabd_pool *pool;
	pid_t slabd;
	fixture_make(&fixture, CONFIG);
	slabd = super_start(&fixture);
	child_start(&child, keeper, NULL);
	hear(child.fd);
	kill(fixture.pid, SIGSTOP);
	kill(slabd, SIGKILL);
	say(child.fd, 1);
	hear(child.fd);
	kill(fixture.pid, SIGCONT);
	slabd = super_next(&fixture, slabd);
	pool = quiet_pool();
	fixture_fails(slabd_cache_remove(pool, "kept") < 0, EBUSY,
	              "the next slabd knows who has what open");
	tap_ok(is_removed(pool, "shut"),
	       "and hears what was closed while there was none");
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(is_removed(pool, "kept"), "what is closed then ends");
	slabd_close(pool);
	say(child.fd, 1);
	child_end(&child, "its client ends well");
	fixture_audit(&fixture, "the accounts are exact");
	super_stop(&fixture, slabd, "slabd ends well");
	fixture_remove(&fixture);
}

/* ---- slabd dies while a cache ends --------------------------------------- */

#define RESHAPES 6u
#define RESHAPED_MIB 24u

/* A cache with many empty slabs that nobody has open is asked for in another size:
 * slabd takes the slabs apart in slices. */
static void reshaper(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	size_t most = (RESHAPED_MIB << 20) / 16;
	void **all = malloc(most * sizeof(*all));
	(void)arg;
	for (unsigned i = 0; i < RESHAPES; i++) {
		size_t size = i % 2 == 0 ? 16 : 32;
		slabd_cache *cache;
		say(fd, 1);
		cache = slabd_cache_create(pool, "reshaped", size, 0, 0);
		if (cache == NULL)
			break;
		slabd_free_bulk(cache, fixture_take(cache, most / (i % 2 + 1), all),
		                all);
		slabd_flush(pool);
		slabd_cache_close(cache);
		say(fd, 2);
	}
	say(fd, 0);
	free(all);
	slabd_close(pool);
}

static void test_reshaped(void)
{
	struct rng rng = rng_start("proc_caches");
	struct child child;
	unsigned begun = 0, made = 0;
	uint64_t said;
	pid_t slabd;
	fixture_make(&fixture, "[pool default]\npage = 4k\nstart = 2M\n"
	                       "max = 64M\n");
	slabd = super_start(&fixture);
	child_start(&child, reshaper, NULL);
	while ((said = hear(child.fd)) != 0) {
		begun += said == 1;
		made += said == 2;
		if (said != 1)
			continue;
		usleep((useconds_t)rng_below(&rng, 1500));
		slabd = super_kill(&fixture, slabd);
	}
	tap_is(made, RESHAPES, "each is answered, by one slabd or the next");
	tap_is(begun, RESHAPES, "and none twice");
	child_end(&child, "its client ends well");
	fixture_audit(&fixture, "the accounts are exact");
	super_stop(&fixture, slabd, "slabd ends well");
	fixture_remove(&fixture);
}

/* ---- opened again ------------------------------------------------------- */

/* What slabd, which stands still, would have to say is not asked for. */
static void test_again(void)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_create(pool, "again", 64, 0, 0);
	slabd_cache *beside =
		slabd_cache_create(pool, "again", 100, 0, SLABD_CACHE_BESIDE);
	bool same = cache != NULL && beside != NULL && cache != beside;
	fixture_signal(&fixture, SIGSTOP);
	for (unsigned i = 0; i < 100000; i++)
		same = same &&
		       slabd_cache_create(pool, "again", 64, 0, 0) == cache;
	same = same && slabd_cache_create(pool, "again", 100, 0,
	                                  SLABD_CACHE_FIND) == beside;
	fixture_signal(&fixture, SIGCONT);
	tap_ok(same, "a cache that is open is opened again without slabd");
	for (unsigned i = 0; i < 100000; i++)
		slabd_cache_close(cache);
	slabd_cache_close(beside);
	fixture_fails(slabd_cache_create(pool, "again", 64, 0,
	                                 SLABD_CACHE_NEW) == NULL,
	              EEXIST, "one that must be new is not");
	fixture_fails(slabd_cache_create(pool, "again", 101, 0, 0) == NULL,
	              EEXIST, "nor one of another size");
	slabd_free(cache, slabd_alloc(cache));
	slabd_cache_close(cache);
	slabd_cache_close(beside);
	tap_ok(is_removed(pool, "again"), "the last close is the last");
	slabd_close(pool);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	test_names();
	test_remove();
	test_grown();
	test_again();
	fixture_close(&fixture);
	test_restart();
	test_reshaped();
	super_end();
	return tap_end();
}
