/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "daemon/plan/work.h"

/* Where the snapshot knows of free units only how many pages they fill, assume
 * the largest runs that there could be. */
static void guess_runs(struct plan_node *node, uint64_t empty_pages,
                       uint32_t page_order)
{
	uint64_t rest = node->free_units;
	node->runs[page_order] = plan_min(empty_pages, rest >> page_order);
	rest -= node->runs[page_order] << page_order;
	for (uint32_t order = page_order; order-- > 0;) {
		node->runs[order] = rest >> order;
		rest -= node->runs[order] << order;
	}
}

static void begin_node(const struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	struct plan_node *node = &w->nodes[ix];
	bool shut = row->draining || row->offline;
	node->leaving = shut;
	node->pages = row->pages;
	node->push_reason = PLAN_NO_REASON;
	if (!shut)
		node->room = plan_min(row->pressure == PLAN_FULL
		                              ? row->spare_pages
		                              : row->room_pages,
		                      plan_less(row->pages_max, row->pages));
	if (row->runs == NULL) {
		node->free_units = row->free_units;
		guess_runs(node, row->empty_pages, w->page_order);
		return;
	}
	for (uint32_t order = 0; order <= w->page_order; order++) {
		node->runs[order] = row->runs[order];
		node->free_units += node->runs[order] << order;
	}
}

/* Units that a node may carve for others. If anybody runs there, it keeps one
 * page for itself. */
static uint64_t fresh_units(const struct plan_work *w, uint32_t ix)
{
	const struct plan_node *node = &w->nodes[ix];
	uint64_t own = w->snap->nodes[ix].has_cpu ? w->snap->page_units : 0;
	if (node->leaving)
		return 0;
	return plan_less(node->free_units + (node->room << w->page_order), own);
}

static void note_fresh(struct plan_work *w, uint32_t ix)
{
	uint64_t bit = UINT64_C(1) << ix;
	if (fresh_units(w, ix) > 0)
		w->fresh |= bit;
	else
		w->fresh &= ~bit;
}

void plan_units_begin(struct plan_work *w)
{
	for (uint32_t ix = 0; ix < w->snap->n_nodes; ix++) {
		begin_node(w, ix);
		note_fresh(w, ix);
	}
}

uint64_t plan_units_room(const struct plan_work *w, uint32_t node,
                         uint32_t order)
{
	const struct plan_node *row = &w->nodes[node];
	uint64_t n = row->room << (w->page_order - order);
	if (row->leaving)
		return 0;
	for (uint32_t from = order; from <= w->page_order; from++)
		n += row->runs[from] << (from - order);
	return n;
}

uint64_t plan_units_fresh(const struct plan_work *w, uint32_t node,
                          uint32_t order)
{
	return plan_min(fresh_units(w, node) >> order,
	                plan_units_room(w, node, order));
}

/* Adds n runs of an order, as few as possible, of orders up to top. */
static void add_runs(struct plan_node *node, uint32_t order, uint32_t top,
                     uint64_t n)
{
	for (; n > 0 && order < top; order++, n >>= 1)
		node->runs[order] += n & 1;
	node->runs[order] += n;
}

void plan_units_take(struct plan_work *w, uint32_t node, uint32_t order,
                     uint64_t n)
{
	struct plan_node *row = &w->nodes[node];
	for (uint32_t from = order; n > 0; from++) {
		uint32_t shift = from - order;
		uint64_t each = UINT64_C(1) << shift;
		uint64_t runs = (n + each - 1) >> shift;
		uint64_t most = row->runs[from];
		if (from == w->page_order && runs > most) {
			uint64_t came = runs - most;
			row->room -= came;
			row->pages += came;
			row->free_units += came << from;
			row->runs[from] = most = runs;
		}
		runs = plan_min(runs, most);
		row->runs[from] -= runs;
		most = plan_min(runs << shift, n);
		add_runs(row, order, from, (runs << shift) - most);
		row->free_units -= most << order;
		n -= most;
	}
	note_fresh(w, node);
}

void plan_units_give(struct plan_work *w, uint32_t node, uint32_t order,
                     uint64_t n)
{
	w->nodes[node].runs[order] += n;
	w->nodes[node].free_units += n << order;
	note_fresh(w, node);
}

/* ---- carve -------------------------------------------------------------- */

/* What a cell may have of its node when all that want some share it. */
static uint64_t fair(const struct plan_work *w, uint32_t node, uint64_t want)
{
	const struct plan_node *row = &w->nodes[node];
	uint64_t have = row->free_units + (row->room << w->page_order);
	if (have >= row->want_units)
		return want;
	return (want * have + row->want_units - 1) / row->want_units;
}

static void carve_cell(struct plan_work *w, uint32_t at, bool share)
{
	uint32_t cache_ix = w->cells[at].cache_ix;
	uint32_t node = w->cells[at].node;
	uint32_t order = plan_cache_order(w, cache_ix);
	uint64_t want = w->cells[at].left;
	uint64_t n = share ? fair(w, node, want) : want;
	if (share)
		w->nodes[node].want_units -= want << order;
	n = plan_min(n, plan_units_room(w, node, order));
	if (n == 0 || !plan_add(w, plan_step_of(PLAN_CARVE, PLAN_SHORT,
	                                        cache_ix, node, node, n)))
		return;
	plan_units_take(w, node, order, n);
	plan_met(w, at, (uint32_t)n);
}

void plan_carve(struct plan_work *w, bool share)
{
	for (uint32_t i = 0; i < w->n_order && !plan_is_full(w); i++) {
		const struct plan_cell *cell = &w->cells[w->order[i]];
		const struct plan_node *node = &w->nodes[cell->node];
		if (cell->left > 0 && !node->leaving &&
		    (node->free_units > 0 || node->room > 0))
			carve_cell(w, w->order[i], share);
	}
}
