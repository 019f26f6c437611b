/* SPDX-License-Identifier: MIT */
/*
 * What slabd's mechanism does for each step, and how long it takes. Times are
 * round figures for a machine of today: 2 MiB are zeroed in 0.2 ms and copied
 * to another node, page tables and all, in 0.5 ms.
 */
#include "tests/sim/world.h"

#define SLAB_NS UINT64_C(2000)    /* carve, empty, lend or return one */
#define FAULT_NS UINT64_C(200000) /* a page */
#define MOVE_NS UINT64_C(500000)
#define SHRINK_NS UINT64_C(50000)
#define TRIM_NS UINT64_C(1000000) /* a message to each client */

static uint64_t carve_cost_ns(const struct world *world,
                              const struct plan_step *step)
{
	const struct node *node = &world->m.node[step->from];
	uint32_t order = world->m.cache[step->cache_ix].order;
	uint64_t slabs = 0;
	uint64_t pages = 0;
	for (uint32_t k = order; k < ORDERS; k++)
		slabs += (uint64_t)node->n_runs[k] << (k - order);
	if (step->n > slabs)
		pages = (((step->n - slabs) << order) + world->m.page_units -
		         1) >>
		        world->m.page_order;
	return step->n * SLAB_NS + pages * FAULT_NS;
}

uint64_t apply_cost_ns(const struct world *world, const struct plan_step *step)
{
	switch (step->kind) {
	case PLAN_CARVE:
		return carve_cost_ns(world, step);
	case PLAN_LEND:
		return step->fresh ? carve_cost_ns(world, step)
		                   : step->n * SLAB_NS;
	case PLAN_REASSIGN:
		return (step->n + step->n_given) * SLAB_NS;
	case PLAN_RETURN:
		return step->n * SLAB_NS;
	case PLAN_MIGRATE:
	case PLAN_DRAIN:
		return MOVE_NS;
	case PLAN_SHRINK:
		return step->n * SHRINK_NS;
	case PLAN_TRIM:
	default:
		return TRIM_NS;
	}
}

/* Slabs gained to or left a list by lend or return. */
static void note_way(struct world *world, uint32_t cache, uint32_t node,
                     bool gained)
{
	struct cell *cell = &world->m.cell[cache][node];
	if (cell->moved_ns != NEVER && cell->gained != gained)
		cell->reversals++;
	cell->gained = gained;
	cell->moved_ns = world->m.now_ns;
}

/* Makes up to n slabs at home on `from`; how many. */
static uint32_t carve(struct world *world, uint32_t cache, uint32_t from,
                      uint32_t to, uint32_t n)
{
	struct machine *m = &world->m;
	uint32_t done = 0;
	while (done < n) {
		if (slabs_carve(m, cache, from, to) != HEAP_NONE)
			done++;
		else if (!machine_grow(m, from))
			break;
	}
	m->cell[cache][to].asked &= done == 0;
	return done;
}

/* Empty slabs of the donor become free units, and slabs of the cache. */
static bool reassign(struct world *world, const struct plan_step *step)
{
	struct machine *m = &world->m;
	uint32_t given = 0;
	while (given < step->n_given) {
		uint32_t unit = slabs_find_empty(m, step->donor_ix, step->to);
		if (unit == HEAP_NONE)
			break;
		slabs_reclaim(m, unit);
		given++;
	}
	if (step->donor_ix == step->cache_ix)
		return given == step->n_given;
	return carve(world, step->cache_ix, step->to, step->to, step->n) ==
	       step->n;
}

static bool lend(struct world *world, const struct plan_step *step)
{
	uint32_t n = step->fresh ? carve(world, step->cache_ix, step->from,
	                                 step->to, step->n)
	                         : slabs_lend(&world->m, step->cache_ix,
	                                      step->from, step->to, step->n);
	world->d.slabs_lent += n;
	if (n == 0)
		return false;
	world->m.cell[step->cache_ix][step->to].asked = false;
	/* Slabs that were made for it never stood on the lender's list. */
	if (!step->fresh)
		note_way(world, step->cache_ix, step->from, false);
	note_way(world, step->cache_ix, step->to, true);
	return n == step->n;
}

static bool go_home(struct world *world, const struct plan_step *step)
{
	uint64_t reversals = world->m.total.slab_reversals;
	uint32_t n = slabs_return(&world->m, step->cache_ix, step->to,
	                          step->from, step->n);
	if (step->reason == PLAN_LENDER_SHORT)
		world->d.recalled += world->m.total.slab_reversals - reversals;
	world->d.slabs_returned += n;
	if (n == 0)
		return false;
	world->m.cell[step->cache_ix][step->to].asked = false;
	note_way(world, step->cache_ix, step->from, false);
	note_way(world, step->cache_ix, step->to, true);
	return n == step->n;
}

static bool move(struct world *world, const struct plan_step *step)
{
	struct machine *m = &world->m;
	uint32_t page = (uint32_t)step->page;
	uint64_t bytes = machine_page_bytes(m);
	if (!m->pages[page].ready || m->pages[page].lies == step->to ||
	    !slabs_move(m, page, step->to))
		return false;
	world->d.pages_moved++;
	world->d.bytes_moved += bytes;
	world->d.migrate_bytes -=
		world->d.migrate_bytes < bytes ? world->d.migrate_bytes : bytes;
	return true;
}

static bool shrink(struct world *world, const struct plan_step *step)
{
	for (uint32_t i = 0; i < step->n; i++) {
		uint32_t page = machine_empty_page(&world->m, step->to);
		if (page == HEAP_NONE)
			return false;
		machine_shrink(&world->m, page);
	}
	return true;
}

bool apply_step(struct world *world, const struct plan_step *step)
{
	switch (step->kind) {
	case PLAN_CARVE:
		return carve(world, step->cache_ix, step->from, step->to,
		             step->n) == step->n;
	case PLAN_REASSIGN:
		return reassign(world, step);
	case PLAN_LEND:
		return lend(world, step);
	case PLAN_RETURN:
		return go_home(world, step);
	case PLAN_MIGRATE:
	case PLAN_DRAIN:
		return move(world, step);
	case PLAN_SHRINK:
		return shrink(world, step);
	case PLAN_TRIM:
	default:
		world->d.trims++;
		world->d.trimmed_ns = world->m.now_ns;
		return true;
	}
}
