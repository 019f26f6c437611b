/* SPDX-License-Identifier: MIT */
/* Units and pages of a node, as runs of 1, 2, 4 ... units up to the page. */
#include <stddef.h>

#include "daemon/plan/work.h"

/* Runs for free units of which nothing is known but how many pages they fill:
 * the largest that there could be. */
static void guess_runs(struct policy_wnode *node, uint64_t empty_pages,
                       uint32_t page_order)
{
	uint64_t rest = node->free_units;
	node->runs[page_order] = policy_min(empty_pages, rest >> page_order);
	rest -= node->runs[page_order] << page_order;
	for (uint32_t order = page_order; order-- > 0;) {
		node->runs[order] = rest >> order;
		rest -= node->runs[order] << order;
	}
}

static void begin_node(const struct policy_work *w, uint32_t ix)
{
	const struct policy_node *row = &w->snap->nodes[ix];
	struct policy_wnode *node = &w->nodes[ix];
	bool shut = row->draining || row->offline;
	node->leaving = shut;
	node->pages = row->pages;
	node->push = POLICY_REASONS;
	if (!shut && row->pressure != POLICY_FULL)
		node->room =
			policy_min(row->room_pages,
		                   policy_less(row->pages_max, row->pages));
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

/* Units that a node may carve for others: its last page is its own, if anybody
 * runs there. */
static uint64_t fresh_units(const struct policy_work *w, uint32_t ix)
{
	const struct policy_wnode *node = &w->nodes[ix];
	uint64_t own = w->snap->nodes[ix].has_cpu ? w->snap->page_units : 0;
	if (node->leaving)
		return 0;
	return policy_less(node->free_units + (node->room << w->page_order),
	                   own);
}

static void note_fresh(struct policy_work *w, uint32_t ix)
{
	uint64_t bit = UINT64_C(1) << ix;
	if (fresh_units(w, ix) > 0)
		w->fresh |= bit;
	else
		w->fresh &= ~bit;
}

void policy_units_begin(struct policy_work *w)
{
	for (uint32_t ix = 0; ix < w->snap->n_nodes; ix++) {
		begin_node(w, ix);
		note_fresh(w, ix);
	}
}

/* Slabs of an order that could be carved. */
uint64_t policy_units_room(const struct policy_work *w, uint32_t node,
                           uint32_t order)
{
	const struct policy_wnode *row = &w->nodes[node];
	uint64_t n = row->room << (w->page_order - order);
	if (row->leaving)
		return 0;
	for (uint32_t from = order; from <= w->page_order; from++)
		n += row->runs[from] << (from - order);
	return n;
}

uint64_t policy_units_fresh(const struct policy_work *w, uint32_t node,
                            uint32_t order)
{
	return policy_min(fresh_units(w, node) >> order,
	                  policy_units_room(w, node, order));
}

/* Adds n runs of an order, as few larger ones up to an order below top. */
static void add_runs(struct policy_wnode *node, uint32_t order, uint32_t top,
                     uint64_t n)
{
	for (; n > 0 && order < top; order++, n >>= 1)
		node->runs[order] += n & 1;
	node->runs[order] += n;
}

/* Takes n runs of an order, n <= policy_units_room, from the smallest that
 * will do, so that whole pages go last; then from new pages. */
void policy_units_take(struct policy_work *w, uint32_t node, uint32_t order,
                       uint64_t n)
{
	struct policy_wnode *row = &w->nodes[node];
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
		runs = policy_min(runs, most);
		row->runs[from] -= runs;
		most = policy_min(runs << shift, n);
		add_runs(row, order, from, (runs << shift) - most);
		row->free_units -= most << order;
		n -= most;
	}
	note_fresh(w, node);
}

/* n runs of an order come free; whether they lie side by side is not known. */
void policy_units_give(struct policy_work *w, uint32_t node, uint32_t order,
                       uint64_t n)
{
	w->nodes[node].runs[order] += n;
	w->nodes[node].free_units += n << order;
	note_fresh(w, node);
}

/* ---- carve -------------------------------------------------------------- */

/* What a cell may have of its node, where all who want share what there is. */
static uint64_t fair(const struct policy_work *w, uint32_t node, uint64_t want)
{
	const struct policy_wnode *row = &w->nodes[node];
	uint64_t have = row->free_units + (row->room << w->page_order);
	if (have >= row->want_units)
		return want;
	return (want * have + row->want_units - 1) / row->want_units;
}

void policy_carve_cell(struct policy_work *w, uint32_t at, bool share)
{
	uint32_t cache = w->cells[at].cache;
	uint32_t node = w->cells[at].node;
	uint32_t order = policy_cache_order(w, cache);
	uint64_t want = w->cells[at].left;
	uint64_t n = share ? fair(w, node, want) : want;
	struct policy_step step = {
		.kind = POLICY_CARVE,
		.reason = POLICY_SHORT,
		.cache = cache,
		.from = node,
		.to = node,
		.donor = POLICY_NONE,
		.distance = w->snap->nodes[node].distance[node],
	};
	if (share)
		w->nodes[node].want_units -= want << order;
	n = policy_min(n, policy_units_room(w, node, order));
	step.n = (uint32_t)n;
	if (n == 0 || !policy_add(w, &step))
		return;
	policy_units_take(w, node, order, n);
	policy_met(w, at, step.n);
}
