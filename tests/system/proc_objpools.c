/* SPDX-License-Identifier: MIT */
/* What slabctl objpools shows: the counts that the process itself has, once it has
 * told them; of each pool as long as it and its process live. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/objpool.h"
#include "tests/lib/things.h"

static struct fixture fixture;

/* The object pool of a name in a list of them, a new reference; NULL: it is not there. */
static json_t *seen_by(const char *path, const char *name)
{
	json_t *doc = fixture_get(&fixture, path);
	json_t *found = NULL;
	json_t *objpool;
	json_t *pool;
	size_t i, k;
	json_array_foreach(json_at(doc, "pools"), k, pool)
	json_array_foreach(json_object_get(pool, "objpools"), i, objpool)
	{
		const char *is =
			json_string_value(json_object_get(objpool, "name"));
		if (is != NULL && strcmp(is, name) == 0)
			found = json_incref(objpool);
	}
	json_decref(doc);
	return found;
}

static bool is_seen(const char *name)
{
	json_t *objpool = seen_by("/objpools", name);
	json_decref(objpool);
	return objpool != NULL;
}

static uint64_t number(const char *name, const char *key)
{
	json_t *objpool = seen_by("/objpools", name);
	json_int_t n = json_integer_value(json_object_get(objpool, key));
	json_decref(objpool);
	return (uint64_t)n;
}

static bool agree(const char *name, slabd_objpool *objpool)
{
	struct slabd_objpool_counts c = things_counts(objpool);
	tap_note("%s: %llu hits, %llu misses, %llu aged, %llu idle", name,
	         (unsigned long long)c.hits, (unsigned long long)c.misses,
	         (unsigned long long)c.aged, (unsigned long long)c.idle);
	return number(name, "hits") == c.hits &&
	       number(name, "misses") == c.misses &&
	       number(name, "made") == c.made &&
	       number(name, "aged") == c.aged &&
	       number(name, "ended") == c.ended &&
	       number(name, "idle") == c.idle &&
	       number(name, "refused") == c.refused;
}

static void end_period(slabd_pool *pool)
{
	static uint64_t later_ns;
	later_ns += 100 * SECOND_NS;
	objpool_tick(pool, clock_now_ns() + later_ns, false);
}

/* Sums are told anew by then. */
static void pass_tick(void)
{
	uint64_t before = clock_coarse_ns();
	while (clock_coarse_ns() == before)
		continue;
}

static void use(slabd_objpool *objpool, unsigned n)
{
	things_get(objpool, n);
	things_put(objpool, n);
	things_get(objpool, n / 2);
	things_put(objpool, n / 2);
}

static void begins(slabd_pool *pool, slabd_objpool *first)
{
	json_t *seen = seen_by("/objpools", "first");
	char path[48];
	snprintf(path, sizeof(path), "/objpools?client=%u", slabd_client_id(pool));
	tap_ok(seen != NULL, "an object pool is seen as it is made");
	tap_is(json_integer_value(json_object_get(seen, "pid")), getpid(),
	       "and whose it is");
	tap_is(json_integer_value(json_object_get(seen, "object_bytes")),
	       THING_SIZE, "its objects' size");
	tap_is(json_integer_value(json_object_get(seen, "max")), 1000,
	       "and its most");
	tap_ok(json_is_null(json_object_get(seen, "hit_share")),
	       "it has no share of hits yet");
	tap_ok(agree("first", first), "its counts are zero");
	json_decref(seen);
	seen = seen_by(path, "second");
	tap_ok(seen != NULL, "a client's alone");
	json_decref(seen);
}

static void tells(slabd_pool *pool, slabd_objpool *first, slabd_objpool *second)
{
	void *more;
	use(first, 100);
	use(second, 30);
	end_period(pool);
	tap_ok(agree("first", first), "a period's end tells all counts");
	tap_ok(agree("second", second), "of each pool");
	tap_ok(number("first", "hits") > 0 && number("first", "idle") == 100,
	       "which are not zero");
	tap_is((long long)number("first", "idle_bytes"), 100 * THING_SIZE,
	       "nor is the memory that is idle");
	end_period(pool);
	end_period(pool);
	tap_ok(agree("first", first) && number("first", "aged") == 100,
	       "what aged is told");
	things_get(first, 7);
	tap_is((long long)number("first", "misses"),
	       (long long)things_counts(first).misses, "a miss is told at once");
	things_put(first, 7);
	things_get(first, 7);
	pass_tick();
	more = slabd_objpool_get(first);
	tap_ok(agree("first", first), "and hits with the next one");
	slabd_objpool_put(first, more);
	things_put(first, 7);
	slabd_objpool_put(first, things_got[0]);
	tap_is((long long)number("first", "refused"), 1, "what is refused is told");
}

/* Of a child that has copies of them, whatever it does. */
static void is_forked(int fd, void *arg)
{
	slabd_pool *pool = arg;
	(void)fd;
	slabd_close(pool);
	/* Without a look for leaks: buffers that hang off them are its parent's. */
	_exit(0);
}

static void forks(slabd_pool *pool, slabd_objpool *first)
{
	struct child child;
	child_start(&child, is_forked, pool);
	child_end(&child, "a forked child that closes what it has");
	tap_ok(is_seen("first") && is_seen("second"),
	       "its parent's are seen as before");
	end_period(pool);
	tap_ok(agree("first", first), "and told of");
}

/* As another thread was at work with them: its lock is nobody's in the child. */
static void forks_at_work(slabd_pool *pool, slabd_objpool *first)
{
	struct objpool *op = objpool_of(first);
	struct child child;
	pthread_mutex_lock(&op->lock);
	child_start(&child, is_forked, pool);
	pthread_mutex_unlock(&op->lock);
	child_end(&child, "a child that was forked as a thread was at work");
	tap_ok(agree("first", first), "its parent goes on");
}

static void dies(int fd, void *arg)
{
	slabd_pool *pool = things_open(&fixture, SLABD_NO_HELPER);
	(void)arg;
	use(things_make(pool, "mortal", 0, 0), 10);
	say(fd, 1);
	hear(fd);
}

static void is_killed(void)
{
	struct child child;
	child_start(&child, dies, NULL);
	hear(child.fd);
	tap_is((long long)number("mortal", "made"), 10,
	       "another process's is seen");
	child_kill(&child);
	fixture_until(&fixture, "/audit", "pools.0.owned", 0, SURELY_MS);
	tap_ok(!is_seen("mortal"), "until that is dead");
}

/* By the library's own thread, as it ages. */
static void is_helped(void)
{
	slabd_pool *pool = things_open(&fixture, 0);
	slabd_objpool *objpool = things_make(pool, "helped", 0, 20);
	things_get(objpool, 50);
	things_put(objpool, 50);
	tap_ok(fixture_until(&fixture, "/objpools", "pools.0.objpools.0.aged",
	                     50, SURELY_MS) >= 0,
	       "what the helper ages is told");
	slabd_close(pool);
	tap_ok(!is_seen("helped"), "who closes is seen no more");
}

/* No cache is left for the record. */
static void is_alone(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open("narrow", &options);
	slabd_objpool *objpool = things_make(pool, "unseen", 0, 0);
	use(objpool, 10);
	tap_is((long long)things_counts(objpool).made, 10,
	       "a pool that can't be shown works all the same");
	tap_ok(!is_seen("unseen"), "it is not seen");
	slabd_close(pool);
}

int main(void)
{
	slabd_pool *pool;
	slabd_objpool *first, *second;
	tap_start(120);
	fixture_open(&fixture, "[slabd]\nreserve_hugepages = no\n"
	                       "[pool default]\npage = 4k\nmax = 16M\n"
	                       "[pool narrow]\npage = 4k\nmax = 4M\n"
	                       "max_caches = 1\n");
	is_killed();
	is_helped();
	is_alone();
	pool = things_open(&fixture, SLABD_NO_HELPER);
	first = things_make(pool, "first", 1000, 0);
	second = things_make(pool, "second", 0, 0);
	begins(pool, first);
	tells(pool, first, second);
	forks(pool, first);
	forks_at_work(pool, first);
	slabd_objpool_destroy(first);
	tap_ok(!is_seen("first"), "one that is destroyed is seen no more");
	tap_ok(is_seen("second"), "the other one is");
	slabd_close(pool);
	tap_ok(!is_seen("second"), "until its pool is closed");
	tap_is((long long)fixture_owned(&fixture), 0, "nothing is left");
	fixture_audit(&fixture, "the books agree");
	fixture_close(&fixture);
	return tap_end();
}
