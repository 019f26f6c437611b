/* SPDX-License-Identifier: MIT */
/*
 * attach open N   joins and leaves the pool N times; prints the median
 * attach fill     fills the pool with 64-byte objects and waits for a line on
 *                 standard input; prints how many it got
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/slabclient.h"

static double ms_between(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) * 1e3 +
	       (double)(b->tv_nsec - a->tv_nsec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

static int fail(void)
{
	fprintf(stderr, "attach: %s\n", slabd_last_error());
	return 1;
}

static int open_many(long n)
{
	double *ms = calloc((size_t)n, sizeof(*ms));
	if (ms == NULL)
		return 1;
	for (long i = 0; i < n; i++) {
		struct timespec a;
		struct timespec b;
		slabd_pool *pool;
		clock_gettime(CLOCK_MONOTONIC, &a);
		pool = slabd_open(NULL, NULL);
		clock_gettime(CLOCK_MONOTONIC, &b);
		if (pool == NULL)
			return fail();
		ms[i] = ms_between(&a, &b);
		slabd_close(pool);
	}
	qsort(ms, (size_t)n, sizeof(*ms), by_value);
	printf("attach: median %.2f ms, worst %.2f ms of %ld\n", ms[n / 2],
	       ms[n - 1], n);
	free(ms);
	return 0;
}

static int fill(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache = NULL;
	unsigned long n = 0;
	if (pool != NULL)
		cache = slabd_cache_create(pool, "attach-64", 64, 0, 0);
	if (cache == NULL)
		return fail();
	while (slabd_alloc(cache) != NULL)
		n++;
	printf("filled: %lu objects of 64 bytes\n", n);
	fflush(stdout);
	getchar();
	return slabd_close(pool) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "open") == 0 && atol(argv[2]) > 0)
		return open_many(atol(argv[2]));
	if (argc == 2 && strcmp(argv[1], "fill") == 0)
		return fill();
	fprintf(stderr, "usage: attach open N | attach fill\n");
	return 2;
}
