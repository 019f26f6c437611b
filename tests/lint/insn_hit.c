/* SPDX-License-Identifier: MIT */
/*
 * Patterns for callgrind to count, N times each: the difference of two runs,
 * divided by the difference of their N, is what one costs, loop included.
 *
 *   insn_hit hit N    a pair of alloc and free that both hit
 *   insn_hit pool N   a pair of get and put of an object pool that both hit
 *   insn_hit miss N   1024 allocs, then 1024 frees: magazine and depot by turns
 *   insn_hit home N   the same, then a flush: the next ones come from slabs
 *   insn_hit gift N   1024 objects given by handle to another client of this
 *                     process, taken and freed by it, then both flush
 *
 * Callgrind can count one function of a pattern alone, so "home" tells what a
 * refill from slabs and what a flush costs. SLABD_SOCKET must be set.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slabclient.h"

#define LIVE 1024

static slabd_pool *pool, *other;
static slabd_cache *cache, *theirs;
static slabd_objpool *objpool;
static void *live[LIVE];
static slabd_handle handles[LIVE];

static void hit(long n)
{
	for (long i = 0; i < n; i++) {
		void *object = slabd_alloc(cache);
		/* The compiler must believe that the object is used. */
		__asm__ volatile("" : : "r"(object) : "memory");
		slabd_free(cache, object);
	}
}

static void pooled(long n)
{
	for (long i = 0; i < n; i++) {
		void *object = slabd_objpool_get(objpool);
		__asm__ volatile("" : : "r"(object) : "memory");
		slabd_objpool_put(objpool, object);
	}
}

static void miss(long n)
{
	for (long i = 0; i < n; i++) {
		for (int k = 0; k < LIVE; k++)
			live[k] = slabd_alloc(cache);
		for (int k = 0; k < LIVE; k++)
			slabd_free(cache, live[k]);
	}
}

static void home(long n)
{
	for (long i = 0; i < n; i++) {
		miss(1);
		slabd_flush(pool);
	}
}

static void gift(long n)
{
	unsigned to = slabd_client_id(other);
	for (long i = 0; i < n; i++) {
		for (int k = 0; k < LIVE; k++) {
			void *object = slabd_alloc(cache);
			if (slabd_give(pool, object, to) != 0)
				exit(1);
			handles[k] = slabd_handle_of(pool, object);
		}
		for (int k = 0; k < LIVE; k++)
			live[k] = slabd_take(other, handles[k]);
		for (int k = 0; k < LIVE; k++)
			slabd_free(theirs, live[k]);
		slabd_flush(other);
		slabd_flush(pool);
	}
}

static bool open_other(void)
{
	other = slabd_open(NULL, NULL);
	if (other != NULL)
		theirs = slabd_cache_create(other, "insn", 64, 0, 0);
	return theirs != NULL;
}

int main(int argc, char **argv)
{
	/* None of its periods ends meanwhile, however slow the machine is. */
	const struct slabd_objpool_ops ops = {.idle_ms = 3600000};
	long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	void (*pattern)(long) = n <= 0                           ? NULL
	                        : strcmp(argv[1], "hit") == 0  ? hit
	                        : strcmp(argv[1], "pool") == 0 ? pooled
	                        : strcmp(argv[1], "miss") == 0 ? miss
	                        : strcmp(argv[1], "home") == 0 ? home
	                        : strcmp(argv[1], "gift") == 0 ? gift
	                                                       : NULL;
	if (pattern == NULL) {
		fprintf(stderr, "usage: insn_hit hit|pool|miss|home|gift N\n");
		return 2;
	}
	pool = slabd_open(NULL, NULL);
	if (pool != NULL)
		cache = slabd_cache_create(pool, "insn", 64, 0, 0);
	/* Another cache is more for a flush to look at. */
	if (cache != NULL && pattern == pooled)
		objpool = slabd_objpool_create(pool, "insn", 64, &ops);
	if (cache == NULL || (pattern == pooled && objpool == NULL) ||
	    (pattern == gift && !open_other())) {
		fprintf(stderr, "insn_hit: %s\n", slabd_last_error());
		return 1;
	}
	pattern(10);
	pattern(n);
	if (other != NULL && slabd_close(other) != 0)
		return 1;
	return slabd_close(pool) == 0 ? 0 : 1;
}
