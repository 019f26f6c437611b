/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of what it does with its own magazines,
 * depot and slabs.
 *
 *   step_client [--all]
 */
#include <errno.h>

#include "tests/lib/kill.h"

#define CAP 32u /* what a magazine may hold */

static struct traced_pool traced;

static size_t in_magazine(const struct kill_victim *v)
{
	return slabd_mag_of_(v->cache)->n;
}

static void open_common(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
}

/* ---- refills ------------------------------------------------------------ */

/* Nobody else uses the cache: all its objects are free, and come in fours. */
static void open_fresh(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, "fresh", TRACED_POOL_SIZE);
}

static void alloc_one(struct kill_victim *v)
{
	v->objects[v->n++] = slabd_alloc(v->cache);
}

/* The slabs have holes, and the living use them. */
static void open_used(struct kill_victim *v)
{
	open_common(v);
	kill_take(v, 8);
	while (in_magazine(v) > 0)
		kill_take(v, 1);
}

static void alloc_many(struct kill_victim *v)
{
	v->n += slabd_alloc_bulk(v->cache, 60, v->objects + v->n);
}

/* ---- depot -------------------------------------------------------------- */

static void fill_up(struct kill_victim *v)
{
	open_common(v);
	kill_take(v, 200);
	kill_drop(v, 80);
	while (in_magazine(v) < slabd_mag_of_(v->cache)->cap)
		kill_drop(v, 1);
}

static void fill_up_first(struct kill_victim *v)
{
	open_common(v);
	kill_take(v, 80);
	while (in_magazine(v) < CAP)
		kill_drop(v, 1);
}

static void free_one(struct kill_victim *v)
{
	kill_drop(v, 1);
}

static void use_up(struct kill_victim *v)
{
	fill_up(v);
	while (in_magazine(v) > 0)
		kill_take(v, 1);
}

static void take_many(struct kill_victim *v)
{
	open_common(v);
	kill_take(v, 200);
}

static void free_many(struct kill_victim *v)
{
	v->n -= 100;
	slabd_free_bulk(v->cache, 100, v->objects + v->n);
}

/* ---- home --------------------------------------------------------------- */

static void fill_little(struct kill_victim *v)
{
	kill_open(v, false, CAP / 4);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
	kill_take(v, 60);
	kill_drop(v, 40);
}

static void flush(struct kill_victim *v)
{
	slabd_flush(v->pool);
}

static void open_for_thread(struct kill_victim *v)
{
	open_common(v);
	v->other = fixture_cache(v->pool, "second", 2 * TRACED_POOL_SIZE);
}

/* The thread has magazines of two caches when it ends. */
static void fill_thread(struct kill_victim *v)
{
	void *more[20];
	size_t n = slabd_alloc_bulk(v->other, 20, more);
	slabd_free_bulk(v->other, n, more);
	kill_take(v, 50);
	kill_drop(v, 40);
}

int main(int argc, char **argv)
{
	static const struct kill_op ops[] = {
		{.name = "refill, fresh slab",
		 .prepare = open_fresh,
		 .act = alloc_one},
		{.name = "refill, partial slab",
		 .prepare = open_used,
		 .act = alloc_one},
		{.name = "bulk alloc over refills",
		 .prepare = open_used,
		 .act = alloc_many},
		{.name = "first depot put",
		 .prepare = fill_up_first,
		 .act = free_one},
		{.name = "depot put", .prepare = fill_up, .act = free_one},
		{.name = "depot get", .prepare = use_up, .act = alloc_one},
		{.name = "bulk free over depot puts",
		 .prepare = take_many,
		 .act = free_many},
		{.name = "flush home", .prepare = fill_little, .act = flush},
		{.name = "thread exit",
		 .prepare = open_for_thread,
		 .act = fill_thread,
		 .thread = true},
	};
	uint32_t common;
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 4);
	common = traced_pool_cache(&traced, TRACED_POOL_COMMON,
	                           TRACED_POOL_SIZE, 0, 0);
	traced_pool_cache(&traced, "fresh", TRACED_POOL_SIZE, 0, 0);
	traced_pool_claim(&traced, common, 0, 3000);
	traced_pool_release(&traced, common, 3);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	traced_pool_close(&traced);
	return tap_end();
}
