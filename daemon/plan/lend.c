/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

uint64_t plan_hold_ms(const struct plan_work *w, uint32_t reversals)
{
	uint64_t ms = (uint64_t)w->config->hold_ms
	              << (reversals < 31 ? reversals : 31);
	return plan_min(ms, w->config->hold_max_ms);
}

uint32_t plan_lendable(const struct plan_work *w, uint32_t at)
{
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint32_t out = w->cells[at].out;
	uint64_t keep = w->config->lend_keep_slabs;
	if (w->snap->nodes[w->cells[at].node].offline)
		return 0;
	if (keep < 2 * (uint64_t)cell->low)
		keep = 2 * (uint64_t)cell->low;
	return (uint32_t)plan_less(cell->listed, out + keep + cell->borrowed);
}

/* The nearest come first, and nodes without CPUs last unless they are a tier
 * like others. */
void plan_lend_order(struct plan_work *w)
{
	uint32_t n_nodes = w->snap->n_nodes;
	bool alike = w->config->far_is_tier;
	for (uint32_t node = 0; node < n_nodes; node++) {
		const uint8_t *nearest = w->snap->nodes[node].nearest;
		uint8_t *lenders = w->nodes[node].lenders;
		uint32_t n = 0;
		for (uint32_t i = 0; i < n_nodes; i++)
			if (alike || w->snap->nodes[nearest[i]].has_cpu)
				lenders[n++] = nearest[i];
		for (uint32_t i = 0; i < n_nodes && !alike; i++)
			if (!w->snap->nodes[nearest[i]].has_cpu)
				lenders[n++] = nearest[i];
	}
}

/* Plans n slabs of `from` for a cell. Returns how many it gets. */
static uint32_t lend(struct plan_work *w, uint32_t at, uint32_t from,
                     uint64_t n, bool fresh)
{
	struct plan_step step =
		plan_step_of(PLAN_LEND, PLAN_SHORT, w->cells[at].cache_ix, from,
	                     w->cells[at].node, n);
	step.fresh = fresh;
	if (n == 0 || !plan_add(w, step))
		return 0;
	plan_met(w, at, step.n);
	return step.n;
}

static uint32_t lend_partial(struct plan_work *w, uint32_t at, uint32_t from,
                             uint64_t most)
{
	uint32_t cache_ix = w->cells[at].cache_ix;
	uint32_t giver = plan_cell_at(w, cache_ix, from);
	uint32_t n;
	if ((w->plenty[cache_ix] >> from & 1) == 0)
		return 0;
	n = lend(w, at, from, plan_min(most, plan_lendable(w, giver)), false);
	w->cells[giver].out += n;
	if (plan_lendable(w, giver) == 0)
		w->plenty[cache_ix] &= ~(UINT64_C(1) << from);
	return n;
}

static uint32_t lend_fresh(struct plan_work *w, uint32_t at, uint32_t from,
                           uint64_t most)
{
	uint32_t cache_ix = w->cells[at].cache_ix;
	uint32_t order = plan_cache_order(w, cache_ix);
	uint32_t n;
	if ((w->fresh >> from & 1) == 0)
		return 0;
	n = lend(w, at, from, plan_min(most, plan_units_fresh(w, from, order)),
	         true);
	if (n > 0)
		plan_units_take(w, from, order, n);
	return n;
}

/* Lends a cell what it wants, of partial slabs no more than its share. Returns
 * how many partial slabs it got. */
static uint64_t lend_cell(struct plan_work *w, uint32_t at, uint64_t share)
{
	uint32_t node = w->cells[at].node;
	uint32_t cache_ix = w->cells[at].cache_ix;
	uint64_t most = plan_min(w->cells[at].left, w->config->lend_slabs_max);
	uint64_t got = 0;
	for (uint32_t i = 0; i < w->snap->n_nodes && most > 0; i++) {
		uint32_t from = w->nodes[node].lenders[i];
		uint32_t n;
		if (((w->plenty[cache_ix] | w->fresh) >> from & 1) == 0 ||
		    from == node)
			continue;
		n = lend_partial(w, at, from, plan_min(most, share - got));
		got += n;
		most -= n;
		most -= lend_fresh(w, at, from, most);
	}
	w->cells[at].capped = most == 0 && w->cells[at].left > 0;
	return got;
}

/* Lends slabs of one cache to all lists that want some. Each gets the part of
 * what there is that its want is of all that is wanted. */
static void lend_cache(struct plan_work *w, uint32_t cache_ix)
{
	uint32_t first = plan_cell_at(w, cache_ix, 0);
	uint64_t have = 0;
	uint64_t wanted = 0;
	for (uint64_t left = w->plenty[cache_ix]; left != 0; left &= left - 1)
		have += plan_lendable(w,
		                      first + (uint32_t)__builtin_ctzll(left));
	for (uint64_t left = w->needy[cache_ix]; left != 0; left &= left - 1)
		wanted +=
			w->cells[first + (uint32_t)__builtin_ctzll(left)].left;
	for (uint64_t left = w->needy[cache_ix]; left != 0; left &= left - 1) {
		uint32_t at = first + (uint32_t)__builtin_ctzll(left);
		uint64_t want = w->cells[at].left;
		uint64_t share = want;
		if (have < wanted)
			share = (want * have + wanted - 1) / wanted;
		have -= lend_cell(w, at, share);
		wanted -= want;
	}
}

void plan_lend(struct plan_work *w)
{
	for (uint32_t cache_ix = 0; cache_ix < w->snap->n_caches; cache_ix++)
		if (w->needy[cache_ix] != 0 &&
		    !w->snap->caches[cache_ix].strict &&
		    (w->plenty[cache_ix] | w->fresh) != 0 && !plan_is_full(w))
			lend_cache(w, cache_ix);
}
