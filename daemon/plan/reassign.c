/* SPDX-License-Identifier: MIT */
/* Who could help where slabs are short, slabs of other caches on the node, and
 * what is refused in the end. */
#include "daemon/plan/work.h"

/* ---- who could help ----------------------------------------------------- */

uint32_t policy_spare_empty(const struct policy_work *w, uint32_t at,
                            uint64_t keep, uint64_t leave)
{
	const struct policy_cell *cell = &w->snap->cells[at];
	uint32_t out = w->cells[at].out;
	uint64_t n = policy_less(cell->empty, out);
	n = policy_min(n, policy_less(cell->slabs, out + keep));
	n = policy_min(n, policy_less(cell->listed, out + leave));
	return (uint32_t)n;
}

/* What a cell gives to who has something already: down to its low mark. */
static uint32_t spare_plenty(const struct policy_work *w, uint32_t at)
{
	return policy_spare_empty(w, at, w->config->keep_slabs,
	                          w->snap->cells[at].low);
}

/* And to who has nothing: all but one, if it is in use. */
static uint32_t spare_last(const struct policy_work *w, uint32_t at)
{
	return policy_spare_empty(w, at, w->config->keep_slabs,
	                          w->snap->cells[at].low > 0);
}

/* Puts a cell first in the list of those on its node that have as much; false
 * if it has nothing to give. */
static bool push_giver(struct policy_work *w, uint32_t at)
{
	struct policy_wnode *node = &w->nodes[w->cells[at].node];
	uint32_t order = policy_cache_order(w, w->cells[at].cache);
	uint32_t spare = spare_plenty(w, at);
	struct policy_givers *givers = spare > 0 ? &node->plenty : &node->last;
	uint32_t bucket;
	if (spare == 0)
		spare = spare_last(w, at);
	if (spare == 0)
		return false;
	bucket = 31 - (uint32_t)__builtin_clz(spare);
	if (bucket >= POLICY_BUCKETS)
		bucket = POLICY_BUCKETS - 1;
	w->cells[at].next = givers->buckets[order] >> bucket & 1
	                            ? givers->first[order][bucket]
	                            : POLICY_NONE;
	givers->first[order][bucket] = at;
	givers->buckets[order] |= (uint8_t)(1u << bucket);
	givers->orders |= (uint16_t)(1u << order);
	return true;
}

static void pop_giver(struct policy_givers *givers, uint32_t order,
                      uint32_t bucket, uint32_t next)
{
	givers->first[order][bucket] = next;
	if (next != POLICY_NONE)
		return;
	givers->buckets[order] &= (uint8_t) ~(1u << bucket);
	if (givers->buckets[order] == 0)
		givers->orders &= (uint16_t) ~(1u << order);
}

static void note_cell(struct policy_work *w, uint32_t cache, uint32_t node)
{
	uint32_t at = policy_cell_at(w, cache, node);
	const struct policy_cell *cell = &w->snap->cells[at];
	uint64_t bit = UINT64_C(1) << node;
	if (cell->want > 0)
		return;
	if (cell->empty > 0 && (w->short_nodes & bit) != 0 &&
	    !push_giver(w, at))
		w->nodes[node].kept = true;
	if (w->needy[cache] == 0 || policy_lendable(w, at) == 0)
		return;
	if (policy_is_held(w, at))
		w->held[cache] |= bit;
	else
		w->plenty[cache] |= bit;
}

void policy_note_helpers(struct policy_work *w)
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
static uint32_t best_giver(const struct policy_givers *givers, uint32_t order,
                           uint32_t *from, uint32_t *bucket)
{
	uint32_t at_least = (uint32_t)givers->orders >> order << order;
	if (at_least != 0)
		*from = (uint32_t)__builtin_ctz(at_least);
	else if (givers->orders != 0)
		*from = 31 - (uint32_t)__builtin_clz(givers->orders);
	else
		return POLICY_NONE;
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

/* Takes of one giver up to most slabs. Such as are smaller than what they are to
 * become must lie side by side, which only slabd can see. */
static uint32_t reassign_one(struct policy_work *w, uint32_t at, uint32_t giver,
                             uint32_t spare, uint32_t most)
{
	uint32_t node = w->cells[at].node;
	uint32_t order = policy_cache_order(w, w->cells[at].cache);
	uint32_t from = policy_cache_order(w, w->cells[giver].cache);
	uint64_t n = policy_min(most, into(spare, from, order));
	uint64_t given = out_of(n, from, order);
	struct policy_step step = {
		.kind = POLICY_REASSIGN,
		.reason = POLICY_SHORT,
		.cache = w->cells[at].cache,
		.from = node,
		.to = node,
		.n = (uint32_t)n,
		.donor = w->cells[giver].cache,
		.n_given = (uint32_t)given,
		.distance = w->snap->nodes[node].distance[node],
	};
	if (n == 0 || !policy_add(w, &step))
		return 0;
	w->cells[giver].out += step.n_given;
	if (from > order) {
		policy_units_give(w, node, from, given);
		policy_units_take(w, node, order, n);
	}
	policy_met(w, at, step.n);
	return step.n;
}

/* Takes up to most slabs of one kind of givers. */
static uint32_t reassign_from(struct policy_work *w, uint32_t at,
                              struct policy_givers *givers, uint32_t most)
{
	bool last = givers == &w->nodes[w->cells[at].node].last;
	uint32_t order = policy_cache_order(w, w->cells[at].cache);
	uint32_t got = 0;
	while (got < most) {
		uint32_t from, bucket, n;
		uint32_t giver = best_giver(givers, order, &from, &bucket);
		if (giver == POLICY_NONE)
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
 * If there is nothing on it, it gets one slab of those that have not: more would
 * have them ring for it, and take it back. */
static void reassign_cell(struct policy_work *w, uint32_t at)
{
	struct policy_wnode *node = &w->nodes[w->cells[at].node];
	const struct policy_cell *cell = &w->snap->cells[at];
	reassign_from(w, at, &node->plenty, w->cells[at].left);
	if (cell->listed == 0 && w->cells[at].left == cell->want)
		reassign_from(w, at, &node->last, 1);
}

void policy_reassign(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->n_turns && !policy_is_full(w); i++) {
		const struct policy_wcell *cell = &w->cells[w->turns[i]];
		const struct policy_wnode *node = &w->nodes[cell->node];
		if (cell->left > 0 && !node->leaving &&
		    (node->plenty.orders | node->last.orders) != 0)
			reassign_cell(w, w->turns[i]);
	}
}

/* ---- what is refused ---------------------------------------------------- */

static enum policy_reason why_not_carved(const struct policy_work *w,
                                         uint32_t ix)
{
	const struct policy_node *row = &w->snap->nodes[ix];
	const struct policy_wnode *node = &w->nodes[ix];
	if (node->leaving)
		return POLICY_DRAINED;
	if (node->pages >= row->pages_max)
		return POLICY_AT_LIMIT;
	if (row->pressure == POLICY_FULL && row->room_pages > 0)
		return POLICY_PRESSED;
	return POLICY_NO_UNITS;
}

static enum policy_reason why_not_reassigned(const struct policy_wnode *node)
{
	if (node->leaving)
		return POLICY_DRAINED;
	return node->kept || node->last.orders != 0 ? POLICY_SMALL_KEPT
	                                            : POLICY_NO_EMPTY;
}

static enum policy_reason why_not_lent(const struct policy_work *w,
                                       uint32_t cache, uint32_t at)
{
	if (w->snap->caches[cache].strict)
		return POLICY_STRICT;
	if (w->cells[at].capped)
		return POLICY_RATE;
	return w->held[cache] != 0 ? POLICY_HELD : POLICY_NONE_PLENTY;
}

/* POLICY_REASONS: no page that is moved would help. */
static enum policy_reason why_not_migrated(const struct policy_work *w,
                                           uint32_t node, uint32_t at)
{
	if (w->nodes[node].made_way > 0)
		return POLICY_REASONS;
	if (w->nodes[node].push != POLICY_REASONS || !w->cells[at].page_far)
		return w->nodes[node].push;
	return w->config->may_migrate ? POLICY_NO_ROOM : POLICY_NO_RIGHT;
}

static void refuse_cell(struct policy_work *w, uint32_t at)
{
	uint32_t cache = w->cells[at].cache;
	uint32_t node = w->cells[at].node;
	enum policy_reason why = why_not_migrated(w, node, at);
	policy_refuse(w, POLICY_CARVE, why_not_carved(w, node), cache, node);
	policy_refuse(w, POLICY_REASSIGN, why_not_reassigned(&w->nodes[node]),
	              cache, node);
	if (w->cells[at].held)
		policy_refuse(w, POLICY_RETURN, POLICY_HELD, cache, node);
	if (w->snap->n_nodes > 1)
		policy_refuse(w, POLICY_LEND, why_not_lent(w, cache, at), cache,
		              node);
	if (why != POLICY_REASONS)
		policy_refuse(w, POLICY_MIGRATE, why, cache, node);
}

void policy_count_unmet(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->n_turns; i++) {
		uint32_t at = w->turns[i];
		uint32_t cache = w->cells[at].cache;
		uint32_t units = w->snap->caches[cache].slab_units;
		w->nodes[w->cells[at].node].unmet_units +=
			(uint64_t)w->cells[at].left * units;
	}
}

void policy_refuse_unmet(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->n_turns; i++)
		if (w->cells[w->turns[i]].left > 0)
			refuse_cell(w, w->turns[i]);
}
