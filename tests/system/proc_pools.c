/* SPDX-License-Identifier: MIT */
/* Several pools in one process, whose threads have large variables of their
 * own: none takes what is another's, and one closes, or closes a cache, while
 * threads that have used it are at work elsewhere. And what a pool takes to
 * begin with. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"

#define SIZE 64
#define THREADS 3u
#define CACHES 6u
#define OBJECTS 40u /* of a worker: more than its magazine holds */
#define ROUNDS 400u

static struct fixture fixture;
static __thread volatile char large[512 << 10];

static uint64_t refused(slabd_pool *pool)
{
	struct slabd_stats stats;
	slabd_get_stats(pool, &stats);
	return stats.refused;
}

/* Each thread has them on its stack, the library's helper thread too. */
static void test_large(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open(NULL, &options);
	large[0] = 1;
	if (!tap_ok(pool != NULL, "a pool opens beside large variables"))
		tap_bail("slabd_open: %s", slabd_last_error());
	slabd_close(pool);
}

/* ---- an object in another pool's cache ---------------------------------- */

static void test_wrong_pool(void)
{
	slabd_pool *pools[2] = {fixture_pool(&fixture), fixture_pool(&fixture)};
	slabd_cache *caches[2];
	void *one[4];
	void *two;
	uint64_t before;
	for (int i = 0; i < 2; i++)
		caches[i] = fixture_cache(pools[i], "same", SIZE);
	/* Both have magazines with room for more. */
	for (int i = 0; i < 2; i++)
		slabd_free(caches[i], slabd_alloc(caches[i]));
	two = slabd_alloc(caches[1]);
	before = refused(pools[0]);
	slabd_free(caches[0], two);
	tap_is((long long)(refused(pools[0]) - before), 1,
	       "an object of another pool is refused");
	one[0] = slabd_alloc(caches[0]);
	tap_ok(one[0] != two, "and not handed out in this one");
	slabd_free(caches[0], one[0]);
	slabd_alloc_bulk(caches[0], 3, one);
	slabd_free_bulk(caches[0], 3, one);
	before = refused(pools[0]);
	one[3] = two;
	slabd_free_bulk(caches[0], 4, one);
	tap_ok(refused(pools[0]) > before, "nor is it taken with others");
	before = refused(pools[1]);
	slabd_free(caches[1], two);
	slabd_close(pools[0]);
	slabd_flush(pools[1]);
	tap_is((long long)(refused(pools[1]) - before), 0,
	       "its own pool takes it");
	slabd_close(pools[1]);
}

/* ---- closing beside threads that work ----------------------------------- */

static struct {
	slabd_cache *work;
	slabd_cache *touched[CACHES]; /* by each worker, once a round */
	uint32_t round;
	uint32_t seen[THREADS]; /* the round whose caches it has touched */
	uint32_t stop;
	uint32_t wrong;
} beside;

static void touch_all(void)
{
	for (unsigned i = 0; i < CACHES; i++)
		slabd_free(beside.touched[i], slabd_alloc(beside.touched[i]));
}

static void work(uint64_t me)
{
	uint64_t *mine[OBJECTS];
	for (unsigned i = 0; i < OBJECTS; i++) {
		mine[i] = slabd_alloc(beside.work);
		if (mine[i] != NULL)
			*mine[i] = me;
	}
	for (unsigned i = 0; i < OBJECTS; i++) {
		if (mine[i] == NULL || *mine[i] != me)
			atom_add(&beside.wrong, 1u);
		slabd_free(beside.work, mine[i]);
	}
}

static void *worker(void *arg)
{
	uint32_t *seen = arg;
	while (!atom_load(&beside.stop)) {
		/* pairs: play_round */
		uint32_t round = atom_load_acquire(&beside.round);
		if (round != *seen)
			touch_all();
		/* pairs: play_round */
		atom_store_release(seen, round);
		work((uint64_t)(seen - beside.seen) + 1);
	}
	return NULL;
}

/* The workers use the caches of a pool once; then it closes beside them. */
static void play_round(uint32_t round)
{
	slabd_pool *pool = fixture_pool(&fixture);
	for (unsigned i = 0; i < CACHES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "touched-%u", i);
		beside.touched[i] = fixture_cache(pool, name, SIZE);
	}
	/* pairs: worker */
	atom_store_release(&beside.round, round);
	for (unsigned i = 0; i < THREADS; i++)
		/* pairs: worker */
		while (atom_load_acquire(&beside.seen[i]) != round)
			sleep_ms(0);
	for (unsigned i = 0; i < CACHES / 2; i++)
		slabd_cache_close(beside.touched[i]);
	slabd_close(pool);
}

static void closer(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	pthread_t threads[THREADS];
	slabd_pool *pool;
	(void)fd;
	(void)arg;
	/* So little that magazines are halved all the time. */
	options.thread_bytes = 16 * OBJECTS * SIZE / 8;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	beside.work = fixture_cache(pool, "work", SIZE);
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, worker, &beside.seen[i]))
			tap_bail("no thread");
	for (uint32_t round = 1; round <= tap_rounds(ROUNDS); round++)
		play_round(round);
	atom_store(&beside.stop, 1u);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tap_is(beside.wrong, 0, "no object has two owners meanwhile");
	tap_is((long long)refused(pool), 0, "and none is freed twice");
	slabd_flush(pool);
	tap_is(fixture_owned(&fixture), 0,
	       "all of them are home when threads end");
	slabd_close(pool);
}

static void test_close_beside(void)
{
	struct child child;
	child_start(&child, closer, NULL);
	child_end(&child, "pools and caches close beside threads that work");
	fixture_audit(&fixture, "after that");
}

/* ---- what a new pool takes ----------------------------------------------- */

/* Of a file that slabd has open, what is there in memory; all of it as *bytes.
 * 0: there is none of that name. */
static long long file_memory(const char *name, long long *bytes)
{
	long long taken = 0;
	char path[64];
	char link[128];
	for (int fd = 3; fd < 64 && taken == 0; fd++) {
		struct stat st;
		ssize_t n;
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)fixture.pid,
		         fd);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (strstr(link, name) == NULL || stat(path, &st) < 0)
			continue;
		taken = (long long)st.st_blocks * 512;
		*bytes = (long long)st.st_size;
	}
	return taken;
}

static void test_tables(void)
{
	long long bytes = 0;
	long long taken = file_memory("-control", &bytes);
	tap_ok(taken > 0 && taken < bytes / 8,
	       "of a new pool's tables an eighth is there at most");
	tap_note("%lld of %lld bytes", taken, bytes);
}

int main(void)
{
	tap_start(60);
	fixture_open(&fixture, "[slabd]\ntopology = node:1 core:4 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n");
	test_tables();
	test_large();
	test_wrong_pool();
	test_close_beside();
	fixture_close(&fixture);
	return tap_end();
}
