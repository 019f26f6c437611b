/* SPDX-License-Identifier: MIT */
/*
 * Clients for recovery.py; each waits for the end of its standard input.
 *
 * recovery hold N      holds N objects of 64 bytes, or all there are; prints
 *                      how many it got
 * recovery run CPU     works from slab to slab on that CPU, and prints in the
 *                      end what it did in each millisecond of its life:
 *                      the clock in ms, objects allocated and freed
 */
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/slabclient.h"

#define BATCH 800u        /* objects: more than a magazine and the depot keep */
#define SLICES_MAX 300000u
#define BULK 500u

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int fail(void)
{
	fprintf(stderr, "recovery: %s\n", slabd_last_error());
	return 1;
}

static bool is_told(void)
{
	struct pollfd at = {.fd = STDIN_FILENO, .events = POLLIN};
	return poll(&at, 1, 0) != 0;
}

static void say(unsigned long n)
{
	printf("%lu\n", n);
	fflush(stdout);
}

static int hold(slabd_cache *cache, unsigned long most)
{
	void *objects[BULK];
	unsigned long n = 0;
	size_t got = BULK;
	while (n < most && got == BULK) {
		got = slabd_alloc_bulk(cache, BULK, objects);
		n += got;
	}
	say(n);
	getchar();
	return 0;
}

static void work(slabd_cache *cache, void **objects)
{
	size_t n = slabd_alloc_bulk(cache, BATCH, objects);
	slabd_free_bulk(cache, n, objects);
}

static int run(slabd_cache *cache)
{
	static unsigned counts[SLICES_MAX];
	static void *objects[BATCH];
	double began = now_ms();
	unsigned slice = 0;
	say(1);
	while (!is_told() && slice < SLICES_MAX) {
		work(cache, objects);
		slice = (unsigned)(now_ms() - began);
		if (slice < SLICES_MAX)
			counts[slice] += BATCH;
	}
	for (unsigned i = 0; i < slice && i < SLICES_MAX; i++)
		printf("%.3f %u\n", began + i, counts[i]);
	return 0;
}

static void bind_to(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	bool is_run = argc == 3 && strcmp(argv[1], "run") == 0;
	struct slabd_options options = {
		.thread_bytes = is_run ? 16384 : 0,
		.process_bytes = is_run ? 16384 : 0,
	};
	slabd_pool *pool;
	slabd_cache *cache = NULL;
	if (!is_run && (argc != 3 || strcmp(argv[1], "hold") != 0)) {
		fprintf(stderr, "usage: recovery hold N | recovery run CPU\n");
		return 2;
	}
	if (is_run)
		bind_to(atoi(argv[2]));
	pool = slabd_open(NULL, &options);
	if (pool != NULL)
		cache = slabd_cache_create(pool, is_run ? "run" : "hold", 64, 0,
		                           0);
	if (cache == NULL)
		return fail();
	if (is_run ? run(cache) : hold(cache, strtoul(argv[2], NULL, 10)))
		return 1;
	return slabd_close(pool) == 0 ? 0 : 1;
}
