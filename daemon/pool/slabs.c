/* SPDX-License-Identifier: MIT */
#include "daemon/pool/slabs.h"

#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/pool/grow.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/usage.h"
#include "daemon/pool/work.h"
#include "shm/lease.h"
#include "shm/probe.h"
#include "shm/slab.h"
#include "shm/tags.h"

static const struct layout_cache *row_of(const struct pool *pool, uint64_t word)
{
	return &pool->view.caches[WORD_CACHE(word) - 1];
}

/* Counts a slab by its head and unit word, or (by -1) takes it out. */
static void count(struct pool *pool, uint32_t head, uint64_t word, int by)
{
	uint32_t *slabs = pool_slabs(pool, WORD_CACHE(word), WORD_HOME(word));
	uint32_t *on_list = pool_slabs(pool, WORD_CACHE(word), WORD_LIST(word));
	*slabs += (uint32_t)by;
	pool->standing[on_list - pool->slabs] += (uint32_t)by;
	if (pool->audit != NULL)
		usage_audit_count(pool->audit, (uint32_t)(slabs - pool->slabs),
		                  head, by);
}

/* ---- carved and reclaimed ------------------------------------------------ */

/* grow: faults pages in if there is no free run. 0, -ENOSPC, or -EAGAIN: they are
 * on their way. */
static int take_units(struct pool *pool, uint32_t node, uint32_t n_units,
                      bool grow, uint64_t *unit)
{
	int r = grow ? 0 : -ENOSPC;
	if (pool->view.nodes[node].drain != 0)
		return -ENOSPC;
	while (pages_take(&pool->pages, node, n_units, unit) < 0) {
		if (r == 0)
			r = grow_pages(pool, node);
		if (r != 0)
			return r == WORK_E_COMING ? -EAGAIN : r;
	}
	return 0;
}

static int carve(struct pool *pool, uint32_t cache, uint32_t home,
                 uint32_t list, bool grow, uint32_t *head)
{
	const struct layout_cache *row = &pool->view.caches[cache - 1];
	uint64_t unit;
	uint64_t line;
	int r;
	if (!pool_has_cache(pool, cache))
		return -EINVAL;
	if (list != home && pool->loans.n == pool->loans.max)
		return -ENOSPC;
	r = take_units(pool, home, 1u << row->order, grow, &unit);
	if (r < 0)
		return r;
	/* There are lines enough for every unit at the smallest objects, but
	 * they may be scattered when large and small runs alternate. */
	r = extent_take(&pool->lines, slab_lines(row), &line);
	if (r == 0) {
		r = meta_need_lines(pool, line + slab_lines(row));
		if (r == 0)
			r = lists_need_bit(pool, cache, list, (uint32_t)unit);
		if (r < 0)
			extent_give(&pool->lines, line, slab_lines(row));
		if (r < 0 && r != -EAGAIN)
			r = -ENOSPC;
	}
	if (r < 0) {
		pages_give(&pool->pages, unit, 1u << row->order);
		return r;
	}
	slab_carve_srv(&pool->view, (uint32_t)unit, cache, home, list,
	               (uint32_t)line);
	count(pool, (uint32_t)unit, pool->view.words[unit], 1);
	pool->counts.grown_slabs++;
	*head = (uint32_t)unit;
	if (list != home)
		loans_add(&pool->loans, *head, clock_ns());
	return 0;
}

int slabs_carve(struct pool *pool, uint32_t cache, uint32_t home, uint32_t list,
                uint32_t *head)
{
	return carve(pool, cache, home, list, true, head);
}

int slabs_carve_ready(struct pool *pool, uint32_t cache, uint32_t node,
                      uint32_t *head)
{
	return carve(pool, cache, node, node, false, head);
}

int slabs_reclaim(struct pool *pool, uint32_t head)
{
	uint64_t word = pool->view.words[head];
	const struct layout_cache *row;
	uint32_t line = pool->view.lines[head];
	int r = slab_reclaim_srv(&pool->view, head);
	if (r < 0)
		return r;
	row = row_of(pool, word);
	extent_give(&pool->lines, line, slab_lines(row));
	if (pool->audit != NULL)
		audit_forget_lines(pool->audit, line, slab_lines(row));
	pages_give(&pool->pages, head, 1u << row->order);
	count(pool, head, word, -1);
	if (WORD_LIST(word) != WORD_HOME(word))
		loans_drop(&pool->loans, head);
	pool->counts.taken_slabs++;
	return 0;
}

/* ---- lent and returned --------------------------------------------------- */

/* Puts a slab on another list. 0, -ENOMEM or as slab_lend_srv. */
static int relist(struct pool *pool, uint32_t head, uint32_t to)
{
	uint64_t before = pool->view.words[head];
	int r = lists_need_bit(pool, WORD_CACHE(before), to, head);
	if (r < 0)
		return r;
	r = slab_lend_srv(&pool->view, head, to);
	count(pool, head, before, -1);
	count(pool, head, pool->view.words[head], 1);
	return r;
}

int slabs_lend(struct pool *pool, uint32_t head, uint32_t to)
{
	int r;
	if (!loans_add(&pool->loans, head, clock_ns()))
		return -ENOSPC;
	r = relist(pool, head, to);
	if (r != 0)
		loans_drop(&pool->loans, head);
	else
		probe_lend(pool->name, row_of(pool, pool->view.words[head])->name,
		           WORD_HOME(pool->view.words[head]), to);
	return r;
}

int slabs_return(struct pool *pool, uint32_t head)
{
	uint64_t word = pool->view.words[head];
	int r = relist(pool, head, WORD_HOME(word));
	if (r < 0)
		return r;
	loans_drop(&pool->loans, head);
	probe_return(pool->name, row_of(pool, word)->name, WORD_HOME(word),
	             WORD_LIST(word));
	return r;
}

/* ---- moved with their page ----------------------------------------------- */

/* The list of a slab that is at home on another node from now on: that of its new
 * home, unless it is lent. */
static uint32_t list_at(uint64_t word, uint32_t home)
{
	return WORD_LIST(word) == WORD_HOME(word) ? home : WORD_LIST(word);
}

/* Its place there has memory before the slab comes, but while a job has the shared
 * file: until it is returned it is lent to where it was, then. Without memory the
 * bit itself takes some. */
static void rehome(struct pool *pool, uint32_t head, uint64_t word, uint32_t to)
{
	uint32_t list = list_at(word, to);
	if (lists_need_bit(pool, WORD_CACHE(word), list, head) == -EAGAIN)
		list = WORD_LIST(word);
	slab_rehome_srv(&pool->view, head, to, list);
	if (list == to)
		loans_drop(&pool->loans, head);
	else
		loans_add(&pool->loans, head, clock_ns());
}

void slabs_rehome(struct pool *pool, uint64_t page, uint32_t to)
{
	uint32_t unit = (uint32_t)(page * pool->pages.page_units);
	uint32_t end = unit + pool->pages.page_units;
	probe_migrate(pool->name, page, pages_node_of(&pool->pages, page), to);
	pool->moves++;
	/* The page comes first: the next slabd gives its slabs their home. */
	pages_move(&pool->pages, page, to);
	for (; unit < end; unit++) {
		uint64_t word = pool->view.words[unit];
		if (WORD_CACHE(word) == 0 || WORD_BACK(word) != 0)
			continue;
		count(pool, unit, word, -1);
		rehome(pool, unit, word, to);
		count(pool, unit, pool->view.words[unit], 1);
	}
}

/* ---- taken over ---------------------------------------------------------- */

int slabs_adopt(struct pool *pool, uint32_t head)
{
	uint64_t word = pool->view.words[head];
	const struct layout_cache *row = row_of(pool, word);
	uint64_t line = pool->view.lines[head];
	uint32_t n_units = 1u << row->order;
	uint32_t node;
	if (extent_claim(&pool->lines, line, slab_lines(row)) < 0 ||
	    pages_claim(&pool->pages, head, n_units) < 0)
		return -EINVAL;
	node = pages_node_of(&pool->pages, head / pool->pages.page_units);
	if (lists_adopt_bit(pool, WORD_CACHE(word), node, head) < 0 ||
	    lists_adopt_bit(pool, WORD_CACHE(word), WORD_LIST(word), head) < 0)
		return -ENOMEM;
	(void)tags_pad_srv(slab_tags(&pool->view, head), row->n_objs,
	                   slab_lines(row));
	if (node != WORD_HOME(word))
		slab_rehome_srv(&pool->view, head, node, list_at(word, node));
	else
		slab_relist_any(&pool->view, head);
	word = pool->view.words[head];
	count(pool, head, word, 1);
	if (WORD_LIST(word) != node)
		loans_add(&pool->loans, head, clock_ns());
	lease_break_srv(&pool->view.leases[head], LEASE_SRV);
	return (int)n_units;
}
