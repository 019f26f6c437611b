/* SPDX-License-Identifier: MIT */
/*
 * What an object pool saves: a pair of get and put beside a pair of alloc and
 * free (W1), and an object with a buffer of 4 KiB that is kept beside one that is
 * made anew each time, by malloc and of a cache. A line of JSON: medians of ns a
 * pair, and of the ratios of what ran in the same round. SLABD_SOCKET must be set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slabclient.h"
#include "tests/bench/work.h"

#define ROUNDS 101
#define PAIRS 200000u
#define SIZE 64
#define BUFFER 4096

struct thing {
	char *buffer;
	uint64_t n;
};

enum way { W1, POOL, RESET, KEPT, FRESH, CACHE, WAYS };
static const char *const names[WAYS] = {"w1",   "pool",         "pool_reset",
                                        "kept", "fresh_malloc", "fresh_slabd"};
static slabd_cache *cache, *buffers;
static slabd_objpool *plain, *with_reset, *kept;
static double ns[WAYS][ROUNDS];

static int init(void *object, void *arg)
{
	struct thing *thing = object;
	(void)arg;
	thing->buffer = malloc(BUFFER);
	return thing->buffer != NULL ? 0 : -1;
}

static void reset(void *object, void *arg)
{
	(void)arg;
	((struct thing *)object)->n = 0;
}

static void fini(void *object, void *arg)
{
	(void)arg;
	free(((struct thing *)object)->buffer);
}

static void pairs_w1(void)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		void *object = slabd_alloc(cache);
		WORK_USED(object);
		slabd_free(cache, object);
	}
}

static void pairs_of(slabd_objpool *objpool)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		void *object = slabd_objpool_get(objpool);
		WORK_USED(object);
		slabd_objpool_put(objpool, object);
	}
}

/* Its buffer's first line is written, as a request's would be. */
static void pairs_kept(void)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		struct thing *thing = slabd_objpool_get(kept);
		memset(thing->buffer, (int)i, 64);
		WORK_USED(thing);
		slabd_objpool_put(kept, thing);
	}
}

/* Constructed as init does it, zeroed buffer and all. */
static void pairs_malloc(void)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		struct thing *thing = malloc(SIZE);
		if (thing == NULL || (thing->buffer = malloc(BUFFER)) == NULL)
			abort();
		memset(thing->buffer, 0, BUFFER);
		thing->n = 0;
		memset(thing->buffer, (int)i, 64);
		WORK_USED(thing);
		free(thing->buffer);
		free(thing);
	}
}

static void pairs_cache(void)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		struct thing *thing = slabd_alloc(cache);
		if (thing == NULL ||
		    (thing->buffer = slabd_alloc(buffers)) == NULL)
			abort();
		memset(thing->buffer, 0, BUFFER);
		thing->n = 0;
		memset(thing->buffer, (int)i, 64);
		WORK_USED(thing);
		slabd_free(buffers, thing->buffer);
		slabd_free(cache, thing);
	}
}

static void run(enum way way)
{
	switch (way) {
	case W1:
		pairs_w1();
		break;
	case POOL:
		pairs_of(plain);
		break;
	case RESET:
		pairs_of(with_reset);
		break;
	case KEPT:
		pairs_kept();
		break;
	case FRESH:
		pairs_malloc();
		break;
	default:
		pairs_cache();
		break;
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Of one way by another, or of one alone. */
static double median(enum way way, enum way by)
{
	double all[ROUNDS];
	for (unsigned i = 0; i < ROUNDS; i++)
		all[i] = by == WAYS ? ns[way][i] : ns[way][i] / ns[by][i];
	qsort(all, ROUNDS, sizeof(all[0]), by_size);
	return all[ROUNDS / 2];
}

static slabd_objpool *make(slabd_pool *pool, const char *name,
                           const struct slabd_objpool_ops *ops)
{
	slabd_objpool *made = slabd_objpool_create(pool, name, SIZE, ops);
	if (made == NULL) {
		fprintf(stderr, "objpool: %s\n", slabd_last_error());
		exit(1);
	}
	return made;
}

int main(void)
{
	const struct slabd_objpool_ops resets = {.reset = reset};
	const struct slabd_objpool_ops all = {
		.init = init, .reset = reset, .fini = fini};
	slabd_pool *pool = slabd_open(NULL, NULL);
	if (pool != NULL)
		cache = slabd_cache_create(pool, "bench-one", SIZE, 0, 0);
	if (cache != NULL)
		buffers = slabd_cache_create(pool, "bench-4k", BUFFER, 0, 0);
	if (buffers == NULL) {
		fprintf(stderr, "objpool: %s\n", slabd_last_error());
		return 1;
	}
	plain = make(pool, "plain", NULL);
	with_reset = make(pool, "reset", &resets);
	kept = make(pool, "kept", &all);
	for (unsigned i = 0; i < ROUNDS; i++)
		for (unsigned way = 0; way < WAYS; way++) {
			double began = work_now_ns();
			run((enum way)way);
			ns[way][i] = (work_now_ns() - began) / PAIRS;
		}
	printf("{");
	for (unsigned way = 0; way < WAYS; way++)
		printf("\"%s_ns\": %.2f, ", names[way],
		       median((enum way)way, WAYS));
	printf("\"pool_by_w1\": %.3f, \"malloc_by_kept\": %.1f, "
	       "\"slabd_by_kept\": %.1f}\n",
	       median(POOL, W1), median(FRESH, KEPT), median(CACHE, KEPT));
	return slabd_close(pool);
}
