/* SPDX-License-Identifier: MIT */
/* Who could help where slabs are short, slabs of other caches on the node, and
 * what is refused in the end. */
#include "daemon/plan/work.h"

/* ---- who could help ----------------------------------------------------- */

uint32_t plan_spare_empty(const struct plan_work *w, uint32_t at,
                            uint64_t keep, uint64_t leave)
{
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint32_t out = w->cells[at].out;
	uint64_t n = plan_less(cell->empty, out);
	n = plan_min(n, plan_less(cell->slabs, out + keep));
	n = plan_min(n, plan_less(cell->listed, out + leave));
	return (uint32_t)n;
}

/* What a cell gives to who has something already: down to its low mark. */
static uint32_t spare_plenty(const struct plan_work *w, uint32_t at)
{
	return plan_spare_empty(w, at, w->config->keep_slabs,
	                          w->snap->cells[at].low);
}

/* And to who has nothing: all but one, if it is in use. */
static uint32_t spare_last(const struct plan_work *w, uint32_t at)
{
	return plan_spare_empty(w, at, w->config->keep_slabs,
	                          w->snap->cells[at].low > 0);
}

/* Puts a cell first in the list of those on its node that have as much; false
 * if it has nothing to give. */
static bool push_giver(struct plan_work *w, uint32_t at)
{
	struct plan_node *node = &w->nodes[w->cells[at].node];
	uint32_t order = plan_cache_order(w, w->cells[at].cache);
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

static void note_cell(struct plan_work *w, uint32_t cache, uint32_t node)
{
	uint32_t at = plan_cell_at(w, cache, node);
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint64_t bit = UINT64_C(1) << node;
	if (cell->want > 0)
		return;
	if (cell->empty > 0 && (w->short_nodes & bit) != 0 &&
	    !push_giver(w, at))
		w->nodes[node].kept = true;
	if (w->needy[cache] == 0 || plan_lendable(w, at) == 0)
		return;
	if (plan_is_held(w, at))
		w->held[cache] |= bit;
	else
		w->plenty[cache] |= bit;
}

void plan_note_helpers(struct plan_work *w)
{
	w->short_nodes = 0;
	for (uint32_t cache = 0; cache < w->snap->n_caches; cache++) {
		w->plenty[cache] = w->held[cache] = 0;
		w->short_nodes |= w->needy[cache];
	}
	if (w->short_nodes == 0)
		return;
	for (uint32_t cache = 0; cache < w->snap->n_caches; cache++)
		for (uint32_t node = 0; node < w->snap->n_nodes; node++)
			note_cell(w, cache, node);
}

/* ---- reassign ----------------------------------------------------------- */

/* The giver with most, of slabs as large as needed or little larger; of smaller
 * ones only if there are none. */
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

/* Slabs of one cache that so many of another make, and the other way round. */
static uint64_t into(uint64_t n, uint32_t from, uint32_t to)
{
	return from >= to ? n << (from - to) : n >> (to - from);
}

static uint64_t out_of(uint64_t n, uint32_t from, uint32_t to)
{
	return from >= to
	               ? (n + (UINT64_C(1) << (from - to)) - 1) >> (from - to)
	               : n << (to - from);
}

/* Takes of one giver up to most slabs. Such as are smaller than what they are
 * to become must lie side by side, which only slabd can see. */
static uint32_t reassign_one(struct plan_work *w, uint32_t at, uint32_t giver,
                             uint32_t spare, uint32_t most)
{
	uint32_t node = w->cells[at].node;
	uint32_t order = plan_cache_order(w, w->cells[at].cache);
	uint32_t from = plan_cache_order(w, w->cells[giver].cache);
	uint64_t n = plan_min(most, into(spare, from, order));
	uint64_t given = out_of(n, from, order);
	struct plan_step step = {
		.kind = PLAN_REASSIGN,
		.reason = PLAN_SHORT,
		.cache = w->cells[at].cache,
		.from = node,
		.to = node,
		.n = (uint32_t)n,
		.donor = w->cells[giver].cache,
		.n_given = (uint32_t)given,
		.distance = w->snap->nodes[node].distance[node],
	};
	if (n == 0 || !plan_add(w, &step))
		return 0;
	w->cells[giver].out += step.n_given;
	if (from > order) {
		plan_units_give(w, node, from, given);
		plan_units_take(w, node, order, n);
	}
	plan_met(w, at, step.n);
	return step.n;
}

/* Takes up to most slabs of one kind of givers. */
static uint32_t reassign_from(struct plan_work *w, uint32_t at,
                              struct plan_givers *givers, uint32_t most)
{
	bool last = givers == &w->nodes[w->cells[at].node].last;
	uint32_t order = plan_cache_order(w, w->cells[at].cache);
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

/* A list gets as much as it lacks of those that have more than their low mark.
 * If there is nothing on it, it gets one slab of those that have not: more
 * would have them ring for it, and take it back. */
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
		const struct plan_cell *cell = &w->cells[w->order_of_cells[i]];
		const struct plan_node *node = &w->nodes[cell->node];
		if (cell->left > 0 && !node->leaving &&
		    (node->plenty.orders | node->last.orders) != 0)
			reassign_cell(w, w->order_of_cells[i]);
	}
}

/* ---- what is refused ---------------------------------------------------- */

static enum plan_reason why_not_carved(const struct plan_work *w,
                                         uint32_t ix)
{
	const struct snapshot_node *row = &w->snap->nodes[ix];
	const struct plan_node *node = &w->nodes[ix];
	if (node->leaving)
		return PLAN_DRAINED;
	if (node->pages >= row->pages_max)
		return PLAN_AT_LIMIT;
	if (row->pressure == PLAN_FULL && row->room_pages > 0)
		return PLAN_PRESSED;
	return PLAN_NO_UNITS;
}

static enum plan_reason why_not_reassigned(const struct plan_node *node)
{
	if (node->leaving)
		return PLAN_DRAINED;
	return node->kept || node->last.orders != 0 ? PLAN_SMALL_KEPT
	                                            : PLAN_NO_EMPTY;
}

static enum plan_reason why_not_lent(const struct plan_work *w,
                                       uint32_t cache, uint32_t at)
{
	if (w->snap->caches[cache].strict)
		return PLAN_STRICT;
	if (w->cells[at].capped)
		return PLAN_RATE;
	return w->held[cache] != 0 ? PLAN_HELD : PLAN_NONE_PLENTY;
}

/* PLAN_NO_REASON: no page that is moved would help. */
static enum plan_reason why_not_migrated(const struct plan_work *w,
                                           uint32_t node, uint32_t at)
{
	if (w->nodes[node].pages_leaving > 0)
		return PLAN_NO_REASON;
	if (w->nodes[node].push_reason != PLAN_NO_REASON ||
	    !w->cells[at].wanted_elsewhere)
		return w->nodes[node].push_reason;
	return w->config->may_migrate ? PLAN_NO_ROOM : PLAN_NO_RIGHT;
}

static void refuse_cell(struct plan_work *w, uint32_t at)
{
	uint32_t cache = w->cells[at].cache;
	uint32_t node = w->cells[at].node;
	enum plan_reason why = why_not_migrated(w, node, at);
	plan_refuse(w, PLAN_CARVE, why_not_carved(w, node), cache, node);
	plan_refuse(w, PLAN_REASSIGN, why_not_reassigned(&w->nodes[node]),
	              cache, node);
	if (w->cells[at].held)
		plan_refuse(w, PLAN_RETURN, PLAN_HELD, cache, node);
	if (w->snap->n_nodes > 1)
		plan_refuse(w, PLAN_LEND, why_not_lent(w, cache, at), cache,
		              node);
	if (why != PLAN_NO_REASON)
		plan_refuse(w, PLAN_MIGRATE, why, cache, node);
}

void plan_count_unmet(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->n_order; i++) {
		uint32_t at = w->order_of_cells[i];
		uint32_t cache = w->cells[at].cache;
		uint32_t units = w->snap->caches[cache].slab_units;
		w->nodes[w->cells[at].node].unmet_units +=
			(uint64_t)w->cells[at].left * units;
	}
}

void plan_refuse_unmet(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->n_order; i++)
		if (w->cells[w->order_of_cells[i]].left > 0)
			refuse_cell(w, w->order_of_cells[i]);
}
