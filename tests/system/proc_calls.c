/* SPDX-License-Identifier: MIT */
/* Calls beside alloc and free: what a cache is and holds, who lives, and what
 * each says where it fails. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"

#define CONFIG                                                                 \
	"[pool default]\npage = 4k\nstart = 2M\nmax = 8M\nmax_caches = 70\n"
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

/* ---- what it is ------------------------------------------------------------ */
static void test_about(void)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache;
	slabd_cache *again;
	fixture_fails(slabd_cache_open(pool, "about") == NULL, ENOENT,
	              "slabd_cache_open of a cache that is not there");
	fixture_fails(slabd_cache_open(pool, "") == NULL, EINVAL,
	              "slabd_cache_open without a name");
	fixture_fails(slabd_cache_open(pool,
	                               "123456789-123456789-123456789-"
	                               "123456789-123456789-123456789-1234") ==
	                      NULL,
	              ENAMETOOLONG, "slabd_cache_open of a long name");
	cache = slabd_cache_create(pool, "about", 100, 64, SLABD_CACHE_STRICT);
	again = slabd_cache_open(pool, "about");
	tap_ok(cache != NULL && again == cache,
	       "slabd_cache_open finds it by its name");
	tap_ok(strcmp(slabd_cache_name(again), "about") == 0, "its name");
	tap_is((long long)slabd_cache_size(again), 100, "its size");
	tap_is((long long)slabd_cache_align(again), 64, "its alignment");
	tap_is((long long)slabd_cache_stride(again), 128, "its stride");
	tap_is(slabd_cache_flags(again), SLABD_CACHE_STRICT, "its flags");
	tap_ok(slabd_cache_pool(again) == pool, "its pool");
	slabd_cache_close(again);
	slabd_cache_close(cache);
	slabd_close(pool);
}

/* ---- counted -------------------------------------------------------------- */

static void counts_are(slabd_cache *cache, uint64_t in_use, uint64_t held,
                       const char *what)
{
	uint64_t in_use_now = 0;
	uint64_t held_now = 0;
	bool done = slabd_cache_counts(cache, &in_use_now, &held_now) == 0;
	tap_ok(done && in_use_now == in_use && held_now == held,
	       "%s: %llu in use, %llu held", what,
	       (unsigned long long)in_use_now, (unsigned long long)held_now);
}

static uint64_t owned_of(slabd_cache *cache)
{
	uint64_t owned = 0;
	if (slabd_cache_totals(cache, &owned, NULL) < 0)
		tap_bail("slabd_cache_totals: %s", slabd_last_error());
	return owned;
}

struct seen {
	unsigned n;
	uint64_t sum;
	unsigned most;
	slabd_cache *frees;
};

static int see(void *object, void *arg)
{
	struct seen *seen = arg;
	seen->n++;
	seen->sum += (uintptr_t)object;
	if (seen->frees != NULL)
		slabd_free(seen->frees, object);
	return seen->n == seen->most;
}

static void holder(int fd, void *arg)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_open(pool, "counted");
	void *objects[8];
	(void)arg;
	tap_is((long long)slabd_alloc_bulk(cache, 8, objects), 8,
	       "another client has some");
	slabd_flush(pool);
	say(fd, slabd_client_id(pool));
	hear(fd);
	slabd_close(pool);
}

static void *hold_some(void *arg)
{
	slabd_cache *cache = arg;
	slabd_free(cache, slabd_alloc(cache));
	slabd_thread_flush(slabd_cache_pool(cache));
	return NULL;
}

/* A magazine that was flushed is filled again by a free; what another thread or the
 * depot holds stays. */
static void test_freed(slabd_pool *pool, slabd_cache *cache)
{
	struct seen seen = {.frees = cache};
	uint64_t in_use = 0;
	uint64_t held = 0;
	uint64_t after = 0;
	pthread_t thread;
	tap_ok(slabd_cache_each(cache, 0, see, &seen) == 0 && seen.n == OBJECTS,
	       "they are freed as they are seen");
	tap_ok(slabd_cache_counts(cache, &in_use, &held) == 0 && in_use == 0,
	       "none is in use");
	slabd_flush(pool);
	counts_are(cache, 0, 0, "flushed");
	slabd_free(cache, slabd_alloc(cache));
	slabd_cache_counts(cache, NULL, &held);
	pthread_create(&thread, NULL, hold_some, cache);
	pthread_join(thread, NULL);
	tap_ok(slabd_cache_counts(cache, &in_use, &after) == 0 &&
	               after == held && held > 0,
	       "a thread flushes its own alone");
	slabd_close(pool);
	fixture_audit(&fixture, "the accounts are exact");
}

static void test_counts(void)
{
	static void *objects[OBJECTS];
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_create(pool, "counted", 5000, 0, 0);
	struct seen seen = {.n = 0};
	struct child child;
	uint64_t in_use = 0;
	uint64_t held = 0;
	uint64_t sum = 0;
	uint64_t unowned = 0;
	unsigned id;
	counts_are(cache, 0, 0, "of an empty cache");
	tap_is((long long)fixture_take(cache, OBJECTS, objects), OBJECTS,
	       "objects");
	for (unsigned i = 0; i < OBJECTS; i++)
		sum += (uintptr_t)objects[i];
	tap_ok(slabd_cache_counts(cache, &in_use, &held) == 0 &&
	               in_use == OBJECTS && in_use + held == owned_of(cache),
	       "what is in use, and what is held beside it");
	child_start(&child, holder, NULL);
	id = (unsigned)hear(child.fd);
	tap_is((long long)owned_of(cache), (long long)(in_use + held + 8),
	       "all clients' are counted in the pool");
	tap_is(slabd_thread_flush(pool), 0, "the thread's are sent home");
	counts_are(cache, OBJECTS, 0, "then none is held");
	tap_ok(slabd_cache_totals(cache, NULL, &unowned) == 0 &&
	               unowned >= held,
	       "and they lie free in slabs");
	tap_ok(slabd_cache_each(cache, 0, see, &seen) == 0 &&
	               seen.n == OBJECTS && seen.sum == sum,
	       "each object of this client is seen once: %u", seen.n);
	seen = (struct seen){.most = 3};
	tap_ok(slabd_cache_each(cache, 0, see, &seen) == 0 && seen.n == 3,
	       "no more than are wanted");
	seen = (struct seen){.n = 0};
	tap_ok(slabd_cache_each(cache, id, see, &seen) == 0 && seen.n == 8,
	       "those of another client: %u", seen.n);
	fixture_fails(slabd_cache_each(cache, 0, NULL, NULL) < 0, EINVAL,
	              "slabd_cache_each without a function");
	fixture_fails(slabd_cache_each(cache, 9999, see, &seen) < 0, ESRCH,
	              "slabd_cache_each of nobody");
	say(child.fd, 1);
	child_end(&child, "the other one ends");
	test_freed(pool, cache);
}

/* ---- without a wait ------------------------------------------------------- */

/* All of the pool, which does not grow as slabd stands still. */
static void test_nowait(void)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_create(pool, "now", 4096, 0, 0);
	struct slabd_stats stats;
	void *object;
	void *all = NULL;
	long long n = 0;
	tap_ok((object = slabd_alloc_nowait(cache)) != NULL,
	       "slabd_alloc_nowait gives an object");
	slabd_free(cache, object);
	tap_ok(slabd_alloc_nowait(cache) == object, "of the magazine, too");
	slabd_free(cache, object);
	fixture_halt(&fixture);
	while ((object = slabd_alloc_nowait(cache)) != NULL) {
		*(void **)object = all;
		all = object;
		n++;
	}
	fixture_fails(object == NULL, ENOMEM, "slabd_alloc_nowait of no more");
	tap_ok(strstr(slabd_last_error(), "slabd_alloc_nowait") != NULL,
	       "and it is said that it did not wait");
	tap_ok(slabd_get_stats(pool, &stats) == 0 && stats.waits == 0 &&
	               stats.failures == 1,
	       "it has not waited");
	fixture_signal(&fixture, SIGCONT);
	/* It was told. */
	while ((object = slabd_alloc_nowait(cache)) == NULL)
		sleep_ms(1);
	tap_ok(true, "and slabd gives more, as it was told");
	slabd_free(cache, object);
	for (; all != NULL; n--) {
		object = all;
		all = *(void **)object;
		slabd_free(cache, object);
	}
	tap_is(n, 0, "all are freed");
	slabd_close(pool);
}

/* ---- who lives ------------------------------------------------------------ */

static void somebody(int fd, void *arg)
{
	slabd_pool *pool = quiet_pool();
	(void)arg;
	say(fd, slabd_client_id(pool));
	hear(fd);
	slabd_close(pool);
	say(fd, 1);
	hear(fd);
}

static bool ends(slabd_pool *pool, unsigned id, unsigned epoch)
{
	double until = now_ms() + SURELY_MS;
	while (slabd_client_check(pool, id, epoch) == 0 && now_ms() < until)
		sleep_ms(1);
	return slabd_client_check(pool, id, epoch) < 0 && errno == ESRCH;
}

static void test_lives(void)
{
	slabd_pool *pool = quiet_pool();
	struct child child;
	unsigned id;
	unsigned epoch;
	child_start(&child, somebody, NULL);
	id = (unsigned)hear(child.fd);
	epoch = slabd_client_epoch(pool, id);
	tap_ok(epoch > 0, "a client's epoch");
	tap_is(slabd_client_check(pool, id, epoch), 0, "it lives");
	tap_is(slabd_client_check(pool, id, 0), 0, "so does any of its id");
	fixture_fails(slabd_client_check(pool, id, epoch + 1) < 0, ESRCH,
	              "slabd_client_check of another epoch");
	fixture_fails(slabd_client_epoch(pool, 0) == 0, ESRCH,
	              "slabd_client_epoch of nobody");
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(ends(pool, id, epoch), "it has ended when it closed the pool");
	child_kill(&child);
	child_start(&child, somebody, NULL);
	id = (unsigned)hear(child.fd);
	epoch = slabd_client_epoch(pool, id);
	child_kill(&child);
	tap_ok(ends(pool, id, epoch), "and when it was killed");
	slabd_close(pool);
}

/* ---- after fork ----------------------------------------------------------- */

static void forked(slabd_pool *pool, slabd_cache *cache)
{
	uint64_t n;
	struct seen seen = {.n = 0};
	fixture_fails(slabd_cache_open(pool, "forked") == NULL, ENOTCONN,
	              "forked: slabd_cache_open");
	fixture_fails(slabd_cache_counts(cache, &n, &n) < 0, ENOTCONN,
	              "forked: slabd_cache_counts");
	fixture_fails(slabd_cache_totals(cache, &n, &n) < 0, ENOTCONN,
	              "forked: slabd_cache_totals");
	fixture_fails(slabd_cache_each(cache, 0, see, &seen) < 0, ENOTCONN,
	              "forked: slabd_cache_each");
	fixture_fails(slabd_alloc_nowait(cache) == NULL, ENOTCONN,
	              "forked: slabd_alloc_nowait");
	fixture_fails(slabd_thread_flush(pool) < 0, ENOTCONN,
	              "forked: slabd_thread_flush");
	fixture_fails(slabd_client_epoch(pool, 1) == 0, ENOTCONN,
	              "forked: slabd_client_epoch");
	fixture_fails(slabd_client_check(pool, 1, 0) < 0, ENOTCONN,
	              "forked: slabd_client_check");
	tap_is((long long)slabd_cache_size(cache), 64, "forked: a size");
}

static void test_forked(void)
{
	slabd_pool *pool = quiet_pool();
	slabd_cache *cache = slabd_cache_create(pool, "forked", 64, 0, 0);
	int status = -1;
	pid_t pid;
	slabd_free(cache, slabd_alloc(cache));
	pid = fork();
	if (pid == 0) {
		forked(pool, cache);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tap_is(status, 0, "a forked child ends well");
	slabd_close(pool);
}

/* ---- cancelled ------------------------------------------------------------ */

static slabd_pool *calls_pool;
static slabd_cache *calls_cache;

static int thing_init(void *thing, void *arg)
{
	(void)thing;
	(void)arg;
	pthread_testcancel();
	return 0;
}

static void thing_fini(void *thing, void *arg)
{
	(void)thing_init(thing, arg);
}

static void clean(void *arg)
{
	(void)thing_init(NULL, arg);
}

static void with_channel(void)
{
	slabd_channel *channel = slabd_channel_open(calls_pool, "cancelled", 8);
	void *object = slabd_alloc(calls_cache);
	(void)slabd_channel_open(calls_pool, "cancelled", 9);
	(void)slabd_send(channel, &object, 1);
	(void)slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 1000);
	(void)slabd_recv(channel, &object, 1);
	slabd_free(calls_cache, object);
	slabd_channel_close(channel);
}

/* Its thread has told, and is told that all was received. */
static void with_descriptor(void)
{
	slabd_channel *channel = slabd_channel_open(calls_pool, "watched", 8);
	struct pollfd at = {.fd = slabd_channel_descriptor(channel),
	                    .events = POLLIN};
	void *objects[2];
	int before;
	objects[0] = slabd_alloc(calls_cache);
	(void)slabd_send(channel, objects, 1);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	poll(&at, 1, -1);
	pthread_setcancelstate(before, NULL);
	(void)slabd_recv(channel, objects, 2);
	slabd_free(calls_cache, objects[0]);
	slabd_channel_close(channel);
}

static void with_objpool(void)
{
	const struct slabd_objpool_ops ops = {.init = thing_init,
	                                      .fini = thing_fini};
	slabd_objpool *objpool =
		slabd_objpool_create(calls_pool, "cancelled", 64, &ops);
	slabd_objpool_put(objpool, slabd_objpool_get(objpool));
	slabd_objpool_destroy(objpool);
}

static void with_arena(void)
{
	slabd_arena *arena = slabd_arena_create(calls_pool, NULL, "cancelled");
	slabd_arena_cleanup(arena, clean, NULL);
	(void)slabd_arena_alloc(arena, 3000, 0);
	slabd_arena_reset(arena);
	slabd_arena_destroy(arena);
}

static void with_root(void)
{
	void *object = slabd_alloc(calls_cache);
	slabd_handle handle = slabd_handle_of(calls_pool, object);
	slabd_root_set(calls_pool, "cancelled", handle);
	slabd_root_set(calls_pool, "cancelled", SLABD_NO_HANDLE);
	slabd_free(calls_cache, slabd_take(calls_pool, handle));
}

static uint32_t came_back;

static void *call_cancelled(void *arg)
{
	void (*const *calls)(void) = arg;
	pthread_cancel(pthread_self());
	(*calls)();
	atom_store(&came_back, 1u);
	pthread_testcancel();
	return NULL;
}

/* A cancellation is there before the call, which each point would take. */
static void test_cancelled(void)
{
	static const struct {
		void (*call)(void);
		const char *what;
	} rows[] = {
		{with_channel, "a channel's"},
		{with_descriptor, "those of a channel with a descriptor"},
		{with_objpool, "an object pool's"},
		{with_arena, "an arena's"},
		{with_root, "a root's"},
	};
	calls_pool = fixture_pool(&fixture);
	calls_cache = fixture_cache(calls_pool, "cancelled", 64);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void (*call)(void) = rows[i].call;
		void *end = NULL;
		pthread_t thread;
		atom_store(&came_back, 0u);
		pthread_create(&thread, NULL, call_cancelled, &call);
		pthread_join(thread, &end);
		tap_ok(end == PTHREAD_CANCELED, "a thread is cancelled");
		tap_is(atom_load(&came_back), 1,
		       "but in none of the calls: %s", rows[i].what);
	}
	slabd_close(calls_pool);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	test_about();
	test_counts();
	test_nowait();
	test_lives();
	test_forked();
	test_cancelled();
	fixture_audit(&fixture, "the accounts are exact");
	fixture_close(&fixture);
	return tap_end();
}
