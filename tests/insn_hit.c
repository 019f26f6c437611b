/* SPDX-License-Identifier: MIT */
/*
 * N pairs of alloc and free that all hit, for callgrind to count: the
 * difference of two runs, divided by the difference of their N, is what one
 * pair costs, loop included. Usage: insn_hit N, with SLABD_SOCKET set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/slabclient.h"

static void pairs(slabd_cache *cache, long n)
{
	for (long i = 0; i < n; i++) {
		void *object = slabd_alloc(cache);
		/* The compiler must believe that the object is used. */
		__asm__ volatile("" : : "r"(object) : "memory");
		slabd_free(cache, object);
	}
}

int main(int argc, char **argv)
{
	long n = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache = NULL;
	if (n <= 0) {
		fprintf(stderr, "usage: insn_hit N\n");
		return 2;
	}
	if (pool != NULL)
		cache = slabd_cache_create(pool, "insn", 64, 0, 0);
	if (cache == NULL) {
		fprintf(stderr, "insn_hit: %s\n", slabd_last_error());
		return 1;
	}
	pairs(cache, 1);
	pairs(cache, n);
	return slabd_close(pool) == 0 ? 0 : 1;
}
