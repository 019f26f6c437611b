/* SPDX-License-Identifier: MIT */
/*
 * Each node in turn has much that is free; a thread of another one, which has
 * room, takes as much: of its own node, all of it once that has grown, and all
 * but one in a thousand while it grows.
 */
#include <string.h>

#include "tests/guest/fixture.h"

#define OBJECT_BYTES 256u
#define MANY 60000u /* 15 MiB */
#define EVERY 64u   /* of which the kernel is asked */

static slabd_pool *pool;
static slabd_cache *cache;
static void *objects[MANY];

static struct slabd_stats stats_now(void)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats;
}

/* Takes all on the CPU that this runs on; how many came from elsewhere, as the
 * library counts, and whether that is what the kernel says. */
static unsigned take_all(int cpu)
{
	unsigned before = (unsigned)stats_now().remote_allocs;
	unsigned after;
	size_t astray = 0;
	size_t n = slabd_alloc_bulk(cache, MANY, objects);
	after = (unsigned)stats_now().remote_allocs;
	fixture_ok(n == MANY, "CPU %d takes %u objects: %zu", cpu, MANY, n);
	for (size_t i = 0; i < n; i += EVERY)
		astray += fixture_node_of(objects[i], OBJECT_BYTES) !=
		          fixture_home();
	fixture_ok(astray * EVERY <= after - before + 2 * EVERY,
	           "%zu of %u lie elsewhere", astray, MANY / EVERY);
	slabd_free_bulk(cache, n, objects);
	slabd_flush(pool);
	return after - before;
}

int main(void)
{
	int cpus[FIXTURE_CPUS_MAX];
	unsigned n = fixture_cpus(cpus);
	pool = fixture_open();
	cache = fixture_cache(pool, "local", OBJECT_BYTES, 0);
	for (unsigned i = 0; i < n; i++) {
		unsigned remote;
		fixture_pin(cpus[i]);
		slabd_thread_node(pool, -1);
		remote = take_all(cpus[i]);
		fixture_ok(remote <= MANY / 1000,
		           "of another node while it grows: %u", remote);
		remote = take_all(cpus[i]);
		fixture_ok(remote == 0, "and then: %u", remote);
	}
	fixture_ok(stats_now().remote_with_room <= n * MANY / 1000,
	           "%llu while there was room",
	           (unsigned long long)stats_now().remote_with_room);
	slabd_close(pool);
	return fixture_status();
}
