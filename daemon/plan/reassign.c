/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

/* ---- cells that could help ---------------------------------------------- */

uint32_t plan_spare_empty(const struct plan_work *w, uint32_t at,
                          uint64_t leave)
{
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint32_t out = w->cells[at].out;
	uint64_t n = plan_less(cell->empty, out);
	n = plan_min(n, plan_less(cell->slabs,
	                          out + (uint64_t)w->config->keep_slabs));
	n = plan_min(n, plan_less(cell->listed, out + leave));
	return (uint32_t)n;
}

/* What a cell gives to another that has something: down to its low mark. */
static uint32_t spare_plenty(const struct plan_work *w, uint32_t at)
{
	return plan_spare_empty(w, at, w->snap->cells[at].low);
}

/* What it gives to another that has nothing: all, but one if it is in use. */
static uint32_t spare_last(const struct plan_work *w, uint32_t at)
{
	return plan_spare_empty(w, at, w->snap->cells[at].low > 0);
}

/* Puts a cell first in the list of those on its node that have about as much.
 * Returns false if it has nothing to give. */
static bool push_giver(struct plan_work *w, uint32_t at)
{
	struct plan_node *node = &w->nodes[w->cells[at].node];
	uint32_t order = plan_cache_order(w, w->cells[at].cache_ix);
	uint32_t spare = spare_plenty(w, at);
	struct plan_givers *givers = spare > 0 ? &node->plenty : &node->last;
	uint32_t bucket;
	if (spare == 0)
		spare = spare_last(w, at);
	if (spare == 0)
		return false;
	bucket = 31 - (uint32_t)__builtin_clz(spare);
	if (bucket >= PLAN_BUCKETS)
		bucket = PLAN_BUCKETS - 1;
	w->cells[at].next = givers->buckets[order] >> bucket & 1
	                            ? givers->first[order][bucket]
	                            : PLAN_NONE;
	givers->first[order][bucket] = at;
	givers->buckets[order] |= (uint8_t)(1u << bucket);
	givers->orders |= (uint16_t)(1u << order);
	return true;
}

static void pop_giver(struct plan_givers *givers, uint32_t order,
                      uint32_t bucket, uint32_t next)
{
	givers->first[order][bucket] = next;
	if (next != PLAN_NONE)
		return;
	givers->buckets[order] &= (uint8_t) ~(1u << bucket);
	if (givers->buckets[order] == 0)
		givers->orders &= (uint16_t) ~(1u << order);
}

/* Whether a cell took slabs too recently to give any. */
static bool is_held(const struct plan_work *w, const struct snapshot_cell *cell)
{
	return cell->gained && cell->held_ms < plan_hold_ms(w, cell->reversals);
}

static void note_cell(struct plan_work *w, uint32_t cache_ix, uint32_t node)
{
	uint32_t at = plan_cell_at(w, cache_ix, node);
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint64_t bit = UINT64_C(1) << node;
	if (cell->want > 0)
		return;
	if (cell->empty > 0 && (w->short_nodes & bit) != 0 &&
	    !push_giver(w, at))
		w->nodes[node].kept = true;
	if (w->needy[cache_ix] == 0 || plan_lendable(w, at) == 0)
		return;
	if (is_held(w, cell))
		w->held[cache_ix] |= bit;
	else
		w->plenty[cache_ix] |= bit;
}

void plan_note_helpers(struct plan_work *w)
{
	w->short_nodes = 0;
	for (uint32_t cache_ix = 0; cache_ix < w->snap->n_caches; cache_ix++) {
		w->plenty[cache_ix] = w->held[cache_ix] = 0;
		w->short_nodes |= w->needy[cache_ix];
	}
	if (w->short_nodes == 0)
		return;
	for (uint32_t cache_ix = 0; cache_ix < w->snap->n_caches; cache_ix++)
		for (uint32_t node = 0; node < w->snap->n_nodes; node++)
			note_cell(w, cache_ix, node);
}

/* ---- reassign ----------------------------------------------------------- */

/* The giver that has most slabs as large as needed or a little larger, or, if
 * there is none, smaller ones. */
static uint32_t best_giver(const struct plan_givers *givers, uint32_t order,
                           uint32_t *from, uint32_t *bucket)
{
	uint32_t at_least = (uint32_t)givers->orders >> order << order;
	if (at_least != 0)
		*from = (uint32_t)__builtin_ctz(at_least);
	else if (givers->orders != 0)
		*from = 31 - (uint32_t)__builtin_clz(givers->orders);
	else
		return PLAN_NONE;
	*bucket = 31 - (uint32_t)__builtin_clz(givers->buckets[*from]);
	return givers->first[*from][*bucket];
}

/* n slabs of order `from` make so many of order `to`. */
static uint64_t into(uint64_t n, uint32_t from, uint32_t to)
{
	return from >= to ? n << (from - to) : n >> (to - from);
}

/* n slabs of order `to` need so many of order `from`. */
static uint64_t out_of(uint64_t n, uint32_t from, uint32_t to)
{
	return from >= to
	               ? (n + (UINT64_C(1) << (from - to)) - 1) >> (from - to)
	               : n << (to - from);
}

/* Takes up to most slabs of one giver. Smaller slabs than what they are to
 * become must lie side by side, which only the mechanism can see. */
static uint32_t reassign_one(struct plan_work *w, uint32_t at, uint32_t giver,
                             uint32_t spare, uint32_t most)
{
	uint32_t node = w->cells[at].node;
	uint32_t order = plan_cache_order(w, w->cells[at].cache_ix);
	uint32_t from = plan_cache_order(w, w->cells[giver].cache_ix);
	uint64_t n = plan_min(most, into(spare, from, order));
	uint64_t given = out_of(n, from, order);
	struct plan_step step =
		plan_step_of(PLAN_REASSIGN, PLAN_SHORT, w->cells[at].cache_ix,
	                     node, node, n);
	step.donor_ix = w->cells[giver].cache_ix;
	step.n_given = (uint32_t)given;
	if (n == 0 || !plan_add(w, step))
		return 0;
	w->cells[giver].out += step.n_given;
	if (from > order) {
		plan_units_give(w, node, from, given);
		plan_units_take(w, node, order, n);
	}
	plan_met(w, at, step.n);
	return step.n;
}

/* Takes up to most slabs of givers of one kind. */
static uint32_t reassign_from(struct plan_work *w, uint32_t at,
                              struct plan_givers *givers, uint32_t most)
{
	bool last = givers == &w->nodes[w->cells[at].node].last;
	uint32_t order = plan_cache_order(w, w->cells[at].cache_ix);
	uint32_t got = 0;
	while (got < most) {
		uint32_t from, bucket, n;
		uint32_t giver = best_giver(givers, order, &from, &bucket);
		if (giver == PLAN_NONE)
			break;
		n = reassign_one(w, at, giver,
		                 last ? spare_last(w, giver)
		                      : spare_plenty(w, giver),
		                 most - got);
		if (n == 0)
			break;
		got += n;
		pop_giver(givers, from, bucket, w->cells[giver].next);
		push_giver(w, giver);
	}
	return got;
}

/* A list gets as much as it lacks from caches that have more than their low
 * mark. If there is nothing on it, it gets one slab of the others. More would
 * make their clients ring, and take it back. */
static void reassign_cell(struct plan_work *w, uint32_t at)
{
	struct plan_node *node = &w->nodes[w->cells[at].node];
	const struct snapshot_cell *cell = &w->snap->cells[at];
	reassign_from(w, at, &node->plenty, w->cells[at].left);
	if (cell->listed == 0 && w->cells[at].left == cell->want)
		reassign_from(w, at, &node->last, 1);
}

void plan_reassign(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->n_order && !plan_is_full(w); i++) {
		const struct plan_cell *cell = &w->cells[w->order[i]];
		const struct plan_node *node = &w->nodes[cell->node];
		if (cell->left > 0 && !node->leaving &&
		    (node->plenty.orders | node->last.orders) != 0)
			reassign_cell(w, w->order[i]);
	}
}
