/* SPDX-License-Identifier: MIT */
/*
 * A client that fills a pool's files, or punches holes in them, as it can write
 * to both: slabd gives back what it has not, faults in what lacks, and where
 * owner tags are gone sets the pool aside. One pool's fate is none of another's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/view.h"
#include "tests/lib/keeper.h"
#include "tests/lib/raw.h"

#define CONF                                                                   \
	"[slabd]\ntopology = node:1 core:2 pu:1\n"                             \
	"[pool default]\npage = 4k\nstart = 8M\nmax = 32M\n"                   \
	"[pool other]\npage = 4k\nstart = 4M\nmax = 8M\n"
#define N 4000
#define SIZE 500

static struct fixture fixture;
static struct keeper keeper;

static long long kib(int fd)
{
	struct stat st;
	return fstat(fd, &st) < 0 ? -1 : (long long)st.st_blocks / 2;
}

/* Waits until a file holds so many KiB. */
static void until_kib(int fd, long long want, const char *what)
{
	double until = now_ms() + SURELY_MS;
	while (kib(fd) != want && now_ms() < until)
		sleep_ms(5);
	tap_is(kib(fd), want, "%s", what);
}

/* What a client does to a file, on a word that names it. */
enum act { END, FILL_DATA, FILL_SHARED, PUNCH_DATA, PUNCH_SHARED };

static bool change(int fd, bool fill)
{
	struct stat st;
	int mode = fill ? 0 : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	return fstat(fd, &st) == 0 && fallocate(fd, mode, 0, st.st_size) == 0;
}

static void hostile(int fd, void *arg)
{
	struct raw raw;
	uint64_t act;
	(void)arg;
	raw_open(&raw, &fixture, "default");
	say(fd, raw.welcome.id);
	while ((act = hear(fd)) != END)
		say(fd,
		    change(act == FILL_DATA || act == PUNCH_DATA ? raw.data[0]
		                                                 : raw.shared,
		           act == FILL_DATA || act == FILL_SHARED));
}

static struct child other;

static void start_hostile(void)
{
	keeper_catch_up(&keeper);
	child_start(&other, hostile, NULL);
	hear(other.fd);
	keeper_catch_up(&keeper);
}

static void end_hostile(void)
{
	say(other.fd, END);
	child_end(&other, "the hostile client");
}

static void does(enum act act)
{
	say(other.fd, act);
	if (hear(other.fd) == 0)
		tap_bail("a file is not changed");
}

static int kept(const char *file)
{
	char name[64];
	snprintf(name, sizeof(name), "slabd.pool.default.%s", file);
	return keeper_find(&keeper, name);
}

/* ---- too much ------------------------------------------------------------ */

static void test_fill(void)
{
	struct stat st;
	long long data;
	long long shared;
	start_hostile();
	data = kib(kept("node0"));
	shared = kib(kept("shared"));
	does(FILL_DATA);
	does(FILL_SHARED);
	until_kib(kept("node0"), data, "what a client added goes back");
	until_kib(kept("shared"), shared, "and of the shared file, too");
	tap_ok(fixture_logged(&fixture, "are given back; done by client 1"),
	       "who did it is said");
	fixture_audit(&fixture, "filled");
	does(FILL_DATA);
	end_hostile();
	fstat(kept("shared"), &st);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.given_back_bytes",
	                     st.st_size - (shared << 10) +
	                             2 * ((32 << 20) - (data << 10)),
	                     SURELY_MS) >= 0,
	       "and what it added last, at its end");
}

/* ---- too little ---------------------------------------------------------- */

static void *object[N];
static void *more[N];
static slabd_pool *pool;
static slabd_cache *cache;

static unsigned twice(size_t n)
{
	unsigned bad = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < N; k++)
			bad += more[i] == object[k];
	return bad;
}

static void test_punch_data(void)
{
	long long data;
	unsigned zeroes = 0;
	start_hostile();
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "punched", SIZE);
	tap_is((long long)fixture_take(cache, N, object), N, "objects");
	for (size_t i = 0; i < N; i++)
		memset(object[i], 1, SIZE);
	data = kib(kept("node0"));
	does(PUNCH_DATA);
	until_kib(kept("node0"), data,
	          "data that was taken away is there again");
	for (size_t i = 0; i < N; i++)
		zeroes += *(char *)object[i] == 0;
	tap_is(zeroes, N, "its objects are zeroed, and nobody ends by it");
	tap_ok(fixture_logged(&fixture, "taken away: what objects there held"),
	       "what is lost is said");
	tap_is(fixture_number(&fixture, "/status", "pools.0.refilled_bytes"),
	       data << 10, "and counted");
	fixture_audit(&fixture, "punched");
}

static bool is_aside(void)
{
	json_t *doc = fixture_get(&fixture, "/status");
	bool is = json_is_true(json_at(doc, "pools.0.aside"));
	json_decref(doc);
	return is;
}

static void test_punch_shared(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	long long used;
	size_t n;
	slabd_flush(pool);
	tap_ok(!is_aside(), "the pool is as others");
	does(PUNCH_SHARED);
	end_hostile();
	while (!is_aside())
		sleep_ms(5);
	tap_ok(slabd_open(NULL, &options) == NULL && errno == EUCLEAN,
	       "a pool without its tags lets nobody in");
	tap_ok(strstr(slabd_last_error(), "set aside") != NULL, "and says so");
	used = fixture_number(&fixture, "/status", "pools.0.used_bytes");
	tap_ok(used >= 0 && used <= 32 << 20, "what is used is a number: %lld",
	       used);
	n = slabd_alloc_bulk(cache, N / 4, more);
	tap_is(twice(n), 0, "of %zu more objects none was in use", n);
	tap_ok(fixture_number(&fixture, "/status", "pools.1.ready_bytes") > 0,
	       "the other pool is as it was");
}

/* Its last client has ended: whoever comes is let in again. */
static void until_as_new(void)
{
	while (is_aside())
		sleep_ms(5);
	tap_ok(true, "a pool that nobody has is made anew");
	tap_is(fixture_number(&fixture, "/status", "pools.0.carved_bytes"), 0,
	       "without a slab");
	fixture_audit(&fixture, "made anew");
}

/* ---- taken over ---------------------------------------------------------- */

static void kill_slabd(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
}

static bool restart(const char *when)
{
	int status = 0;
	bool up = keeper_start(&keeper, &fixture, &status);
	return tap_ok(up && fixture_ready(&fixture), "%s: slabd starts again",
	              when);
}

static void test_restart(void)
{
	kill_slabd();
	if (!restart("with a pool set aside"))
		return;
	tap_ok(is_aside(), "it is set aside still, as it has a client");
	slabd_close(pool);
	until_as_new();
	tap_ok(fixture_logged(&fixture, "it is as new"), "and says so");
	/* The same for who comes next, whose last client ends without slabd. */
	start_hostile();
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "again", SIZE);
	tap_is((long long)fixture_take(cache, N, object), N, "objects");
	does(PUNCH_SHARED);
	end_hostile();
	while (!is_aside())
		sleep_ms(5);
	kill_slabd();
	slabd_close(pool);
	if (!restart("without its last client"))
		return;
	until_as_new();
}

/* Tags that are gone when slabd comes: to read them would make them free. */
static void test_punch_down(void)
{
	int shared = kept("shared");
	keeper_catch_up(&keeper);
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "punched", SIZE);
	tap_is((long long)fixture_take(cache, N, object), N, "objects");
	slabd_flush(pool);
	kill_slabd();
	if (!change(shared, false))
		tap_bail("a hole: %s", strerror(errno));
	if (!restart("tags gone"))
		return;
	tap_ok(is_aside(), "it is set aside");
	tap_is(twice(slabd_alloc_bulk(cache, N / 4, more)), 0,
	       "no object is had twice");
	slabd_close(pool);
	kill_slabd();
	if (restart("and without clients"))
		tap_ok(!is_aside(), "it is made anew");
}

/* Data punched, and a head damaged, while no slabd runs. */
static void test_gone(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	int data = kept("node0");
	int control = keeper_find(&keeper, "slabd.pool.other.control");
	uint64_t magic = 0;
	slabd_pool *beside;
	json_t *doc;
	json_t *left;
	long long held;
	keeper_catch_up(&keeper);
	pool = fixture_pool(&fixture);
	beside = slabd_open("other", &options);
	tap_ok(beside != NULL, "both pools are open");
	held = kib(data);
	kill_slabd();
	if (!change(data, false) ||
	    pwrite(control, &magic, sizeof(magic), 0) != sizeof(magic))
		tap_bail("a damaged head: %s", strerror(errno));
	if (!restart("data gone, another pool damaged"))
		return;
	until_kib(data, held, "the data is there again");
	tap_ok(slabd_open("other", &options) == NULL && errno == EUCLEAN,
	       "the damaged pool is closed to all");
	doc = fixture_get(&fixture, "/status");
	left = json_at(doc, "left.0");
	tap_ok(left != NULL && strcmp(json_string_value(left), "other") == 0,
	       "which is shown");
	json_decref(doc);
	tap_ok(keeper_find(&keeper, "slabd.pool.other.shared") >= 0,
	       "and kept as it was");
	cache = fixture_cache(pool, "punched", SIZE);
	tap_is((long long)fixture_take(cache, N, object), N,
	       "the other one is in use");
	fixture_audit(&fixture, "taken over");
	slabd_close(beside);
	slabd_close(pool);
	magic = LAYOUT_MAGIC;
	kill_slabd();
	if (pwrite(control, &magic, sizeof(magic), 0) == sizeof(magic) &&
	    restart("with the head as it was"))
		tap_ok(fixture_number(&fixture, "/status",
		                      "pools.1.ready_bytes") > 0,
		       "what was left is taken over by the next");
}

#define MOVED (64 << 10)

/* As much of the data was punched as was faulted in elsewhere, while no slabd ran:
 * the file's size on disk is as it was. */
static void test_moved(void)
{
	int data = kept("node0");
	struct stat st;
	long long held;
	keeper_catch_up(&keeper);
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "punched", SIZE);
	tap_is((long long)fixture_take(cache, N, object), N, "objects");
	held = kib(data);
	kill_slabd();
	if (fstat(data, &st) < 0 ||
	    fallocate(data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
	              MOVED) < 0 ||
	    fallocate(data, 0, st.st_size - MOVED, MOVED) < 0)
		tap_bail("a hole: %s", strerror(errno));
	tap_is(kib(data), held, "a file has as much as before, elsewhere");
	if (!restart("data moved"))
		return;
	tap_ok(fixture_until(&fixture, "/status", "pools.0.refilled_bytes",
	                     MOVED, SURELY_MS) >= 0,
	       "what was punched is there again");
	tap_is(kib(data), held, "and no more");
	tap_ok(lseek(data, 0, SEEK_HOLE) >= MOVED, "from the beginning on");
	tap_ok(lseek(data, st.st_size - MOVED, SEEK_DATA) < 0 && errno == ENXIO,
	       "what was faulted in at the end is not");
	slabd_close(pool);
	fixture_audit(&fixture, "moved back");
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, CONF);
	keeper_open(&keeper, &fixture);
	if (!restart("at first"))
		return tap_end();
	test_fill();
	test_punch_data();
	test_punch_shared();
	test_restart();
	test_punch_down();
	test_gone();
	test_moved();
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
