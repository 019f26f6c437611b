/* SPDX-License-Identifier: MIT */
/*
 * Ours, and what it is compared with.
 *
 *   nothing  each node carves, and empties slabs of other caches, on its own;
 *            clients fall back to the nearest node that has
 *   slub     the kernel's way (mm/slub.c, get_partial): a list that runs bare
 *            takes a partial slab of any node, nearest first, that has more
 *            than min_partial, if get_cycles() % 1024 is not above
 *            remote_node_defrag_ratio (100 in sysfs, 1000 inside); else a new
 *            slab, of the nearest node that has memory. An object that is freed
 *            makes a full slab one of the freeing CPU's
 *   nearest  takes whatever the nearest node has, gives nothing back, and waits
 *            for nothing
 */
#include "tests/sim/other_policies.h"

#include <string.h>

#define DEFRAG_RATIO 1000u
#define CYCLES 1024u

static void ours(struct world *world, struct plan *plan,
                 const struct snapshot *snap, const struct plan_config *config,
                 void *work)
{
	(void)world;
	plan_make(plan, snap, config, work);
}

/* ---- what they are made of ---------------------------------------------- */

static bool add(struct plan *plan, struct plan_step step)
{
	if (plan->n_steps == PLAN_STEPS_MAX)
		return false;
	step.reason = PLAN_SHORT;
	step.distance = 10;
	plan->steps[plan->n_steps++] = step;
	return true;
}

static uint32_t order_of(const struct snapshot *snap, uint32_t cache)
{
	return (uint32_t)__builtin_ctz(snap->caches[cache].slab_units);
}

/* Slabs that a node can still carve. */
static uint64_t carvable(const struct snapshot *snap, uint32_t cache,
                         uint32_t node)
{
	const struct snapshot_node *row = &snap->nodes[node];
	uint32_t order = order_of(snap, cache);
	uint64_t pages = row->pages_max - row->pages;
	uint64_t n = pages < row->room_pages ? pages : row->room_pages;
	if (row->draining)
		return 0;
	n = n * PAGE_UNITS >> order;
	for (uint32_t k = order; k < ORDERS; k++)
		n += (uint64_t)row->runs[k] << (k - order);
	return n;
}

static bool carve(struct plan *plan, const struct snapshot *snap,
                  uint32_t cache, uint32_t node, uint32_t n)
{
	uint64_t most = carvable(snap, cache, node);
	if (most == 0)
		return false;
	return add(plan,
	           (struct plan_step){.kind = PLAN_CARVE,
	                              .cache_ix = cache,
	                              .from = node,
	                              .to = node,
	                              .n = most < n ? (uint32_t)most : n});
}

/* One slab out of empty ones of the cache that has most of them. */
static bool reassign(struct plan *plan, const struct snapshot *snap,
                     uint32_t cache, uint32_t node)
{
	uint32_t order = order_of(snap, cache);
	uint32_t donor = PLAN_NONE;
	uint32_t most = 0;
	for (uint32_t c = 0; c < snap->n_caches; c++) {
		uint32_t empty = snap->cells[c * snap->n_nodes + node].empty;
		if (c == cache || order_of(snap, c) < order || empty <= most)
			continue;
		donor = c;
		most = empty;
	}
	if (donor == PLAN_NONE)
		return false;
	return add(plan, (struct plan_step){.kind = PLAN_REASSIGN,
	                                    .cache_ix = cache,
	                                    .from = node,
	                                    .to = node,
	                                    .n = 1,
	                                    .donor_ix = donor,
	                                    .n_given = 1});
}

static bool lend(struct plan *plan, uint32_t cache, uint32_t from, uint32_t to,
                 uint32_t n, bool fresh)
{
	return add(plan, (struct plan_step){.kind = PLAN_LEND,
	                                    .cache_ix = cache,
	                                    .from = from,
	                                    .to = to,
	                                    .n = n,
	                                    .fresh = fresh});
}

/* Partial slabs of the nearest node that has more than keep. */
static bool lend_any(struct plan *plan, const struct snapshot *snap,
                     uint32_t cache, uint32_t node, uint32_t n, uint32_t keep)
{
	for (uint32_t i = 1; i < snap->n_nodes; i++) {
		uint32_t from = snap->nodes[node].nearest[i];
		const struct snapshot_cell *cell =
			&snap->cells[cache * snap->n_nodes + from];
		uint32_t own = cell->listed > cell->borrowed
		                       ? cell->listed - cell->borrowed
		                       : 0;
		if (own > keep)
			return lend(plan, cache, from, node, own < n ? own : n,
			            false);
	}
	return false;
}

/* New slabs of the nearest other node that has memory. */
static bool lend_fresh(struct plan *plan, const struct snapshot *snap,
                       uint32_t cache, uint32_t node, uint32_t n)
{
	for (uint32_t i = 1; i < snap->n_nodes; i++) {
		uint32_t from = snap->nodes[node].nearest[i];
		uint64_t most = carvable(snap, cache, from);
		if (most > 0)
			return lend(plan, cache, from, node,
			            most < n ? (uint32_t)most : n, true);
	}
	return false;
}

/* ---- the policies ------------------------------------------------------- */

static void nothing(struct world *world, struct plan *plan,
                    const struct snapshot *snap,
                    const struct plan_config *config, void *work)
{
	(void)world, (void)config, (void)work;
	plan->n_steps = plan->n_refusals = 0;
	for (uint32_t at = 0; at < snap->n_caches * snap->n_nodes; at++) {
		uint32_t want = snap->cells[at].want;
		uint32_t cache = at / snap->n_nodes;
		uint32_t node = at % snap->n_nodes;
		if (want > 0 && !carve(plan, snap, cache, node, want))
			reassign(plan, snap, cache, node);
	}
}

static void slub(struct world *world, struct plan *plan,
                 const struct snapshot *snap, const struct plan_config *config,
                 void *work)
{
	(void)config, (void)work;
	plan->n_steps = plan->n_refusals = 0;
	for (uint32_t at = 0; at < snap->n_caches * snap->n_nodes; at++) {
		uint32_t cache = at / snap->n_nodes;
		uint32_t node = at % snap->n_nodes;
		if (snap->cells[at].want == 0)
			continue;
		if (rng_below(&world->rng, CYCLES) <= DEFRAG_RATIO &&
		    lend_any(plan, snap, cache, node, 1,
		             world->m.min_partial[cache]))
			continue;
		if (!carve(plan, snap, cache, node, 1))
			lend_fresh(plan, snap, cache, node, 1);
	}
}

static void nearest(struct world *world, struct plan *plan,
                    const struct snapshot *snap,
                    const struct plan_config *config, void *work)
{
	(void)world, (void)config, (void)work;
	plan->n_steps = plan->n_refusals = 0;
	for (uint32_t at = 0; at < snap->n_caches * snap->n_nodes; at++) {
		uint32_t want = snap->cells[at].want;
		uint32_t cache = at / snap->n_nodes;
		uint32_t node = at % snap->n_nodes;
		if (want == 0 || carve(plan, snap, cache, node, want) ||
		    reassign(plan, snap, cache, node) ||
		    lend_any(plan, snap, cache, node, want, 0))
			continue;
		lend_fresh(plan, snap, cache, node, want);
	}
}

const struct maker makers[MAKERS] = {
	{.name = "ours", .title = "slabd", .make = ours, .is_ours = true},
	{.name = "nothing", .title = "each node on its own", .make = nothing},
	{.name = "slub",
         .title = "at random, as SLUB does",
         .make = slub,
         .is_slub = true},
	{.name = "nearest",
         .title = "from the nearest, and keeps it",
         .make = nearest},
};

const struct maker *other_policies_find(const char *name)
{
	for (uint32_t i = 0; i < MAKERS; i++)
		if (strcmp(makers[i].name, name) == 0)
			return &makers[i];
	return NULL;
}

/* calculate_min_partial and set_cpu_partial of mm/slub.c. */
void other_policies_prepare(struct world *world, const struct maker *maker)
{
	for (uint32_t c = 0; c < world->m.n_caches && maker->is_slub; c++) {
		const struct layout_cache *row = &world->m.cache[c];
		uint32_t log = 31 - (uint32_t)__builtin_clz(row->stride);
		uint32_t min = log / 2;
		uint32_t objs = row->stride >= 4096   ? 6
		                : row->stride >= 1024 ? 24
		                : row->stride >= 256  ? 52
		                                      : 120;
		min = min < 5 ? 5 : min;
		world->m.min_partial[c] = min > 10 ? 10 : min;
		world->m.freer_max[c] =
			(2 * objs + row->n_objs - 1) / row->n_objs;
	}
}
