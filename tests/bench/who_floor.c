/* SPDX-License-Identifier: MIT */
#include "tests/bench/who.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)

__thread struct floor_mag **floor_table
        __attribute__((tls_model("initial-exec")));

static struct who_cache *caches[FLOOR_CACHES];
static size_t n_caches = 1;
static char *passed;

/* Memory on hugepages, as slabd and DPDK have it; with BENCH_PAGES=4k on small
 * ones, for the pointer chase. Shared, so that a fork keeps it common. */
static char *map(size_t bytes)
{
	const char *pages = getenv("BENCH_PAGES");
	size_t whole = (bytes + HUGE - 1) / HUGE * HUGE;
	int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE;
	char *at;
	if (pages == NULL || strcmp(pages, "4k") != 0)
		flags |= MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
	at = mmap(NULL, whole, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (at == MAP_FAILED) {
		work_fail("no memory on the pages asked for");
		return NULL;
	}
	return at;
}

int who_early(const struct work_job *job)
{
	if (strcmp(job->workload, "W4") != 0 && strcmp(job->workload, "W5") != 0)
		return 0;
	passed = map(FLOOR_PASSED * job->bytes);
	return passed == NULL;
}

int who_open(const struct work_job *job, unsigned side)
{
	(void)job;
	(void)side;
	return 0;
}

struct who_cache *who_make(size_t bytes, uint64_t most)
{
	struct who_cache *cache = calloc(1, sizeof(*cache));
	if (cache == NULL || n_caches == FLOOR_CACHES)
		abort();
	cache->id = n_caches;
	cache->bytes = bytes;
	cache->most = most;
	cache->passed = passed;
	caches[n_caches++] = cache;
	return cache;
}

static int fill(const struct who_cache *cache)
{
	struct floor_mag *mag =
	        malloc(sizeof(*mag) + (cache->most + 1) * sizeof(void *));
	char *memory = map(cache->most * cache->bytes);
	if (mag == NULL || memory == NULL)
		return 1;
	for (uint64_t i = 0; i < cache->most; i++)
		mag->obj[i] = memory + (cache->most - 1 - i) * cache->bytes;
	mag->n = (uint32_t)cache->most;
	floor_table[cache->id] = mag;
	return 0;
}

int who_thread(unsigned ix)
{
	(void)ix;
	floor_table = calloc(FLOOR_CACHES, sizeof(*floor_table));
	if (floor_table == NULL)
		return work_fail("no memory");
	for (size_t i = 1; i < n_caches; i++)
		if (fill(caches[i]) != 0)
			return 1;
	return 0;
}

void who_close(void)
{
}
