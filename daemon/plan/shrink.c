/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

/* What a node gives up, and why. */
struct giving {
	enum plan_reason reason; /* PLAN_NO_REASON: nothing is given */
	bool slabs;              /* empty ones, too */
	uint64_t pages;
};

static bool is_pressed(const struct snapshot_node *row)
{
	return row->pressure != PLAN_CALM;
}

/* Under some pressure it gives step by step: idle pages, then empty ones, then
 * slabs so that pages fall empty. Under full pressure it gives all at once. */
static struct giving what_given(struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	const struct plan_node *node = &w->nodes[ix];
	uint64_t empty = node->runs[w->page_order];
	uint64_t idle = plan_min(empty, row->idle_pages);
	uint64_t most = plan_less(node->pages, row->floor_pages);
	struct giving give = {PLAN_NO_REASON, true, empty};
	if (node->leaving) {
		give.reason = PLAN_DRAINED;
		return give;
	}
	if (is_pressed(row)) {
		give.reason = PLAN_PRESSED;
		give.slabs = row->pressure == PLAN_FULL || empty == 0;
		if (row->pressure == PLAN_SOME && row->idle_pages > 0)
			give.pages = idle;
	} else if (w->config->idle_ms > 0) {
		give.reason = PLAN_IDLE;
		give.pages = idle;
	}
	if (most == 0 && give.reason == PLAN_PRESSED && give.pages > 0)
		plan_refuse(w, PLAN_SHRINK, PLAN_AT_FLOOR, PLAN_NONE, ix);
	if (most == 0 || node->unmet_units > 0)
		give.reason = PLAN_NO_REASON;
	give.pages = plan_min(give.pages, most);
	return give;
}

static void trim(struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	enum plan_reason why = PLAN_NO_REASON;
	if (w->nodes[ix].unmet_units > 0)
		why = PLAN_SHORT;
	else if (is_pressed(row))
		why = PLAN_PRESSED;
	else if (w->nodes[ix].leaving && row->pages > 0)
		why = PLAN_DRAINED;
	if (why != PLAN_NO_REASON && !row->trimmed)
		plan_add(w, plan_step_of(PLAN_TRIM, why, PLAN_NONE, PLAN_NONE,
		                         ix, 0));
}

static void shrink(struct plan_work *w, uint32_t ix, const struct giving *give)
{
	if (give->reason != PLAN_NO_REASON && give->pages > 0 &&
	    plan_add(w, plan_step_of(PLAN_SHRINK, give->reason, PLAN_NONE, ix,
	                             ix, give->pages)))
		w->nodes[ix].gives = true;
}

/* Empty slabs that a cell gives up: all if the node is left, otherwise not so
 * many that clients would ring for them again. */
static uint32_t cell_given(const struct plan_work *w, uint32_t at,
                           const struct giving *give)
{
	const struct snapshot_cell *cell = &w->snap->cells[at];
	if (cell->want > 0)
		return 0;
	if (give->reason == PLAN_DRAINED)
		return (uint32_t)plan_less(cell->empty, w->cells[at].out);
	if (give->reason == PLAN_PRESSED)
		return plan_spare_empty(w, at, cell->low);
	return (uint32_t)plan_min(
		cell->idle,
		plan_spare_empty(w, at, 2 * (uint64_t)cell->low + 1));
}

static void reclaim(struct plan_work *w, uint32_t cache_ix, uint32_t ix,
                    const struct giving *give)
{
	uint32_t at = plan_cell_at(w, cache_ix, ix);
	uint32_t n = cell_given(w, at, give);
	struct plan_step step =
		plan_step_of(PLAN_REASSIGN, give->reason, cache_ix, ix, ix, n);
	step.donor_ix = cache_ix;
	step.n_given = n;
	if (n > 0 && plan_add(w, step)) {
		w->cells[at].out += n;
		w->nodes[ix].gives = true;
	}
}

void plan_give_back(struct plan_work *w)
{
	struct giving give[SNAPSHOT_NODES_MAX];
	uint64_t slabs = 0;
	for (uint32_t ix = 0; ix < w->snap->n_nodes; ix++) {
		trim(w, ix);
		give[ix] = what_given(w, ix);
		shrink(w, ix, &give[ix]);
		if (give[ix].reason != PLAN_NO_REASON && give[ix].slabs)
			slabs |= UINT64_C(1) << ix;
	}
	if (slabs == 0)
		return;
	for (uint32_t cache_ix = 0; cache_ix < w->snap->n_caches; cache_ix++)
		for (uint64_t left = slabs; left != 0; left &= left - 1) {
			uint32_t ix = (uint32_t)__builtin_ctzll(left);
			reclaim(w, cache_ix, ix, &give[ix]);
		}
}
