/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

static bool is_young(const struct plan_work *w,
                     const struct snapshot_loan *loan)
{
	uint32_t home = plan_cell_at(w, loan->cache_ix, loan->home);
	uint32_t list = plan_cell_at(w, loan->cache_ix, loan->list);
	uint32_t reversals = w->snap->cells[home].reversals;
	if (reversals < w->snap->cells[list].reversals)
		reversals = w->snap->cells[list].reversals;
	return loan->age_ms < plan_hold_ms(w, reversals);
}

static uint32_t send_home(struct plan_work *w, const struct snapshot_loan *loan,
                          enum plan_reason reason, uint64_t n)
{
	struct plan_step step = plan_step_of(
		PLAN_RETURN, reason, loan->cache_ix, loan->list, loan->home, n);
	if (n == 0 || !plan_add(w, step))
		return 0;
	w->cells[plan_cell_at(w, loan->cache_ix, loan->list)].out += step.n;
	w->cells[plan_cell_at(w, loan->cache_ix, loan->home)].back = true;
	return step.n;
}

/* A home that is short gets its slabs back at once the first time. Where slabs
 * went to and fro, what was lent stays for a while. */
void plan_return_short(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_loans; i++) {
		const struct snapshot_loan *loan = &w->snap->loans[i];
		uint32_t home = plan_cell_at(w, loan->cache_ix, loan->home);
		uint32_t list = plan_cell_at(w, loan->cache_ix, loan->list);
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

/* Whether a borrower has enough of its own, with what it could carve. What it
 * could carve is promised to it then. */
static bool has_enough(struct plan_work *w, const struct snapshot_loan *loan,
                       uint64_t enough)
{
	const struct snapshot_cell *cell =
		&w->snap->cells[plan_cell_at(w, loan->cache_ix, loan->list)];
	struct plan_node *node = &w->nodes[loan->list];
	uint32_t order = plan_cache_order(w, loan->cache_ix);
	uint64_t room = plan_less(plan_units_room(w, loan->list, order),
	                          node->promised >> order);
	uint64_t lack = plan_less(enough + cell->borrowed, cell->listed);
	if (room == 0 || room < lack)
		return false;
	node->promised += lack << order;
	return true;
}

/* Slabs of a loan that the borrower can do without. These are all if it has
 * enough. Otherwise they are the empty ones beyond what it keeps or, if nobody
 * rings there, those from which nobody takes. */
static uint64_t unneeded(struct plan_work *w, const struct snapshot_loan *loan)
{
	uint32_t at = plan_cell_at(w, loan->cache_ix, loan->list);
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint64_t enough = 2 * (uint64_t)cell->low + 1;
	uint64_t out = w->cells[at].out;
	uint64_t empty =
		plan_min(loan->empty, plan_less(cell->listed, enough + out));
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
		uint32_t home = plan_cell_at(w, loan->cache_ix, loan->home);
		uint32_t list = plan_cell_at(w, loan->cache_ix, loan->list);
		if (w->snap->cells[home].want > 0)
			continue;
		if (w->nodes[loan->home].leaving) {
			/* They can be emptied there. */
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
