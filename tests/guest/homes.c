/* SPDX-License-Identifier: MIT */
/*
 * homes MIB [--hold]: fills a pool of MIB a node, node by node, and asks the
 * kernel where each object lies. With --hold it keeps all until SIGTERM, and
 * then looks whether they are as they were.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/fixture.h"

#define OBJECT_BYTES 32768u
#define PER_MIB ((1u << 20) / OBJECT_BYTES)
#define OBJECTS_MAX 65600

static int nodes[FIXTURE_NODES_MAX];
static unsigned n_nodes;
static void *objects[FIXTURE_NODES_MAX][OBJECTS_MAX];
static size_t filled[FIXTURE_NODES_MAX];

/* Objects are a power of two and slabs hold nothing else: they fill a node to
 * its last byte. */
static void fill(slabd_cache *cache, unsigned ix, size_t all)
{
	size_t astray = 0, n = 0;
	int node = nodes[ix];
	void *object;
	int error;
	while (n < OBJECTS_MAX &&
	       (object = slabd_alloc_node(cache, node)) != NULL) {
		astray += fixture_node_of(object, OBJECT_BYTES) != node;
		objects[ix][n++] = object;
	}
	error = errno;
	filled[ix] = n;
	fixture_ok(n == all && error == ENOMEM,
	       "node %d: %zu objects, %zu expected, then %s", node, n, all,
	       strerror(error));
	fixture_ok(astray == 0, "node %d: %zu of them lie elsewhere", node,
	           astray);
}

/* Numbers in a gap, above the last, and of nodes that have no memory. */
static void refused(slabd_cache *cache)
{
	unsigned next = 0, wrong = 0, tried = 0;
	for (int node = -1; node <= nodes[n_nodes - 1] + 1; node++) {
		if (next < n_nodes && node == nodes[next]) {
			next++;
			continue;
		}
		tried++;
		wrong += slabd_alloc_node(cache, node) != NULL ||
		         errno != EINVAL;
	}
	fixture_ok(wrong == 0,
	           "%u numbers that are no node with memory: %u taken", tried,
	           wrong);
}

/* In the middle of an object, as its ends are written by fixture_node_of. */
static uint64_t *mark_of(unsigned ix, size_t i)
{
	return (uint64_t *)objects[ix][i] + OBJECT_BYTES / 16;
}

/* Until SIGTERM. */
static void hold(void)
{
	sigset_t set;
	size_t changed = 0;
	int signal;
	for (unsigned ix = 0; ix < n_nodes; ix++)
		for (size_t i = 0; i < filled[ix]; i++)
			*mark_of(ix, i) = (uintptr_t)objects[ix][i];
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("holding");
	fflush(stdout);
	sigwait(&set, &signal);
	for (unsigned ix = 0; ix < n_nodes; ix++)
		for (size_t i = 0; i < filled[ix]; i++)
			changed += *mark_of(ix, i) != (uintptr_t)objects[ix][i];
	fixture_ok(changed == 0, "%zu objects not as they were left", changed);
}

int main(int argc, char **argv)
{
	size_t all = argc > 1 ? strtoul(argv[1], NULL, 10) * PER_MIB : 0;
	slabd_pool *pool = fixture_open();
	slabd_cache *cache = fixture_cache(pool, "homes", OBJECT_BYTES, 0);
	struct slabd_stats stats;
	n_nodes = fixture_nodes(nodes);
	for (unsigned ix = 0; ix < n_nodes; ix++)
		fill(cache, ix, all);
	refused(cache);
	if (argc > 2 && strcmp(argv[2], "--hold") == 0)
		hold();
	for (unsigned ix = 0; ix < n_nodes; ix++)
		slabd_free_bulk(cache, filled[ix], objects[ix]);
	fixture_ok(slabd_flush(pool) == 0 &&
	                   slabd_get_stats(pool, &stats) == 0 &&
	                   stats.refused == 0,
	           "every free is taken");
	fixture_ok(slabd_close(pool) == 0, "close");
	return fixture_status();
}
