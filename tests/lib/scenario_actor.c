/* SPDX-License-Identifier: MIT */
/* The clients of scenarios, and what they have slabd do. */
#include "tests/lib/scenario_actor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/raw.h"
#include "tests/lib/scenario.h"
#include "tests/lib/scenario_channel.h"

#define SIZE 256
#define FILL_MAX 2000
#define LENT 40 /* two a slab */

unsigned actor_serial;

static slabd_pool *open_pool(unsigned wait_ms)
{
	struct slabd_options options =
		fixture_options(&scenario_fixture, SLABD_NO_HELPER);
	options.wait_ms = wait_ms;
	return slabd_open(NULL, &options);
}

/* slabd is well and alone with it; the machine may have other work. */
slabd_pool *actor_open_surely(unsigned wait_ms)
{
	double until = now_ms() + SURELY_MS;
	slabd_pool *pool;
	do
		pool = open_pool(wait_ms);
	while (pool == NULL && now_ms() < until);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

void actor_witness(int fd, void *arg)
{
	static uint64_t *kept[ACTOR_KEPT];
	slabd_pool *pool;
	slabd_cache *cache;
	(void)arg;
	/* What the manager drops is to be gone, and not be held here still. */
	for (unsigned i = 0; i < scenario_keeper.n; i++)
		close(scenario_keeper.kept[i].fd);
	pool = fixture_pool(&scenario_fixture);
	cache = fixture_cache(pool, "witness", SIZE);
	for (uint64_t i = 0; i < ACTOR_KEPT; i++) {
		kept[i] = slabd_alloc(cache);
		if (kept[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		*kept[i] = i * 77;
	}
	slabd_flush(pool);
	say(fd, slabd_client_id(pool));
	while (hear(fd) != 0) {
		uint64_t wrong = 0;
		for (uint64_t i = 0; i < ACTOR_KEPT; i++)
			wrong += *kept[i] != i * 77;
		say(fd, wrong);
	}
	slabd_close(pool);
}

static void newcomer(int fd, void *arg)
{
	slabd_pool *pool = open_pool(20);
	(void)fd;
	(void)arg;
	if (pool != NULL)
		slabd_close(pool);
}

static void creator(int fd, void *arg)
{
	slabd_pool *pool = open_pool(20);
	char name[32];
	(void)arg;
	snprintf(name, sizeof(name), "made-%u", actor_serial);
	say(fd, pool != NULL);
	hear(fd);
	if (pool != NULL)
		slabd_cache_create(pool, name, 5000, 0, 0);
	_exit(0);
}

static void grower(int fd, void *arg)
{
	slabd_pool *pool = open_pool(3000);
	slabd_cache *cache;
	char name[32];
	(void)arg;
	snprintf(name, sizeof(name), "grown-%u", actor_serial);
	cache = pool == NULL ? NULL
	                     : slabd_cache_create(pool, name, 200000, 0, 0);
	say(fd, cache != NULL);
	hear(fd);
	for (int i = 0; cache != NULL && i < 12; i++)
		if (slabd_alloc(cache) == NULL)
			break;
	_exit(0);
}

/* A cache with slabs that are empty is removed, and its row, or its name, is
 * another one's. */
static void ender(int fd, void *arg)
{
	static void *all[8];
	slabd_pool *pool = open_pool(3000);
	slabd_cache *cache = NULL;
	size_t n;
	(void)arg;
	if (pool != NULL)
		cache = slabd_cache_create(pool, "ended", 30000, 0, 0);
	n = cache == NULL ? 0 : slabd_alloc_bulk(cache, 8, all);
	if (cache != NULL) {
		slabd_free_bulk(cache, n, all);
		slabd_cache_close(cache);
	}
	say(fd, cache != NULL);
	hear(fd);
	if (cache != NULL && actor_serial % 2 == 0)
		slabd_cache_remove(pool, "ended");
	if (cache != NULL)
		slabd_cache_create(pool, "ended", 70000, 0, 0);
	_exit(0);
}

static slabd_cache *sized(slabd_pool *pool, const char *what, unsigned n,
                          bool large)
{
	char name[32];
	snprintf(name, sizeof(name), "%s-%u", what, n);
	return slabd_cache_create(pool, name, large ? 200000 : 30000, 0, 0);
}

static slabd_cache *sized_surely(slabd_pool *pool, const char *what, unsigned n,
                                 bool large)
{
	double until = now_ms() + SURELY_MS;
	slabd_cache *cache;
	do
		cache = sized(pool, what, n, large);
	while (cache == NULL && now_ms() < until);
	if (cache == NULL)
		tap_bail("no cache: %s", slabd_last_error());
	return cache;
}

/* All memory is slabs of one cache, and empty; another one needs some. Now the
 * one has slabs of several units, now the other. */
static void taker(int fd, void *arg)
{
	static void *all[FILL_MAX];
	slabd_pool *pool = actor_open_surely(20);
	bool large = actor_serial % 2 == 0;
	slabd_cache *cache = sized_surely(pool, "filler", large, large);
	size_t n = 0;
	(void)arg;
	while (n < FILL_MAX && (all[n] = slabd_alloc(cache)) != NULL)
		n++;
	if (n == FILL_MAX)
		tap_bail("the filler never ends");
	slabd_free_bulk(cache, n, all);
	slabd_flush(pool);
	say(fd, 1);
	hear(fd);
	cache = sized(pool, "taken", actor_serial, !large);
	for (int i = 0; cache != NULL && i < 2; i++)
		slabd_alloc(cache);
	_exit(0);
}

/* Takes all that the thread's node has, in as few objects as can be; and gives
 * it back. */
static void fill_up(slabd_pool *pool, bool empties)
{
	static const size_t sizes[] = {2000000, 200000, 30000};
	for (int i = 0; i < 3; i++) {
		char name[32];
		void *object = NULL;
		void **last = NULL;
		slabd_cache *cache;
		snprintf(name, sizeof(name), "ballast-%d", i);
		cache = slabd_cache_create(pool, name, sizes[i], 0,
		                           SLABD_CACHE_STRICT);
		/* Each holds the one before. */
		while (cache != NULL && (object = slabd_alloc(cache)) != NULL) {
			*(void **)object = last;
			last = object;
		}
		for (; empties && last != NULL; last = object) {
			object = *last;
			slabd_free(cache, last);
		}
	}
	slabd_flush(pool);
}

/* Its node has no memory left, and the other slabs with room in them. */
static void borrower(int fd, void *arg)
{
	static void *all[FILL_MAX];
	slabd_pool *pool = actor_open_surely(20);
	slabd_cache *cache = sized_surely(pool, "lent", actor_serial, false);
	size_t n = 0;
	(void)arg;
	slabd_thread_node(pool, 0);
	n = slabd_alloc_bulk(cache, LENT, all);
	slabd_free_bulk(cache, n, all);
	slabd_flush(pool);
	slabd_thread_node(pool, 1);
	fill_up(pool, false);
	say(fd, n);
	hear(fd);
	for (int i = 0; i < 6; i++)
		slabd_alloc(cache);
	_exit(0);
}

/* A node with pages that nobody uses is to be emptied: its slabs go, and its
 * pages back to the kernel. */
static void drainer(int fd, void *arg)
{
	slabd_pool *pool = actor_open_surely(20);
	(void)arg;
	fixture_post(&scenario_fixture, "/undrain", "node=1");
	slabd_thread_node(pool, 1);
	fill_up(pool, true);
	say(fd, 1);
	hear(fd);
	fixture_post(&scenario_fixture, "/drain", "node=1");
	_exit(0);
}

/* A root is set, and set again, has more, less, and ends. */
static void rooter(int fd, void *arg)
{
	slabd_pool *pool = actor_open_surely(20);
	slabd_cache *cache = sized_surely(pool, "rooted", 0, false);
	slabd_handle handle[3];
	void *object[3];
	(void)arg;
	if (slabd_alloc_bulk(cache, 3, object) != 3)
		tap_bail("slabd_alloc_bulk: %s", slabd_last_error());
	for (int i = 0; i < 3; i++)
		handle[i] = slabd_handle_of(pool, object[i]);
	say(fd, 1);
	hear(fd);
	slabd_root_set(pool, SCENARIO_ROOT, handle[0]);
	slabd_root_set(pool, SCENARIO_ROOT, handle[1]);
	slabd_give(pool, object[2], slabd_root_open(pool, SCENARIO_ROOT));
	slabd_take(pool, handle[2]);
	slabd_take(pool, handle[1]);
	slabd_root_set(pool, SCENARIO_ROOT, handle[1]);
	slabd_root_set(pool, SCENARIO_ROOT, SLABD_NO_HANDLE);
	_exit(0);
}

/* Says when it owns something, and is then killed. */
static void victim(int fd, void *arg)
{
	slabd_pool *pool = open_pool(20);
	slabd_cache *cache = pool == NULL ? NULL
	                                  : slabd_cache_create(pool, "witness",
	                                                       SIZE, 0, 0);
	(void)arg;
	for (int i = 0; cache != NULL && i < 50; i++)
		slabd_alloc(cache);
	say(fd, 1);
	hear(fd);
}

/* Fills all files with what the pool has not, and ends. */
static void filler(int fd, void *arg)
{
	struct raw raw;
	struct stat st;
	(void)arg;
	raw_open(&raw, &scenario_fixture, "default");
	say(fd, 1);
	hear(fd);
	for (unsigned i = 0; i < 3; i++) {
		int file = i < 2 ? raw.data[i] : raw.shared;
		if (fstat(file, &st) == 0)
			(void)fallocate(file, 0, 0, st.st_size);
	}
	_exit(0);
}

const struct scenario scenarios[DEEDS] = {
	{.name = "start", .is_start = true, .fresh = true},
	{.name = "take over", .is_start = true},
	{.name = "take over from the dead", victim, .is_start = true,
	 .is_slow = true},
	{.name = "let in", newcomer},
	{.name = "make a cache", creator, .waits = true},
	{.name = "end a cache", ender, .waits = true},
	{.name = "carve", grower, .waits = true, .anew = true},
	{.name = "empty slabs", taker, .waits = true, .is_slow = true},
	{.name = "lend", borrower, .waits = true, .is_slow = true},
	{.name = "drain", drainer, .waits = true, .is_slow = true},
	{.name = "mend", filler, .waits = true, .is_slow = true, .mends = true},
	{.name = "root", rooter, .waits = true, .roots = true},
	{.name = "reap", victim, .waits = true, .is_death = true},
	{.name = "settle a channel", scenario_channel_victim, .waits = true,
	 .is_death = true, .arenas = true, .is_slow = true},
	{.name = "end a channel", scenario_channel_ender, .waits = true,
	 .arenas = true, .channel_ends = true},
};
