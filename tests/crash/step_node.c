/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of what goes beyond its node, or needs
 * slabd: objects of another node, and shortages.
 *
 *   step_node [--all]
 */
#include "tests/lib/kill.h"

#define CAP 32u
#define LARGE 8000u /* of which a slab has few */
#define SCARCE 5u

static struct traced_pool traced;

static void alloc_one(struct kill_victim *v)
{
	v->objects[v->n] = slabd_alloc(v->cache);
	v->n += v->objects[v->n] != NULL;
}

/* ---- both nodes have room ----------------------------------------------- */

static void open_far(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, "far", TRACED_POOL_SIZE);
}

static void alloc_far(struct kill_victim *v)
{
	v->objects[v->n++] = slabd_alloc_node(v->cache, 1);
}

/* As many of the other node's as go home in one batch. */
static void fill_remote(struct kill_victim *v)
{
	open_far(v);
	for (unsigned i = 0; i < CAP; i++)
		alloc_far(v);
	kill_drop(v, CAP - 1);
}

static void free_one(struct kill_victim *v)
{
	kill_drop(v, 1);
}

/* ---- growth ------------------------------------------------------------- */

static const char *const pair[2] = {"even", "odd"};
static uint32_t pair_ids[2];

static void open_pair(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, pair[v->board->turn % 2], LARGE);
}

/* One cache has nothing free, and the other nothing but free objects: slabd
 * carves, and once the node is full it empties the other's slabs for that. */
static void run_short(struct traced_pool *w, struct kill_board *board)
{
	unsigned odd = board->turn % 2;
	traced_pool_release(w, pair_ids[!odd], 0);
	traced_pool_claim(w, pair_ids[odd], 0, UINT32_MAX);
}

static void test_growth(void)
{
	static const struct kill_op grow = {.name = "shortage, and growth",
	                                    .prepare = open_pair,
	                                    .act = alloc_one,
	                                    .before = run_short};
	for (int i = 0; i < 2; i++)
		pair_ids[i] = traced_pool_cache(&traced, pair[i], LARGE, 0, 0);
	kill_everywhere(&traced, &grow);
	for (int i = 0; i < 2; i++)
		traced_pool_release(&traced, pair_ids[i], 0);
}

/* ---- node 0 is full ----------------------------------------------------- */

static void open_strict(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = slabd_cache_create(v->pool, "strict", TRACED_POOL_SIZE, 0,
	                              SLABD_CACHE_STRICT);
	if (v->cache == NULL)
		tap_bail("slabd_cache_create: %s", slabd_last_error());
}

/* The last objects that the cache has on the node. */
static void open_scarce(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, "scarce", TRACED_POOL_SIZE);
}

static void take_scarce(struct kill_victim *v)
{
	open_scarce(v);
	kill_take(v, SCARCE);
	kill_drop(v, SCARCE);
}

static void flush(struct kill_victim *v)
{
	slabd_flush(v->pool);
}

/* All but a few objects of the cache are the warden's: a refill takes the slab
 * off its list, and what comes home puts it there. */
static void test_scarce(uint32_t scarce)
{
	static const struct kill_op ops[] = {
		{.name = "refill that leaves a slab bare",
		 .prepare = open_scarce,
		 .act = alloc_one},
		{.name = "the only free objects go home",
		 .prepare = take_scarce,
		 .act = flush},
	};
	traced_pool_release_some(&traced, scarce, SCARCE);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
}

static void test_full(void)
{
	static const struct kill_op ops[] = {
		{.name = "refill from the other node",
		 .prepare = open_far,
		 .act = alloc_one},
		{.name = "shortage, and ENOMEM",
		 .prepare = open_strict,
		 .act = alloc_one},
	};
	uint32_t common = traced_pool_cache(&traced, TRACED_POOL_COMMON,
	                                    TRACED_POOL_SIZE, 0, 0);
	uint32_t second = traced_pool_cache(&traced, "second",
	                                    2 * TRACED_POOL_SIZE, 0, 0);
	uint32_t scarce =
		traced_pool_cache(&traced, "scarce", TRACED_POOL_SIZE, 0, 0);
	traced_pool_claim(&traced, scarce, 0, UINT32_MAX);
	traced_pool_halt(&traced);
	traced_pool_pin(&traced, common, 0);
	traced_pool_pin(&traced, second, 0);
	traced_pool_fill(&traced, "filler", TRACED_POOL_FILLER, 0);
	traced_pool_go_on(&traced);
	test_scarce(scarce);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
}

int main(int argc, char **argv)
{
	static const struct kill_op ops[] = {
		{.name = "slabd_alloc_node",
		 .prepare = open_far,
		 .act = alloc_far},
		{.name = "objects of the other node go home",
		 .prepare = fill_remote,
		 .act = free_one},
	};
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 4);
	traced_pool_cache(&traced, "far", TRACED_POOL_SIZE, 1, 0);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	test_growth();
	test_full();
	traced_pool_close(&traced);
	return tap_end();
}
