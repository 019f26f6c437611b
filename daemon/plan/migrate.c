/* SPDX-License-Identifier: MIT */
/* Pages that move, live, from node to node. */
#include "daemon/plan/work.h"
#include "shm/layout.h"

static uint64_t page_bytes(const struct policy_work *w)
{
	return w->snap->page_units << UNIT_SHIFT;
}

static uint32_t distance(const struct policy_work *w, uint32_t from,
                         uint32_t to)
{
	return w->snap->nodes[to].distance[from];
}

/* All of a page is copied; what its users at one node gain, those at the other
 * lose. */
static bool is_dear(const struct policy_work *w, const struct policy_page *page)
{
	uint64_t more = policy_less(page->target_bytes, page->lies_bytes);
	uint64_t far = policy_less(distance(w, page->lies, page->target), 10);
	return more * far * 10 <= page_bytes(w) * w->config->migrate_cost;
}

static bool has_room(const struct policy_work *w, uint32_t node)
{
	return w->nodes[node].room > 0;
}

/* Why a page is not moved to where it is used; POLICY_REASONS: it can be. */
static enum policy_reason why_not(const struct policy_work *w,
                                  const struct policy_page *page)
{
	if (!w->config->may_migrate)
		return POLICY_NO_RIGHT;
	if (page->stuck)
		return POLICY_STUCK;
	if (page->moved)
		return POLICY_HELD;
	if (is_dear(w, page))
		return POLICY_TOO_DEAR;
	if (!has_room(w, page->target) ||
	    w->snap->nodes[page->target].pressure != POLICY_CALM)
		return POLICY_NO_ROOM;
	return POLICY_REASONS;
}

/* Plans it; POLICY_RATE when enough moves already. */
static enum policy_reason move(struct policy_work *w, enum policy_kind kind,
                               enum policy_reason reason,
                               const struct policy_page *page, uint32_t to)
{
	struct policy_step step = {
		.kind = kind,
		.reason = reason,
		.cache = page->cache,
		.from = page->lies,
		.to = to,
		.n = 1,
		.donor = POLICY_NONE,
		.page = page->page,
		.distance = distance(w, page->lies, to),
		.bytes = page_bytes(w),
	};
	if (w->migrate_bytes < step.bytes)
		return POLICY_RATE;
	if (!policy_add(w, &step))
		return POLICY_REASONS;
	w->migrate_bytes -= step.bytes;
	w->nodes[to].room--;
	w->nodes[to].pages++;
	w->nodes[page->lies].pages--;
	return POLICY_REASONS;
}

/* A page that its users are far from; home is not short of what is in it. */
static bool is_astray(const struct policy_work *w,
                      const struct policy_page *page)
{
	uint32_t home;
	if (page->target == page->lies || page->cache >= w->snap->n_caches ||
	    w->nodes[page->lies].leaving)
		return false;
	home = policy_cell_at(w, page->cache, page->lies);
	return w->snap->cells[home].want == 0 && !w->cells[home].back;
}

void policy_page_mark(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct policy_page *page = &w->snap->pages[i];
		uint32_t home, there;
		if (!is_astray(w, page))
			continue;
		home = policy_cell_at(w, page->cache, page->lies);
		there = policy_cell_at(w, page->cache, page->target);
		w->cells[there].page_far = true;
		if (why_not(w, page) != POLICY_REASONS)
			continue;
		w->cells[home].page_out = true;
		w->cells[there].page_in = true;
	}
}

/* A node that is short and may have no further page: one whose users are
 * elsewhere makes way for another. */
void policy_page_push(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct policy_page *page = &w->snap->pages[i];
		struct policy_wnode *node = &w->nodes[page->lies];
		enum policy_reason why;
		if (node->unmet_units == 0 || node->leaving ||
		    page->target == page->lies || policy_is_full(w) ||
		    w->snap->nodes[page->lies].pressure == POLICY_FULL ||
		    node->made_way * w->snap->page_units >= node->unmet_units)
			continue;
		why = why_not(w, page);
		if (why == POLICY_REASONS)
			why = move(w, POLICY_MIGRATE, POLICY_SHORT, page,
			           page->target);
		if (why == POLICY_REASONS)
			node->made_way++;
		else
			node->push = why;
	}
}

static void refuse_once(struct policy_work *w, enum policy_kind kind,
                        enum policy_reason reason,
                        const struct policy_page *page, uint32_t node)
{
	uint32_t *said = kind == POLICY_DRAIN ? &w->nodes[node].refused
	                                      : &w->nodes[node].refused_in;
	if (*said >> reason & 1)
		return;
	*said |= 1u << reason;
	policy_refuse(w, kind, reason, page->cache, node);
}

/* Pages to where their users are, as far as the rate goes. */
void policy_page_follow(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct policy_page *page = &w->snap->pages[i];
		enum policy_reason why;
		if (!is_astray(w, page) || w->nodes[page->lies].unmet_units > 0)
			continue;
		why = why_not(w, page);
		if (why == POLICY_REASONS)
			why = move(w, POLICY_MIGRATE, POLICY_USED_THERE, page,
			           page->target);
		if (why != POLICY_REASONS)
			refuse_once(w, POLICY_MIGRATE, why, page, page->target);
	}
}

/* ---- drain -------------------------------------------------------------- */

/* Where its users are, or the nearest node with room; POLICY_NONE. */
static uint32_t shelter(const struct policy_work *w,
                        const struct policy_page *page)
{
	const uint8_t *order = w->nodes[page->lies].order;
	if (has_room(w, page->target))
		return page->target;
	for (uint32_t i = 0; i < w->snap->n_nodes; i++)
		if (has_room(w, order[i]))
			return order[i];
	return POLICY_NONE;
}

static enum policy_reason drain(struct policy_work *w,
                                const struct policy_page *page)
{
	uint32_t to;
	if (!w->config->may_migrate)
		return POLICY_NO_RIGHT;
	if (page->stuck)
		return POLICY_STUCK;
	to = shelter(w, page);
	if (to == POLICY_NONE)
		return POLICY_NO_ROOM;
	return move(w, POLICY_DRAIN, POLICY_DRAINED, page, to);
}

/* Pages of nodes that are to be emptied. One in which nobody has anything can
 * wait, as long as empty slabs and pages are given up anyway. */
void policy_page_drain(struct policy_work *w)
{
	for (uint32_t i = 0; i < w->snap->n_pages; i++) {
		const struct policy_page *page = &w->snap->pages[i];
		const struct policy_wnode *node = &w->nodes[page->lies];
		enum policy_reason why;
		if (!node->leaving || (page->live_bytes == 0 && node->gives))
			continue;
		why = drain(w, page);
		if (why != POLICY_REASONS)
			refuse_once(w, POLICY_DRAIN, why, page, page->lies);
	}
}
