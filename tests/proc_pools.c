/* SPDX-License-Identifier: MIT */
/* Several pools in one process: none takes what is another's. */
#include "tests/proc/harness.h"

#define SIZE 64

static struct bed bed;

static uint64_t refused(slabd_pool *pool)
{
	struct slabd_stats stats;
	slabd_get_stats(pool, &stats);
	return stats.refused;
}

/* ---- an object in another pool's cache ---------------------------------- */

static void test_wrong_pool(void)
{
	slabd_pool *pools[2] = {bed_pool(&bed), bed_pool(&bed)};
	slabd_cache *caches[2];
	void *one[4];
	void *two;
	uint64_t before;
	for (int i = 0; i < 2; i++)
		caches[i] = bed_cache(pools[i], "same", SIZE);
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

int main(void)
{
	tap_start(60);
	bed_open(&bed, "[slabd]\ntopology = node:1 core:4 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n");
	test_wrong_pool();
	bed_close(&bed);
	return tap_end();
}
