/* SPDX-License-Identifier: MIT */
/*
 * homes MIB [--hold]: fills a pool of MIB a node, node by node, and asks the
 * kernel where each object lies. With --hold it keeps all until it is killed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/bed.h"

#define OBJECT_BYTES 32768u
#define PER_MIB ((1u << 20) / OBJECT_BYTES)
#define OBJECTS_MAX 4096

static void *objects[BED_NODES][OBJECTS_MAX];
static size_t filled[BED_NODES];

/* Objects are a power of two and slabs hold nothing else: they fill a node to
 * its last byte. */
static void fill(slabd_cache *cache, int node, size_t all)
{
	size_t astray = 0, n = 0;
	void *object;
	int error;
	while (n < OBJECTS_MAX &&
	       (object = slabd_alloc_node(cache, node)) != NULL) {
		astray += bed_node_of(object, OBJECT_BYTES) != node;
		objects[node][n++] = object;
	}
	error = errno;
	filled[node] = n;
	bed_ok(n == all && error == ENOMEM,
	       "node %d: %zu objects, %zu expected, then %s", node, n, all,
	       strerror(error));
	bed_ok(astray == 0, "node %d: %zu of them lie elsewhere", node, astray);
}

int main(int argc, char **argv)
{
	size_t all = argc > 1 ? strtoul(argv[1], NULL, 10) * PER_MIB : 0;
	slabd_pool *pool = bed_open();
	slabd_cache *cache = bed_cache(pool, "homes", OBJECT_BYTES, 0);
	struct slabd_stats stats;
	for (int node = 0; node < BED_NODES; node++)
		fill(cache, node, all);
	bed_ok(slabd_alloc_node(cache, BED_NODES) == NULL && errno == EINVAL,
	       "a node that there is not is refused");
	if (argc > 2 && strcmp(argv[2], "--hold") == 0) {
		puts("holding");
		fflush(stdout);
		pause();
	}
	for (int node = 0; node < BED_NODES; node++)
		slabd_free_bulk(cache, filled[node], objects[node]);
	bed_ok(slabd_flush(pool) == 0 && slabd_get_stats(pool, &stats) == 0 &&
	               stats.refused == 0,
	       "every free is taken");
	bed_ok(slabd_close(pool) == 0, "close");
	return bed_status();
}
