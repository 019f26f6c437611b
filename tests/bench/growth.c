/* SPDX-License-Identifier: MIT */
/*
 * A client for growth.py. growth SIZE MIB: one thread allocates objects of SIZE
 * bytes until it has that much, and writes a byte into each. Prints what that
 * took in ms, the share of it in allocations of over 20 us in percent, their
 * 99.99th percentile in us, the slowest in ms, and how many failed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/slabclient.h"

#define LONG_NS 20000u
#define STEP_NS 100u /* of the counts */
#define STEPS 1000000u

struct took {
	uint64_t sum_ns, long_ns, slowest_ns, failed;
	uint32_t count[STEPS];
};

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void note(struct took *took, uint64_t ns)
{
	uint64_t step = ns / STEP_NS;
	took->count[step < STEPS ? step : STEPS - 1]++;
	took->long_ns += ns > LONG_NS ? ns : 0;
	took->slowest_ns = ns > took->slowest_ns ? ns : took->slowest_ns;
}

static void allocate(slabd_cache *cache, uint64_t n, struct took *took)
{
	uint64_t began = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = now_ns();
		char *object = slabd_alloc(cache);
		note(took, now_ns() - at);
		took->failed += object == NULL;
		if (object != NULL)
			*object = 1;
	}
	took->sum_ns = now_ns() - began;
}

/* In us. */
static double high(const struct took *took, uint64_t n)
{
	uint64_t left = n / 10000;
	uint32_t step = STEPS;
	while (step-- > 0 && took->count[step] <= left)
		left -= took->count[step];
	return (double)step * STEP_NS / 1e3;
}

int main(int argc, char **argv)
{
	static struct took took;
	uint64_t size = argc > 1 ? strtoull(argv[1], NULL, 10) : 4096;
	uint64_t n = (argc > 2 ? strtoull(argv[2], NULL, 10) : 2048) * 1048576 /
	             (size > 0 ? size : 1);
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache =
		pool ? slabd_cache_create(pool, "growth", size, 0, 0) : NULL;
	if (cache == NULL) {
		fprintf(stderr, "growth: %s\n", slabd_last_error());
		return 1;
	}
	allocate(cache, n, &took);
	printf("%.1f %.2f %.1f %.3f %llu\n", (double)took.sum_ns / 1e6,
	       100.0 * (double)took.long_ns / (double)took.sum_ns,
	       high(&took, n), (double)took.slowest_ns / 1e6,
	       (unsigned long long)took.failed);
	return slabd_close(pool) == 0 ? 0 : 1;
}
