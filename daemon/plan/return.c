/* SPDX-License-Identifier: MIT */
/* What was lent goes home, and memory back to the kernel. */
#include "daemon/plan/work.h"

/* ---- return ------------------------------------------------------------- */

static bool is_young(const struct policy_work *w,
                     const struct policy_loan *loan)
{
	uint32_t home = policy_cell_at(w, loan->cache, loan->home);
	uint32_t list = policy_cell_at(w, loan->cache, loan->list);
	uint32_t flips = w->snap->cells[home].flips;
	if (flips < w->snap->cells[list].flips)
		flips = w->snap->cells[list].flips;
	return loan->age_ms < policy_hold_ms(w, flips);
}

static uint32_t send_home(struct policy_work *w, const struct policy_loan *loan,
                          enum policy_reason reason, uint64_t n)
{
	struct policy_step step = {
		.kind = POLICY_RETURN,
		.reason = reason,
		.cache = loan->cache,
		.from = loan->list,
		.to = loan->home,
		.n = (uint32_t)n,
		.donor = POLICY_NONE,
		.distance = w->snap->nodes[loan->home].distance[loan->list],
	};
	if (n == 0 || !policy_add(w, &step))
		return 0;
	w->cells[policy_cell_at(w, loan->cache, loan->list)].out += step.n;
	w->cells[policy_cell_at(w, loan->cache, loan->home)].back = true;
	return step.n;
}

/* Loans whose home is short. The first time at once; where slabs have gone to
 * and fro, what was lent stays for a while. */
void policy_return_short(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_loans; i++) {
		const struct policy_loan *loan = &w->snap->loans[i];
		uint32_t home = policy_cell_at(w, loan->cache, loan->home);
		uint32_t list = policy_cell_at(w, loan->cache, loan->list);
		uint64_t some = policy_less(loan->slabs, loan->bare);
		uint32_t flips =
			w->snap->cells[home].flips + w->snap->cells[list].flips;
		if (w->cells[home].left == 0 || some == 0)
			continue;
		if (flips > 0 && is_young(w, loan)) {
			w->cells[home].held = true;
			continue;
		}
		policy_met(w, home,
		           send_home(w, loan, POLICY_LENDER_SHORT,
		                     policy_min(w->cells[home].left, some)));
	}
}

/* Whether a borrower has enough of its own, with what it could carve: that is
 * no other's then. */
static bool has_enough(struct policy_work *w, const struct policy_loan *loan,
                       uint64_t enough)
{
	const struct policy_cell *cell =
		&w->snap->cells[policy_cell_at(w, loan->cache, loan->list)];
	struct policy_wnode *node = &w->nodes[loan->list];
	uint32_t order = policy_cache_order(w, loan->cache);
	uint64_t room = policy_less(policy_units_room(w, loan->list, order),
	                            node->promised >> order);
	uint64_t lack = policy_less(enough + cell->borrowed, cell->listed);
	if (room == 0 || room < lack)
		return false;
	node->promised += lack << order;
	return true;
}

/* Slabs of a loan that the borrower can do without: all, if it has enough; else
 * those in which nobody has anything, beyond what it keeps, and those that
 * nobody takes from, if nobody rings there. */
static uint64_t unneeded(struct policy_work *w, const struct policy_loan *loan)
{
	uint32_t at = policy_cell_at(w, loan->cache, loan->list);
	const struct policy_cell *cell = &w->snap->cells[at];
	uint64_t enough = 2 * (uint64_t)cell->low + 1;
	uint64_t out = w->cells[at].out;
	uint64_t empty = policy_min(loan->empty,
	                            policy_less(cell->listed, enough + out));
	if (cell->want > 0)
		return 0;
	if (has_enough(w, loan, enough + out))
		return loan->slabs;
	if (cell->low == 0 && empty < loan->unused)
		return loan->unused;
	return empty;
}

void policy_return_over(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_loans; i++) {
		const struct policy_loan *loan = &w->snap->loans[i];
		uint32_t home = policy_cell_at(w, loan->cache, loan->home);
		uint32_t list = policy_cell_at(w, loan->cache, loan->list);
		if (w->snap->cells[home].want > 0)
			continue;
		if (w->nodes[loan->home].leaving) {
			/* There they can be emptied. */
			send_home(w, loan, POLICY_DRAINED, loan->empty);
			continue;
		}
		if (is_young(w, loan))
			continue;
		if (w->cells[home].page_out && w->cells[list].page_in)
			continue;
		send_home(w, loan, POLICY_LOAN_OVER, unneeded(w, loan));
	}
}

/* ---- what a node gives up ----------------------------------------------- */

/* How a node's empty slabs and pages are seen. */
struct giving {
	enum policy_reason reason; /* POLICY_REASONS: nothing is given */
	bool slabs;
	uint32_t keep; /* of a cache */
	uint64_t pages;
};

static bool is_pressed(const struct policy_node *row)
{
	return row->pressure != POLICY_CALM;
}

/* Under some pressure step by step: what is idle, what is empty, what could be
 * made empty. Under full pressure all at once. */
static struct giving what_pressed(const struct policy_work *w, uint32_t ix)
{
	const struct policy_node *row = &w->snap->nodes[ix];
	uint64_t empty = w->nodes[ix].runs[w->page_order];
	struct giving give = {.reason = POLICY_PRESSED,
	                      .keep = w->config->keep_slabs,
	                      .pages = empty,
	                      .slabs = row->pressure == POLICY_FULL ||
	                               empty == 0};
	if (row->pressure == POLICY_SOME && row->idle_pages > 0)
		give.pages = policy_min(empty, row->idle_pages);
	return give;
}

static struct giving what_idle(const struct policy_work *w, uint32_t ix)
{
	const struct policy_node *row = &w->snap->nodes[ix];
	uint64_t empty = w->nodes[ix].runs[w->page_order];
	return (struct giving){.reason = POLICY_IDLE,
	                       .keep = w->config->keep_slabs,
	                       .pages = policy_min(empty, row->idle_pages),
	                       .slabs = true};
}

static struct giving what_given(struct policy_work *w, uint32_t ix)
{
	const struct policy_node *row = &w->snap->nodes[ix];
	struct giving give = {.reason = POLICY_REASONS};
	uint64_t most = policy_less(w->nodes[ix].pages, row->floor_pages);
	if (w->nodes[ix].leaving)
		return (struct giving){
			.reason = POLICY_DRAINED,
			.slabs = true,
			.pages = w->nodes[ix].runs[w->page_order]};
	if (is_pressed(row))
		give = what_pressed(w, ix);
	else if (w->config->idle_ms > 0)
		give = what_idle(w, ix);
	if (most == 0 && give.reason == POLICY_PRESSED && give.pages > 0)
		policy_refuse(w, POLICY_SHRINK, POLICY_AT_FLOOR, POLICY_NONE,
		              ix);
	if (most == 0 || w->nodes[ix].unmet_units > 0)
		give.reason = POLICY_REASONS;
	give.pages = policy_min(give.pages, most);
	return give;
}

static void trim(struct policy_work *w, uint32_t ix)
{
	const struct policy_node *row = &w->snap->nodes[ix];
	struct policy_step step = {
		.kind = POLICY_TRIM,
		.cache = POLICY_NONE,
		.from = POLICY_NONE,
		.to = ix,
		.donor = POLICY_NONE,
	};
	if (row->trimmed)
		return;
	if (w->nodes[ix].unmet_units > 0)
		step.reason = POLICY_SHORT;
	else if (is_pressed(row))
		step.reason = POLICY_PRESSED;
	else if (w->nodes[ix].leaving && row->pages > 0)
		step.reason = POLICY_DRAINED;
	else
		return;
	policy_add(w, &step);
}

static void shrink(struct policy_work *w, uint32_t ix,
                   const struct giving *give)
{
	struct policy_step step = {
		.kind = POLICY_SHRINK,
		.reason = give->reason,
		.cache = POLICY_NONE,
		.from = ix,
		.to = ix,
		.n = (uint32_t)give->pages,
		.donor = POLICY_NONE,
	};
	if (give->reason == POLICY_REASONS || give->pages == 0 ||
	    !policy_add(w, &step))
		return;
	w->nodes[ix].gives = true;
}

/* Empty slabs that a cell gives up: all where the node is left; else not so
 * many that clients would ring for them again. */
static uint32_t cell_given(const struct policy_work *w, uint32_t at,
                           const struct giving *give)
{
	const struct policy_cell *cell = &w->snap->cells[at];
	if (cell->want > 0)
		return 0;
	if (give->reason == POLICY_DRAINED)
		return (uint32_t)policy_less(cell->empty, w->cells[at].out);
	if (give->reason == POLICY_PRESSED)
		return policy_spare_empty(w, at, give->keep, cell->low);
	return (uint32_t)policy_min(
		cell->idle, policy_spare_empty(w, at, give->keep,
	                                       2 * (uint64_t)cell->low + 1));
}

static void uncarve(struct policy_work *w, uint32_t cache, uint32_t ix,
                    const struct giving *give)
{
	uint32_t at = policy_cell_at(w, cache, ix);
	uint32_t n = cell_given(w, at, give);
	struct policy_step step = {
		.kind = POLICY_REASSIGN,
		.reason = give->reason,
		.cache = cache,
		.from = ix,
		.to = ix,
		.n = n,
		.donor = cache,
		.n_given = n,
		.distance = w->snap->nodes[ix].distance[ix],
	};
	if (n > 0 && policy_add(w, &step)) {
		w->cells[at].out += n;
		w->nodes[ix].gives = true;
	}
}

void policy_give_back(struct policy_work *w)
{
	struct giving give[POLICY_NODES_MAX];
	uint64_t slabs = 0;
	for (uint32_t ix = 0; ix < w->snap->n_nodes; ix++) {
		trim(w, ix);
		give[ix] = what_given(w, ix);
		shrink(w, ix, &give[ix]);
		if (give[ix].reason != POLICY_REASONS && give[ix].slabs)
			slabs |= UINT64_C(1) << ix;
	}
	if (slabs == 0)
		return;
	for (uint32_t cache = 0; cache < w->snap->n_caches; cache++)
		for (uint64_t left = slabs; left != 0; left &= left - 1) {
			uint32_t ix = (uint32_t)__builtin_ctzll(left);
			uncarve(w, cache, ix, &give[ix]);
		}
}
