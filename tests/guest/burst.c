/* SPDX-License-Identifier: MIT */
/*
 * burst POOL MIB NODES: as soon as a line comes on standard input, takes so
 * many MiB on the CPU of each of the first nodes, writes them, says "had MIB",
 * frees them, says "freed", and waits for the next line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/fixture.h"

#define OBJECT 4096u
#define WAIT_MS 20000

static void **objects;
static size_t n;

/* Every object is whole and still says who it is. */
static size_t take(slabd_cache *cache, int node, size_t at, size_t end)
{
	for (; at < end; at++) {
		objects[at] = slabd_alloc(cache);
		if (objects[at] == NULL) {
			printf("none on node %d: %s\n", node,
			       slabd_last_error());
			break;
		}
		memset(objects[at], (int)(at % 251), OBJECT);
	}
	return at;
}

static size_t whole(size_t had)
{
	size_t good = 0;
	for (size_t i = 0; i < had; i++) {
		const unsigned char *byte = objects[i];
		good += byte[0] == i % 251 && byte[OBJECT - 1] == i % 251;
	}
	return good;
}

static void burst(slabd_cache *cache, int nodes)
{
	size_t had = 0;
	size_t each = n / (size_t)nodes;
	for (int node = 0; node < nodes; node++) {
		fixture_pin(node);
		had = take(cache, node, had, had + each);
	}
	printf("had %zu\n", whole(had) * OBJECT >> 20);
	for (size_t i = 0; i < had; i++)
		slabd_free(cache, objects[i]);
	printf("freed\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct slabd_options options = {.wait_ms = WAIT_MS};
	slabd_pool *pool = slabd_open(argc > 1 ? argv[1] : NULL, &options);
	int nodes = argc > 3 ? atoi(argv[3]) : FIXTURE_NODES;
	char line[16];
	slabd_cache *cache;
	if (pool == NULL || argc < 3 || nodes < 1 || nodes > FIXTURE_NODES)
		return 1;
	n = (size_t)atoi(argv[2]) * (size_t)nodes * ((1u << 20) / OBJECT);
	objects = calloc(n, sizeof(*objects));
	cache = fixture_cache(pool, "burst", OBJECT, 0);
	if (objects == NULL || cache == NULL)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL)
		burst(cache, nodes);
	slabd_cache_close(cache);
	return slabd_close(pool);
}
