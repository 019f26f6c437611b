/* SPDX-License-Identifier: MIT */
/*
 * What a free costs that goes home, beside one that stays. One thread that
 * counts as on one node or another: no line travels between cores here, so
 * this is the work alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/drift.h"

#define LIVE 65536u
#define HIT 256u
#define ROUNDS 21u

static slabd_pool *pool;
static slabd_cache *cache;
static void *live[LIVE];

static void stand(int node)
{
	if (slabd_thread_node(pool, node) < 0)
		exit(drift_fail("node", slabd_last_error()));
}

static void fill(uint32_t n)
{
	if (slabd_alloc_bulk(cache, n, live) != n)
		exit(drift_fail("alloc", slabd_last_error()));
}

static void shuffle(void)
{
	uint64_t random = 0x9e3779b97f4a7c15u;
	for (uint32_t i = LIVE - 1; i > 0; i--) {
		uint32_t k;
		void *swap = live[i];
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		k = (uint32_t)(random % (i + 1));
		live[i] = live[k];
		live[k] = swap;
	}
}

/* ns an object, freed one by one and, with home, flushed. */
static double drop(uint32_t n, bool home)
{
	double began = drift_now_ns();
	for (uint32_t i = 0; i < n; i++)
		slabd_free(cache, live[i]);
	if (home)
		slabd_flush(pool);
	return (drift_now_ns() - began) / n;
}

static double hit(void)
{
	double sum = 0;
	stand(0);
	for (uint32_t i = 0; i < LIVE / HIT; i++) {
		fill(HIT);
		sum += drop(HIT, false);
	}
	return sum / (LIVE / HIT);
}

/* Objects of node from, freed on node 0. */
static double pass(int from, bool shuffled, bool home)
{
	double ns;
	stand(from);
	fill(LIVE);
	if (shuffled)
		shuffle();
	stand(0);
	ns = drop(LIVE, home);
	slabd_flush(pool);
	return ns;
}

static double local(void) { return pass(0, false, false); }
static double local_shuffled(void) { return pass(0, true, false); }
static double home(void) { return pass(0, false, true); }
static double home_shuffled(void) { return pass(0, true, true); }
static double remote(void) { return pass(1, false, false); }
static double remote_shuffled(void) { return pass(1, true, false); }

static const struct {
	const char *name;
	double (*run)(void);
} cases[] = {
	{"local, into the magazine", hit},
	{"local, to magazine and depot", local},
	{"local, to magazine and depot, shuffled", local_shuffled},
	{"local, and on to the slab", home},
	{"local, and on to the slab, shuffled", home_shuffled},
	{"remote, home in batches", remote},
	{"remote, home in batches, shuffled", remote_shuffled},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

int drift_cost(void)
{
	static double took[CASES][ROUNDS];
	pool = drift_open(0, &cache);
	for (uint32_t round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < CASES; i++)
			took[i][round] = cases[i].run();
	for (size_t i = 0; i < CASES; i++) {
		qsort(took[i], ROUNDS, sizeof(took[i][0]), compare);
		printf("{\"cost\":\"%s\",\"ns\":%.2f,\"low\":%.2f}\n",
		       cases[i].name, took[i][ROUNDS / 2],
		       took[i][ROUNDS / 10]);
	}
	return slabd_close(pool) == 0 ? 0 : 1;
}
