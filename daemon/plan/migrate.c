/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

/* What users at the target gain, those where the page lies lose. The price is
 * that of copying the whole page. */
static bool is_dear(const struct plan_work *w, const struct snapshot_page *page)
{
	uint64_t more = plan_less(page->target_bytes, page->here_bytes);
	uint64_t far = plan_less(
		w->snap->nodes[page->target].distance[page->lies], 10);
	return more * far * 10 <= w->snap->page_bytes * w->config->migrate_cost;
}

static bool has_room(const struct plan_work *w, uint32_t node)
{
	return w->nodes[node].room > 0;
}

/* Why a page is not moved to where it is used. PLAN_NO_REASON: it can be. */
static enum plan_reason why_not(const struct plan_work *w,
                                const struct snapshot_page *page)
{
	if (!w->config->may_migrate)
		return PLAN_NO_RIGHT;
	if (page->stuck)
		return PLAN_STUCK;
	if (page->moved)
		return PLAN_HELD;
	if (is_dear(w, page))
		return PLAN_TOO_DEAR;
	if (!has_room(w, page->target) ||
	    w->snap->nodes[page->target].pressure != PLAN_CALM)
		return PLAN_NO_ROOM;
	return PLAN_NO_REASON;
}

/* Plans a move. Returns PLAN_RATE if enough is moved already. */
static enum plan_reason move(struct plan_work *w, enum plan_kind kind,
                             enum plan_reason reason,
                             const struct snapshot_page *page, uint32_t to)
{
	struct plan_step step =
		plan_step_of(kind, reason, page->cache_ix, page->lies, to, 1);
	step.page = page->page;
	step.bytes = w->snap->page_bytes;
	if (w->migrate_bytes < step.bytes)
		return PLAN_RATE;
	if (!plan_add(w, step))
		return PLAN_NO_REASON;
	w->migrate_bytes -= step.bytes;
	w->nodes[to].room--;
	w->nodes[to].pages++;
	w->nodes[page->lies].pages--;
	return PLAN_NO_REASON;
}

/* Whether a page's users are elsewhere, and its node is not short of what is in
 * it. */
static bool is_astray(const struct plan_work *w,
                      const struct snapshot_page *page)
{
	uint32_t home;
	if (page->target == page->lies || page->cache_ix >= w->snap->n_caches ||
	    w->nodes[page->lies].leaving)
		return false;
	home = plan_cell_at(w, page->cache_ix, page->lies);
	return w->snap->cells[home].want == 0 && !w->cells[home].back;
}

void plan_page_mark(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct snapshot_page *page = &w->snap->pages[i];
		uint32_t home, there;
		if (!is_astray(w, page))
			continue;
		home = plan_cell_at(w, page->cache_ix, page->lies);
		there = plan_cell_at(w, page->cache_ix, page->target);
		w->cells[there].wanted_elsewhere = true;
		if (why_not(w, page) != PLAN_NO_REASON)
			continue;
		w->cells[home].page_out = true;
		w->cells[there].page_in = true;
	}
}

/* Where a node is short and may have no further page, a page whose users are
 * elsewhere makes way for one. */
void plan_page_push(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct snapshot_page *page = &w->snap->pages[i];
		struct plan_node *node = &w->nodes[page->lies];
		enum plan_reason why;
		if (node->unmet_units == 0 || node->leaving ||
		    page->target == page->lies || plan_is_full(w) ||
		    w->snap->nodes[page->lies].pressure == PLAN_FULL ||
		    node->pages_leaving * w->snap->page_units >=
		            node->unmet_units)
			continue;
		why = why_not(w, page);
		if (why == PLAN_NO_REASON)
			why = move(w, PLAN_MIGRATE, PLAN_SHORT, page,
			           page->target);
		if (why == PLAN_NO_REASON)
			node->pages_leaving++;
		else
			node->push_reason = why;
	}
}

static void refuse_once(struct plan_work *w, enum plan_kind kind,
                        enum plan_reason reason,
                        const struct snapshot_page *page, uint32_t node)
{
	uint32_t *said = kind == PLAN_DRAIN ? &w->nodes[node].refused
	                                    : &w->nodes[node].refused_in;
	if (*said >> reason & 1)
		return;
	*said |= 1u << reason;
	plan_refuse(w, kind, reason, page->cache_ix, node);
}

void plan_page_follow(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct snapshot_page *page = &w->snap->pages[i];
		enum plan_reason why;
		if (!is_astray(w, page) || w->nodes[page->lies].unmet_units > 0)
			continue;
		why = why_not(w, page);
		if (why == PLAN_NO_REASON)
			why = move(w, PLAN_MIGRATE, PLAN_USED_THERE, page,
			           page->target);
		if (why != PLAN_NO_REASON)
			refuse_once(w, PLAN_MIGRATE, why, page, page->target);
	}
}

/* ---- drain -------------------------------------------------------------- */

/* The node where a page's users are, or the nearest with room, or PLAN_NONE. */
static uint32_t shelter(const struct plan_work *w,
                        const struct snapshot_page *page)
{
	const uint8_t *lenders = w->nodes[page->lies].lenders;
	if (has_room(w, page->target))
		return page->target;
	for (uint32_t i = 0; i < w->snap->n_nodes; i++)
		if (has_room(w, lenders[i]))
			return lenders[i];
	return PLAN_NONE;
}

static enum plan_reason drain(struct plan_work *w,
                              const struct snapshot_page *page)
{
	uint32_t to;
	if (!w->config->may_migrate)
		return PLAN_NO_RIGHT;
	if (page->stuck)
		return PLAN_STUCK;
	to = shelter(w, page);
	if (to == PLAN_NONE)
		return PLAN_NO_ROOM;
	return move(w, PLAN_DRAIN, PLAN_DRAINED, page, to);
}

/* A page in which nobody has anything can wait as long as the node gives up
 * empty slabs and pages anyway. */
void plan_page_drain(struct plan_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct snapshot_page *page = &w->snap->pages[i];
		const struct plan_node *node = &w->nodes[page->lies];
		enum plan_reason why;
		if (!node->leaving || (page->live_bytes == 0 && node->gives))
			continue;
		why = drain(w, page);
		if (why != PLAN_NO_REASON)
			refuse_once(w, PLAN_DRAIN, why, page, page->lies);
	}
}
