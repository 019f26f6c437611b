/* SPDX-License-Identifier: MIT */
/* What was lent goes home, and memory back to the kernel. */
#include "daemon/plan/work.h"

/* ---- return ------------------------------------------------------------- */

static bool is_young(const struct plan_work *w,
                     const struct snapshot_loan *loan)
{
	uint32_t home = plan_cell_at(w, loan->cache, loan->home);
	uint32_t list = plan_cell_at(w, loan->cache, loan->list);
	uint32_t reversals = w->snap->cells[home].reversals;
	if (reversals < w->snap->cells[list].reversals)
		reversals = w->snap->cells[list].reversals;
	return loan->age_ms < plan_hold_ms(w, reversals);
}

static uint32_t send_home(struct plan_work *w, const struct snapshot_loan *loan,
                          enum plan_reason reason, uint64_t n)
{
	struct plan_step step = {
		.kind = PLAN_RETURN,
		.reason = reason,
		.cache = loan->cache,
		.from = loan->list,
		.to = loan->home,
		.n = (uint32_t)n,
		.donor = PLAN_NONE,
		.distance = w->snap->nodes[loan->home].distance[loan->list],
	};
	if (n == 0 || !plan_add(w, &step))
		return 0;
	w->cells[plan_cell_at(w, loan->cache, loan->list)].out += step.n;
	w->cells[plan_cell_at(w, loan->cache, loan->home)].back = true;
	return step.n;
}

/* Loans whose home is short. The first time at once; where slabs have gone to
 * and fro, what was lent stays for a while. */
void plan_return_short(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_loans; i++) {
		const struct snapshot_loan *loan = &w->snap->loans[i];
		uint32_t home = plan_cell_at(w, loan->cache, loan->home);
		uint32_t list = plan_cell_at(w, loan->cache, loan->list);
		uint64_t some = plan_less(loan->slabs, loan->bare);
		uint32_t reversals = w->snap->cells[home].reversals +
		                     w->snap->cells[list].reversals;
		if (w->cells[home].left == 0 || some == 0)
			continue;
		if (reversals > 0 && is_young(w, loan)) {
			w->cells[home].held = true;
			continue;
		}
		plan_met(w, home,
		           send_home(w, loan, PLAN_LENDER_SHORT,
		                     plan_min(w->cells[home].left, some)));
	}
}

/* Whether a borrower has enough of its own, with what it could carve: that is
 * no other's then. */
static bool has_enough(struct plan_work *w, const struct snapshot_loan *loan,
                       uint64_t enough)
{
	const struct snapshot_cell *cell =
		&w->snap->cells[plan_cell_at(w, loan->cache, loan->list)];
	struct plan_node *node = &w->nodes[loan->list];
	uint32_t order = plan_cache_order(w, loan->cache);
	uint64_t room = plan_less(plan_units_room(w, loan->list, order),
	                            node->promised >> order);
	uint64_t lack = plan_less(enough + cell->borrowed, cell->listed);
	if (room == 0 || room < lack)
		return false;
	node->promised += lack << order;
	return true;
}

/* Slabs of a loan that the borrower can do without: all, if it has enough; else
 * those in which nobody has anything, beyond what it keeps, and those that
 * nobody takes from, if nobody rings there. */
static uint64_t unneeded(struct plan_work *w, const struct snapshot_loan *loan)
{
	uint32_t at = plan_cell_at(w, loan->cache, loan->list);
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint64_t enough = 2 * (uint64_t)cell->low + 1;
	uint64_t out = w->cells[at].out;
	uint64_t empty = plan_min(loan->empty,
	                            plan_less(cell->listed, enough + out));
	if (cell->want > 0)
		return 0;
	if (has_enough(w, loan, enough + out))
		return loan->slabs;
	if (cell->low == 0 && empty < loan->unused)
		return loan->unused;
	return empty;
}

void plan_return_over(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_loans; i++) {
		const struct snapshot_loan *loan = &w->snap->loans[i];
		uint32_t home = plan_cell_at(w, loan->cache, loan->home);
		uint32_t list = plan_cell_at(w, loan->cache, loan->list);
		if (w->snap->cells[home].want > 0)
			continue;
		if (w->nodes[loan->home].leaving) {
			/* There they can be emptied. */
			send_home(w, loan, PLAN_DRAINED, loan->empty);
			continue;
		}
		if (is_young(w, loan))
			continue;
		if (w->cells[home].page_out && w->cells[list].page_in)
			continue;
		send_home(w, loan, PLAN_LOAN_OVER, unneeded(w, loan));
	}
}

/* ---- what a node gives up ----------------------------------------------- */

/* How a node's empty slabs and pages are seen. */
struct giving {
	enum plan_reason reason; /* PLAN_NO_REASON: nothing is given */
	bool slabs;
	uint32_t keep; /* of a cache */
	uint64_t pages;
};

static bool is_pressed(const struct snapshot_node *row)
{
	return row->pressure != PLAN_CALM;
}

/* Under some pressure step by step: what is idle, what is empty, what could be
 * made empty. Under full pressure all at once. */
static struct giving what_pressed(const struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	uint64_t empty = w->nodes[ix].runs[w->page_order];
	struct giving give = {.reason = PLAN_PRESSED,
	                      .keep = w->config->keep_slabs,
	                      .pages = empty,
	                      .slabs = row->pressure == PLAN_FULL ||
	                               empty == 0};
	if (row->pressure == PLAN_SOME && row->idle_pages > 0)
		give.pages = plan_min(empty, row->idle_pages);
	return give;
}

static struct giving what_idle(const struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	uint64_t empty = w->nodes[ix].runs[w->page_order];
	return (struct giving){.reason = PLAN_IDLE,
	                       .keep = w->config->keep_slabs,
	                       .pages = plan_min(empty, row->idle_pages),
	                       .slabs = true};
}

static struct giving what_given(struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	struct giving give = {.reason = PLAN_NO_REASON};
	uint64_t most = plan_less(w->nodes[ix].pages, row->floor_pages);
	if (w->nodes[ix].leaving)
		return (struct giving){
			.reason = PLAN_DRAINED,
			.slabs = true,
			.pages = w->nodes[ix].runs[w->page_order]};
	if (is_pressed(row))
		give = what_pressed(w, ix);
	else if (w->config->idle_ms > 0)
		give = what_idle(w, ix);
	if (most == 0 && give.reason == PLAN_PRESSED && give.pages > 0)
		plan_refuse(w, PLAN_SHRINK, PLAN_AT_FLOOR, PLAN_NONE,
		              ix);
	if (most == 0 || w->nodes[ix].unmet_units > 0)
		give.reason = PLAN_NO_REASON;
	give.pages = plan_min(give.pages, most);
	return give;
}

static void trim(struct plan_work *w, uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	struct plan_step step = {
		.kind = PLAN_TRIM,
		.cache = PLAN_NONE,
		.from = PLAN_NONE,
		.to = ix,
		.donor = PLAN_NONE,
	};
	if (row->trimmed)
		return;
	if (w->nodes[ix].unmet_units > 0)
		step.reason = PLAN_SHORT;
	else if (is_pressed(row))
		step.reason = PLAN_PRESSED;
	else if (w->nodes[ix].leaving && row->pages > 0)
		step.reason = PLAN_DRAINED;
	else
		return;
	plan_add(w, &step);
}

static void shrink(struct plan_work *w, uint32_t ix,
                   const struct giving *give)
{
	struct plan_step step = {
		.kind = PLAN_SHRINK,
		.reason = give->reason,
		.cache = PLAN_NONE,
		.from = ix,
		.to = ix,
		.n = (uint32_t)give->pages,
		.donor = PLAN_NONE,
	};
	if (give->reason == PLAN_NO_REASON || give->pages == 0 ||
	    !plan_add(w, &step))
		return;
	w->nodes[ix].gives = true;
}

/* Empty slabs that a cell gives up: all where the node is left; else not so
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
		return plan_spare_empty(w, at, give->keep, cell->low);
	return (uint32_t)plan_min(
		cell->idle, plan_spare_empty(w, at, give->keep,
	                                       2 * (uint64_t)cell->low + 1));
}

static void reclaim(struct plan_work *w, uint32_t cache, uint32_t ix,
                    const struct giving *give)
{
	uint32_t at = plan_cell_at(w, cache, ix);
	uint32_t n = cell_given(w, at, give);
	struct plan_step step = {
		.kind = PLAN_REASSIGN,
		.reason = give->reason,
		.cache = cache,
		.from = ix,
		.to = ix,
		.n = n,
		.donor = cache,
		.n_given = n,
		.distance = w->snap->nodes[ix].distance[ix],
	};
	if (n > 0 && plan_add(w, &step)) {
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
	for (uint32_t cache = 0; cache < w->snap->n_caches; cache++)
		for (uint64_t left = slabs; left != 0; left &= left - 1) {
			uint32_t ix = (uint32_t)__builtin_ctzll(left);
			reclaim(w, cache, ix, &give[ix]);
		}
}
