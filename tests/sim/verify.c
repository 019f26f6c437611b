/* SPDX-License-Identifier: MIT */
/* Whether pages, units, slabs and objects add up. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tests/sim/world.h"

__attribute__((format(printf, 2, 3))) static void bad(struct world *world,
                                                      const char *format, ...)
{
	va_list args;
	if (world->bad[0] != 0)
		return;
	va_start(args, format);
	vsnprintf(world->bad, sizeof(world->bad), format, args);
	va_end(args);
}

static void is_same(struct world *world, uint64_t got, uint64_t want,
                    const char *what, uint32_t at)
{
	if (got != want)
		bad(world,
		    "at %u ms %s %u: %" PRIu64 " where %" PRIu64 " are due",
		    now_ms(&world->m), what, at, got, want);
}

static void verify_node(struct world *world, uint32_t i)
{
	const struct machine *m = &world->m;
	const struct node *node = &m->node[i];
	uint64_t units = 0;
	uint64_t runs = 0;
	for (uint32_t c = 0; c < m->n_caches; c++)
		units += (uint64_t)m->cell[c][i].slabs << m->cache[c].order;
	for (uint32_t k = 0; k < ORDERS; k++)
		runs += (uint64_t)node->n_runs[k] << k;
	is_same(world, node->pages + node->room_pages + node->taken_pages,
	        node->total_pages, "pages of node", i);
	is_same(world, units + node->free_units, node->pages * m->page_units,
	        "units of node", i);
	is_same(world, runs, node->free_units, "free runs of node", i);
}

static void verify_cache(struct world *world, uint32_t c, uint64_t *slabs)
{
	const struct machine *m = &world->m;
	uint64_t lent = 0, borrowed = 0, loans = 0;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		*slabs += m->cell[c][i].slabs;
		lent += m->cell[c][i].lent;
		borrowed += m->cell[c][i].borrowed;
		for (uint32_t k = 0; k < m->n_nodes; k++)
			loans += m->loan[c][i][k].slabs;
	}
	is_same(world, borrowed, lent, "borrowed slabs of cache", c);
	is_same(world, loans, lent, "loans of cache", c);
}

void verify_counts(struct world *world)
{
	const struct machine *m = &world->m;
	uint64_t slabs = 0, pages = 0, owned = 0;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		verify_node(world, i);
		pages += m->node[i].pages;
	}
	for (uint32_t c = 0; c < m->n_caches; c++)
		verify_cache(world, c, &slabs);
	for (uint32_t i = 0; i < world->n_seats; i++)
		owned += world->seats[i].owned;
	is_same(world, pages, m->total.grown - m->total.shrunk, "pages", 0);
	is_same(world, slabs, m->total.carved - m->total.reclaimed, "slabs", 0);
	is_same(world, owned, m->total.claimed - m->total.released, "objects",
	        0);
}

/* ---- from the tables ---------------------------------------------------- */

/* A page's slabs cover just its units that are not free. */
static void recount_page(struct world *world, uint32_t page, struct cell *cells)
{
	const struct machine *m = &world->m;
	uint32_t covered = 0;
	uint32_t lent = 0;
	for (uint32_t i = 0; i < PAGE_UNITS; i++) {
		uint32_t unit = page * PAGE_UNITS + i;
		const struct slab *slab = &m->slabs[unit];
		uint32_t lies = m->pages[page].lies;
		uint64_t bits;
		struct cell *row;
		if (slab->cache == 0)
			continue;
		row = cells + (slab->cache - 1u) * m->n_nodes;
		bits = (UINT64_C(1)
		        << (1u << m->cache[slab->cache - 1].order)) -
		       1;
		if ((covered & bits << i) != 0)
			bad(world, "unit %u belongs to two slabs", unit);
		covered |= (uint32_t)(bits << i);
		row[lies].slabs++;
		row[lies].empty += slab->live == 0 && slab->list == lies;
		row[slab->list].listed +=
			slab->live < m->cache[slab->cache - 1].n_objs;
		row[lies].lent += slab->list != lies;
		row[slab->list].borrowed += slab->list != lies;
		lent += slab->list != lies;
	}
	is_same(world, m->whole & ~covered, m->pages[page].free,
	        "free units of page", page);
	is_same(world, lent, m->pages[page].lent, "lent slabs of page", page);
}

static void compare_cells(struct world *world, const struct cell *cells)
{
	const struct machine *m = &world->m;
	for (uint32_t c = 0; c < m->n_caches; c++)
		for (uint32_t i = 0; i < m->n_nodes; i++) {
			const struct cell *is = &m->cell[c][i];
			const struct cell *due = &cells[c * m->n_nodes + i];
			is_same(world, is->slabs, due->slabs, "slabs at", i);
			is_same(world, is->listed, due->listed, "listed at", i);
			is_same(world, is->empty, due->empty, "empty at", i);
			is_same(world, is->lent, due->lent, "lent at", i);
			is_same(world, is->borrowed, due->borrowed,
			        "borrowed at", i);
		}
}

/* Every object that is owned in a slab is in some client's hands. */
static void recount_objects(struct world *world)
{
	const struct machine *m = &world->m;
	uint64_t n_units = m->n_pages * PAGE_UNITS;
	uint16_t *owned = sim_zeroed(n_units, sizeof(*owned));
	uint64_t far = 0;
	for (uint32_t i = 0; i < world->n_seats; i++) {
		const struct seat *seat = &world->seats[i];
		for (uint32_t k = 0; k < seat->n_runs; k++) {
			const struct run *run = &seat->runs[k];
			if (m->slabs[run->unit].cache != seat->cache + 1)
				bad(world,
				    "client %u owns objects of slab %u, "
				    "of another cache",
				    seat->client, run->unit);
			owned[run->unit] =
				(uint16_t)(owned[run->unit] + run->n);
			if (slab_home(m, run->unit) != seat->node)
				far += (uint64_t)run->n *
				       m->cache[seat->cache].stride;
		}
	}
	for (uint64_t unit = 0; unit < n_units; unit++)
		if (m->slabs[unit].cache != 0)
			is_same(world, m->slabs[unit].live, owned[unit],
			        "objects of slab", (uint32_t)unit);
	is_same(world, m->total.far_bytes, far, "far bytes", 0);
	free(owned);
}

void verify_all(struct world *world)
{
	const struct machine *m = &world->m;
	uint64_t pages[SIM_NODES_MAX] = {0};
	struct cell *cells =
		sim_zeroed((uint64_t)m->n_caches * m->n_nodes, sizeof(*cells));
	verify_counts(world);
	for (uint32_t page = 0; page < m->n_pages; page++) {
		if (!m->pages[page].ready)
			continue;
		pages[m->pages[page].lies]++;
		recount_page(world, page, cells);
	}
	for (uint32_t i = 0; i < m->n_nodes; i++)
		is_same(world, m->node[i].pages, pages[i], "pages on node", i);
	compare_cells(world, cells);
	recount_objects(world);
	free(cells);
}
