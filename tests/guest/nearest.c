/* SPDX-License-Identifier: MIT */
/*
 * nearest MIB: from each CPU in turn, fills a pool of MIB a node to the end.
 * The objects must come node after node, the nearest first. A CPU whose node
 * has no memory counts for the nearest that has some, in this too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/fixture.h"

#define OBJECT_BYTES 32768u
#define PER_MIB ((1u << 20) / OBJECT_BYTES)
#define OBJECTS_MAX 16384
#define KEPT 8 /* of a node, by a cache that was emptied: some slabs */

static void *objects[OBJECTS_MAX];

static size_t take_all(slabd_cache *cache)
{
	size_t n = 0;
	while (n < OBJECTS_MAX && (objects[n] = slabd_alloc(cache)) != NULL)
		n++;
	return errno == ENOMEM ? n : 0;
}

static uint64_t remote_allocs(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.remote_allocs;
}

/* Says which nodes the objects came from, for when the order is wrong. */
static void show_runs(size_t n)
{
	int node = -1;
	for (size_t i = 0, from = 0; i < n; i++) {
		int here = fixture_node_of(objects[i], OBJECT_BYTES);
		if (here != node && i > 0) {
			printf("%zu of node %d\n", i - from, node);
			from = i;
		}
		node = here;
	}
}

static void from_cpu(slabd_pool *pool, slabd_cache *cache, int cpu, size_t all)
{
	int nearest[FIXTURE_NODES_MAX];
	uint64_t remote = remote_allocs(pool);
	size_t n, n_nodes, astray = 0;
	fixture_pin(cpu);
	n_nodes = fixture_nearest(fixture_home(), nearest);
	n = take_all(cache);
	for (size_t i = 0; i < n; i++)
		astray += fixture_node_of(objects[i], OBJECT_BYTES) !=
		          nearest[i / all % n_nodes];
	remote = remote_allocs(pool) - remote;
	fixture_ok(n == all * n_nodes, "CPU %d: %zu objects, %zu expected", cpu,
	           n, all * n_nodes);
	if (!fixture_ok(astray == 0,
	                "CPU %d: from node %d on to %d, %zu astray", cpu,
	                nearest[0], nearest[n_nodes - 1], astray))
		show_runs(n);
	fixture_ok(remote == all * (n_nodes - 1),
	       "CPU %d: %llu of them are counted as remote", cpu,
	       (unsigned long long)remote);
	slabd_free_bulk(cache, n, objects);
	slabd_flush(pool);
}

/* A strict cache stays at home, and gets what the other left empty. */
static void strictly(slabd_pool *pool, int cpu, size_t all)
{
	slabd_cache *cache =
		fixture_cache(pool, "strict", OBJECT_BYTES, SLABD_CACHE_STRICT);
	uint64_t remote = remote_allocs(pool);
	size_t n, astray = 0;
	fixture_pin(cpu);
	n = take_all(cache);
	for (size_t i = 0; i < n; i++)
		astray += fixture_node_of(objects[i], OBJECT_BYTES) !=
		          fixture_home();
	fixture_ok(n <= all && n + KEPT >= all,
	       "strict: %zu objects, %zu expected but for %d", n, all, KEPT);
	fixture_ok(astray == 0 && remote_allocs(pool) == remote,
	       "strict: %zu from other nodes", astray);
	slabd_free_bulk(cache, n, objects);
}

int main(int argc, char **argv)
{
	size_t all = argc > 1 ? strtoul(argv[1], NULL, 10) * PER_MIB : 0;
	slabd_pool *pool = fixture_open();
	slabd_cache *cache;
	int cpus[FIXTURE_CPUS_MAX];
	unsigned n_cpus = fixture_cpus(cpus);
	/* A cache gets its first slab where its maker runs. */
	fixture_pin(0);
	cache = fixture_cache(pool, "nearest", OBJECT_BYTES, 0);
	if (!fixture_ok(all > 0 && all * FIXTURE_NODES_MAX < OBJECTS_MAX,
	            "a size given"))
		return fixture_status();
	for (unsigned i = 0; i < n_cpus; i++)
		from_cpu(pool, cache, cpus[i], all);
	strictly(pool, 2, all);
	fixture_ok(slabd_close(pool) == 0, "close");
	return fixture_status();
}
