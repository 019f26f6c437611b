/* SPDX-License-Identifier: MIT */
/* Slabs that a thread has given back, and that slabd gives to another cache:
 * another thread's objects lie there then, and all that was done there before is
 * over, for the thread sanitizer, too, which does not see slabd. */
#include <pthread.h>
#include <string.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"

#define SIZE 1000
#define OTHER 3000
#define MOST 4000

static struct fixture fixture;
static slabd_pool *pool;
/* (A) relaxed: they order nothing, and no lock is taken behind the first one's
 * back. */
static uint32_t begun, given_back;
static unsigned had, has;

/* Takes all there is, up to some, and writes to all of it. */
static unsigned fill(slabd_cache *cache, size_t size, void **objects)
{
	unsigned n = 0;
	while (n < MOST && (objects[n] = slabd_alloc(cache)) != NULL)
		memset(objects[n++], 0x5a, size);
	return n;
}

static void *first(void *arg)
{
	static void *objects[MOST];
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	(void)arg;
	while (atom_load(&begun) == 0)
		sleep_ms(1);
	had = fill(cache, SIZE, objects);
	for (unsigned i = 0; i < had; i++)
		slabd_free(cache, objects[i]);
	slabd_thread_flush(pool);
	atom_store(&given_back, 1u);
	return NULL;
}

static void *second(void *arg)
{
	static void *objects[MOST];
	slabd_cache *cache = fixture_cache(pool, "another", OTHER);
	(void)arg;
	slabd_free(cache, slabd_alloc(cache));
	atom_store(&begun, 1u);
	while (atom_load(&given_back) == 0)
		sleep_ms(1);
	has = fill(cache, OTHER, objects);
	for (unsigned i = 0; i < has; i++)
		slabd_free(cache, objects[i]);
	return NULL;
}

static void client(int fd, void *arg)
{
	void *(*const work[])(void *) = {first, second};
	pthread_t thread[2];
	(void)fd;
	(void)arg;
	pool = fixture_pool(&fixture);
	for (unsigned i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, work[i], NULL) != 0)
			tap_bail("no thread");
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tap_ok(had * SIZE > 1 << 20, "a cache has most of the pool: %u", had);
	tap_ok(has * OTHER > 1 << 20, "then another one has: %u", has);
	slabd_close(pool);
}

int main(void)
{
	struct child child;
	tap_start(60);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 2M\n");
	child_start(&child, client, NULL);
	child_end(&child, "who had both");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
