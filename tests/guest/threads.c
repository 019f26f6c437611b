/* SPDX-License-Identifier: MIT */
/*
 * Threads on each node get objects of that node; a thread that moves notices
 * at its next miss; what another node's thread frees goes home.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/guest/fixture.h"

#define OBJECT_BYTES 256u
#define PRIME 6000
#define EACH 2000
#define ROUND 1000
#define ROUNDS 50

static slabd_pool *pool;
static slabd_cache *cache;

static uint64_t remote_allocs(void)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.remote_allocs;
}

static uint64_t remote_frees(void)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.remote_frees;
}

/* Before a node has slabs of the cache its threads may be given another's. */
static void prime(void)
{
	static void *objects[PRIME];
	int nodes[FIXTURE_NODES_MAX];
	unsigned n_nodes = fixture_nodes(nodes);
	for (unsigned ix = 0; ix < n_nodes; ix++) {
		int node = nodes[ix];
		size_t n = 0;
		while (n < PRIME &&
		       (objects[n] = slabd_alloc_node(cache, node)) != NULL)
			n++;
		fixture_ok(n == PRIME, "node %d has slabs", node);
		slabd_free_bulk(cache, n, objects);
		slabd_flush(pool);
	}
}

/* How many objects do not lie on node. */
static size_t count_astray(void **objects, size_t n, int node)
{
	size_t astray = 0;
	for (size_t i = 0; i < n; i++)
		astray += objects[i] == NULL ||
		          fixture_node_of(objects[i], OBJECT_BYTES) != node;
	return astray;
}

/* ---- pinned ------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	int cpu;
	int node;
	int home; /* where its memory should lie */
	size_t astray;
	void *objects[EACH];
};
static struct worker workers[FIXTURE_CPUS_MAX];
static pthread_barrier_t all_hold;

static void *work(void *arg)
{
	struct worker *worker = arg;
	fixture_pin(worker->cpu);
	worker->node = fixture_node_here();
	worker->home = fixture_home();
	for (size_t i = 0; i < EACH; i++)
		worker->objects[i] = slabd_alloc(cache);
	worker->astray = count_astray(worker->objects, EACH, worker->home);
	pthread_barrier_wait(&all_hold);
	slabd_free_bulk(cache, EACH, worker->objects);
	return NULL;
}

static void pinned(void)
{
	int cpus[FIXTURE_CPUS_MAX];
	unsigned n = fixture_cpus(cpus);
	pthread_barrier_init(&all_hold, NULL, n);
	for (unsigned i = 0; i < n; i++) {
		workers[i].cpu = cpus[i];
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		fixture_ok(workers[i].astray == 0,
		       "a thread on CPU %d, node %d: %zu objects not of node "
		       "%d", workers[i].cpu, workers[i].node,
		       workers[i].astray, workers[i].home);
	}
	fixture_ok(remote_allocs() == 0, "%llu remote allocations",
	       (unsigned long long)remote_allocs());
}

/* ---- moved -------------------------------------------------------------- */

/* Takes on CPU 0, moves to CPU 2, which is another node's, and goes on: what
 * its magazine holds is the first node's still, and not one more. */
static void *move(void *arg)
{
	static void *objects[EACH];
	size_t first = 10, old = 0;
	int from, to;
	(void)arg;
	fixture_pin(0);
	from = fixture_home();
	for (size_t i = 0; i < first; i++)
		objects[i] = slabd_alloc(cache);
	fixture_ok(count_astray(objects, first, from) == 0,
	           "on node %d at first", from);
	fixture_pin(2);
	to = fixture_home();
	for (size_t i = first; i < EACH; i++)
		objects[i] = slabd_alloc(cache);
	while (first + old < EACH &&
	       fixture_node_of(objects[first + old], OBJECT_BYTES) == from)
		old++;
	fixture_ok(to != from && old <= SLABD_MAGAZINE_MAX,
	       "moved to node %d: %zu from node %d, a magazine's at most", to,
	       old, from);
	fixture_ok(count_astray(objects + first + old, EACH - first - old,
	                        to) == 0,
	           "and then node %d's alone", to);
	slabd_free_bulk(cache, EACH, objects);
	return NULL;
}

static void moved(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, move, NULL);
	pthread_join(thread, NULL);
	fixture_ok(remote_allocs() == 0, "none of them a remote allocation");
}

/* ---- home again --------------------------------------------------------- */

static void *handed[ROUND];
static pthread_barrier_t handed_over;

/* Frees, on CPU 2, what CPU 0's thread took. */
static void *consume(void *arg)
{
	(void)arg;
	fixture_pin(2);
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&handed_over);
		for (size_t i = 0; i < ROUND; i++)
			slabd_free(cache, handed[i]);
		pthread_barrier_wait(&handed_over);
	}
	slabd_flush(pool);
	return NULL;
}

/* One line: slabs, free objects and lent slabs of the cache, node by node. */
static void read_nodes(char *line, int bytes)
{
	FILE *pipe = popen("slabctl --json caches | jq -c '.pools[0].caches[]"
	                   " | select(.name == \"threads\") | [.nodes[]"
	                   " | [.slabs, .free, .lent]]'",
	                   "r");
	if (pipe == NULL || fgets(line, bytes, pipe) == NULL)
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (pipe != NULL)
		pclose(pipe);
}

static void home_again(void)
{
	char before[200], after[200];
	uint64_t frees = remote_frees();
	size_t astray = 0;
	int home;
	pthread_t thread;
	slabd_flush(pool);
	read_nodes(before, sizeof(before));
	pthread_barrier_init(&handed_over, NULL, 2);
	pthread_create(&thread, NULL, consume, NULL);
	fixture_pin(0);
	home = fixture_home();
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < ROUND; i++)
			handed[i] = slabd_alloc(cache);
		astray += count_astray(handed, ROUND, home);
		pthread_barrier_wait(&handed_over);
		pthread_barrier_wait(&handed_over);
	}
	pthread_join(thread, NULL);
	slabd_flush(pool);
	read_nodes(after, sizeof(after));
	fixture_ok(astray == 0,
	           "%d rounds to CPU 2: node %d never lacks its own", ROUNDS,
	           home);
	fixture_ok(remote_frees() - frees == ROUND * ROUNDS,
	           "%llu remote frees",
	           (unsigned long long)(remote_frees() - frees));
	fixture_ok(before[0] == '[' && strcmp(before, after) == 0,
	       "no node drifts: %s, was %s", after, before);
}

int main(void)
{
	pool = fixture_open();
	cache = fixture_cache(pool, "threads", OBJECT_BYTES, 0);
	prime();
	pinned();
	moved();
	home_again();
	fixture_ok(slabd_close(pool) == 0, "close");
	return fixture_status();
}
