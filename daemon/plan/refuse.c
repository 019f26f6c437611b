/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

static enum plan_reason why_not_carved(const struct plan_work *w, uint32_t ix)
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
                                     uint32_t cache_ix, uint32_t at)
{
	if (w->snap->caches[cache_ix].strict)
		return PLAN_STRICT;
	if (w->cells[at].capped)
		return PLAN_RATE;
	return w->held[cache_ix] != 0 ? PLAN_HELD : PLAN_NONE_PLENTY;
}

/* PLAN_NO_REASON: moving a page would not help. */
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
	uint32_t cache_ix = w->cells[at].cache_ix;
	uint32_t node = w->cells[at].node;
	enum plan_reason why = why_not_migrated(w, node, at);
	plan_refuse(w, PLAN_CARVE, why_not_carved(w, node), cache_ix, node);
	plan_refuse(w, PLAN_REASSIGN, why_not_reassigned(&w->nodes[node]),
	            cache_ix, node);
	if (w->cells[at].held)
		plan_refuse(w, PLAN_RETURN, PLAN_HELD, cache_ix, node);
	if (w->snap->n_nodes > 1)
		plan_refuse(w, PLAN_LEND, why_not_lent(w, cache_ix, at),
		            cache_ix, node);
	if (why != PLAN_NO_REASON)
		plan_refuse(w, PLAN_MIGRATE, why, cache_ix, node);
}

void plan_count_unmet(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->n_order; i++) {
		uint32_t at = w->order[i];
		uint32_t cache_ix = w->cells[at].cache_ix;
		uint32_t units = w->snap->caches[cache_ix].slab_units;
		w->nodes[w->cells[at].node].unmet_units +=
			(uint64_t)w->cells[at].left * units;
	}
}

void plan_refuse_unmet(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->n_order; i++)
		if (w->cells[w->order[i]].left > 0)
			refuse_cell(w, w->order[i]);
}
