/* SPDX-License-Identifier: MIT */
/*
 * W1, W2 and W2b on one thread: slabd, a hand-written magazine (the floor) and
 * the C library's malloc, in rotated rounds of one run. Prints medians of
 * same-round ratios; absolute figures move with the machine.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/slabclient.h"

#define ROUNDS 7
#define LIVE 100000

/* ---- contestants -------------------------------------------------------- */

struct floor_mag {
	uint32_t n;
	void *obj[LIVE];
};

struct floor_cache {
	size_t id;
};

static struct floor_mag floor_mag;
static __thread struct floor_mag *floor_table[4];

static inline void *floor_alloc(struct floor_cache *cache)
{
	struct floor_mag *mag = floor_table[cache->id];
	return mag->obj[--mag->n];
}

static inline void floor_free(struct floor_cache *cache, void *object)
{
	struct floor_mag *mag = floor_table[cache->id];
	mag->obj[mag->n++] = object;
}

static void floor_fill(size_t size)
{
	char *memory = aligned_alloc(1 << 21, (LIVE * size + (1 << 21)) >> 21
	                                              << 21);
	if (memory == NULL)
		abort();
	memset(memory, 1, LIVE * size);
	for (size_t i = 0; i < LIVE; i++)
		floor_mag.obj[i] = memory + (LIVE - 1 - i) * size;
	floor_mag.n = LIVE;
	floor_table[1] = &floor_mag;
}

static size_t malloc_size;
static void *c_alloc(void *unused)
{
	(void)unused;
	return malloc(malloc_size);
}

static void c_free(void *unused, void *object)
{
	(void)unused;
	free(object);
}

/* ---- workloads ---------------------------------------------------------- */

static void *live[LIVE];
static uint32_t order[LIVE];

#define USED(p) __asm__ volatile("" : : "r"(p) : "memory")

#define WORKLOADS(name, cache_type, alloc, free_)                              \
	static void name##_w1(cache_type *cache, long n)                       \
	{                                                                      \
		for (long i = 0; i < n; i++) {                                 \
			void *object = alloc(cache);                           \
			USED(object);                                          \
			free_(cache, object);                                  \
		}                                                              \
	}                                                                      \
	static void name##_w2(cache_type *cache, long n)                       \
	{                                                                      \
		for (long i = 0; i < n; i += 256) {                            \
			for (int k = 0; k < 256; k++)                          \
				live[k] = alloc(cache);                        \
			for (int k = 0; k < 256; k++)                          \
				free_(cache, live[k]);                         \
		}                                                              \
	}                                                                      \
	static void name##_w2b(cache_type *cache, long n)                      \
	{                                                                      \
		for (long i = 0; i < n; i += LIVE) {                           \
			for (int k = 0; k < LIVE; k++) {                       \
				live[k] = alloc(cache);                        \
				*(long *)live[k] = k;                          \
			}                                                      \
			for (int k = 0; k < LIVE; k++)                         \
				free_(cache, live[order[k]]);                  \
		}                                                              \
	}

WORKLOADS(slabd, slabd_cache, slabd_alloc, slabd_free)
WORKLOADS(bare, struct floor_cache, floor_alloc, floor_free)
WORKLOADS(libc, void, c_alloc, c_free)

/* ---- measuring ---------------------------------------------------------- */

static slabd_cache *cache;
static struct floor_cache floor_cache = {.id = 1};

static void run(int who, int workload, long n)
{
	static void (*const s[])(slabd_cache *, long) = {slabd_w1, slabd_w2,
	                                                 slabd_w2b};
	static void (*const f[])(struct floor_cache *, long) = {
	        bare_w1, bare_w2, bare_w2b};
	static void (*const c[])(void *, long) = {libc_w1, libc_w2, libc_w2b};
	if (who == 0)
		s[workload](cache, n);
	else if (who == 1)
		f[workload](&floor_cache, n);
	else
		c[workload](NULL, n);
}

static double time_of(int who, int workload, long n)
{
	struct timespec a;
	struct timespec b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	run(who, workload, n);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 +
	        (double)(b.tv_nsec - a.tv_nsec)) /
	       (double)n;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), by_value);
	return values[ROUNDS / 2];
}

static void measure(size_t size, int workload)
{
	static const char *const names[] = {"W1", "W2", "W2b"};
	static const long counts[] = {20000000, 20000000 / 256 * 256, 1000000};
	double ns[3][ROUNDS];
	double to_floor[ROUNDS];
	double to_libc[ROUNDS];
	for (int who = 0; who < 3; who++)
		run(who, workload, counts[workload] / 10 / LIVE * LIVE + LIVE);
	for (int round = 0; round < ROUNDS; round++) {
		for (int turn = 0; turn < 3; turn++) {
			int who = (turn + round) % 3;
			ns[who][round] =
			        time_of(who, workload, counts[workload]);
		}
		to_floor[round] = ns[0][round] / ns[1][round];
		to_libc[round] = ns[0][round] / ns[2][round];
	}
	printf("%-4s %5zu B  slabd %6.2f  floor %6.2f  malloc %6.2f ns   "
	       "%.2fx floor  %.2fx malloc\n",
	       names[workload], size, median(ns[0]), median(ns[1]),
	       median(ns[2]), median(to_floor), median(to_libc));
}

static void shuffle(void)
{
	uint64_t x = 88172645463325252u;
	for (uint32_t i = 0; i < LIVE; i++)
		order[i] = i;
	for (uint32_t i = LIVE - 1; i > 0; i--) {
		uint32_t swap = order[i];
		uint32_t j;
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (uint32_t)(x % (i + 1));
		order[i] = order[j];
		order[j] = swap;
	}
}

int main(void)
{
	static const size_t sizes[] = {64, 256, 1024};
	slabd_pool *pool = slabd_open(NULL, NULL);
	if (pool == NULL) {
		fprintf(stderr, "pairs: %s\n", slabd_last_error());
		return 1;
	}
	shuffle();
	for (int i = 0; i < 3; i++) {
		char name[32];
		snprintf(name, sizeof(name), "pairs-%zu", sizes[i]);
		cache = slabd_cache_create(pool, name, sizes[i], 0, 0);
		if (cache == NULL) {
			fprintf(stderr, "pairs: %s\n", slabd_last_error());
			return 1;
		}
		floor_fill(sizes[i]);
		malloc_size = sizes[i];
		for (int workload = 0; workload < 3; workload++)
			measure(sizes[i], workload);
		slabd_cache_close(cache);
	}
	return slabd_close(pool) == 0 ? 0 : 1;
}
