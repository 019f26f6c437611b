/* SPDX-License-Identifier: MIT */
#include "daemon/balance/ahead.h"

#include "daemon/balance/own.h"
#include "daemon/balance/reuse.h"
#include "daemon/pool/grow.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"

#define SLICE_NS CLOCK_MS
#define BATCH_BYTES (UINT64_C(1) << 20) /* for one list, before the next */
#define LEAST_BYTES (UINT64_C(4) << 20) /* that a list in use may have ahead */
#define SHARE 8u        /* of what is ready may be ahead of need */
#define KEEP_BYTES (UINT64_C(2) << 20)
#define KEEP_SHARE 8u   /* of a large page: for what takes long to come */
#define HOT_NS CLOCK_S  /* a list counts as in use for so long */
#define STOCK_FACTOR 8u /* times its ahead may a list have of idle memory */

static uint32_t cache_of(const struct pool *pool, const struct ahead_list *list)
{
	return list->cell / pool->view.geo.n_nodes + 1;
}

static uint32_t node_of(const struct pool *pool, const struct ahead_list *list)
{
	return list->cell % pool->view.geo.n_nodes;
}

static uint64_t slab_bytes(const struct pool *pool, uint32_t cache)
{
	return UNIT_BYTES << balance_row(pool, cache)->order;
}

/* Slabs of that many bytes, 1 at least. */
static uint32_t slabs_in(const struct pool *pool, uint32_t cache,
                         uint64_t bytes)
{
	uint64_t n = bytes / slab_bytes(pool, cache);
	return n < 1 ? 1 : n < UINT32_MAX / 4 ? (uint32_t)n : UINT32_MAX / 4;
}

/* False when the list's cache has ended. */
static bool is_used(const struct pool *pool, const struct ahead_list *list)
{
	return list->slabs > 0 && pool_has_cache(pool, cache_of(pool, list));
}

static bool is_calm(const struct pool *pool, uint32_t node)
{
	return pool->balance->pressure[node] == PLAN_CALM;
}

static struct ahead_list *find(const struct pool *pool, uint32_t cell)
{
	struct balance *b = pool->balance;
	for (uint32_t i = 0; i < b->n_ahead; i++)
		if (b->ahead[i].cell == cell)
			return &b->ahead[i];
	return NULL;
}

static uint32_t listed(const struct pool *pool, uint32_t cache, uint32_t node,
                       uint32_t limit)
{
	struct partial list = partial_of(&pool->view, cache, node);
	return partial_count_few(&list, limit);
}

/* ---- how much ----------------------------------------------------------- */

static uint32_t lists_on(const struct pool *pool, uint32_t node)
{
	const struct balance *b = pool->balance;
	uint32_t n = 0;
	for (uint32_t i = 0; i < b->n_ahead; i++)
		n += node_of(pool, &b->ahead[i]) == node &&
		     b->ahead[i].slabs > 0;
	return n > 1 ? n : 1;
}

/* Most that a list may have ahead: a share of what is ready on the node, and
 * half of what the node has yet to give, by all lists that are in use. */
static uint32_t most_of(const struct pool *pool, uint32_t cache, uint32_t node)
{
	const struct pages *pages = &pool->pages;
	uint32_t shift = pool->view.geo.page_shift;
	uint64_t is = pages->node[node].pages;
	uint64_t may = pages_max(pages, node);
	uint64_t bytes = (is << shift) / SHARE;
	uint64_t left = pages_free_units(pages, node) << UNIT_SHIFT;
	left += may > is ? (may - is) << shift : 0;
	bytes = bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
	bytes = bytes < left / 2 ? bytes : left / 2;
	return slabs_in(pool, cache, bytes / lists_on(pool, node));
}

uint32_t ahead_slabs(const struct pool *pool, uint32_t cache, uint32_t node)
{
	const struct ahead_list *list =
		find(pool, balance_cell(pool, cache, node));
	uint32_t most;
	if (list == NULL)
		return 0;
	most = most_of(pool, cache, node);
	return list->slabs < most ? list->slabs : most;
}

/* A place for a list that had none: a new one, or that of the list which was
 * used longest ago. */
static struct ahead_list *place_for(struct pool *pool, uint32_t cell)
{
	struct balance *b = pool->balance;
	struct ahead_list *list = &b->ahead[0];
	if (b->n_ahead < AHEAD_LISTS)
		*(list = &b->ahead[b->n_ahead++]) = (struct ahead_list){0};
	else
		for (uint32_t i = 1; i < AHEAD_LISTS; i++)
			if (b->ahead[i].used_ns < list->used_ns)
				list = &b->ahead[i];
	if (list->slabs > 0)
		marks_set_growing(pool, cache_of(pool, list),
		                  node_of(pool, list), false);
	*list = (struct ahead_list){.cell = cell, .used_ns = INT64_MIN / 2};
	return list;
}

void ahead_rung(struct pool *pool, uint32_t cache, uint32_t node)
{
	uint32_t cell = balance_cell(pool, cache, node);
	struct ahead_list *list = find(pool, cell);
	uint32_t share = pool_standing(pool, cache, node) / 16;
	int64_t now = clock_ns();
	int64_t since;
	bool soon;
	if (list == NULL)
		list = place_for(pool, cell);
	since = now - list->used_ns;
	soon = since < AHEAD_SOON_NS;
	/* Once may be chance; twice, and it has come this far at that rate. */
	if (soon && !list->soon)
		since = AHEAD_SOON_NS;
	else if (soon && list->slabs < share)
		list->slabs = share;
	list->slabs =
		ahead_next(list->slabs, since, most_of(pool, cache, node));
	list->soon = soon;
	list->used_ns = now;
}

/* ---- stock -------------------------------------------------------------- */

/* Units of a node that may go into stock: all that idleness leaves ready in any
 * case, else as much as goes with the rate of use. */
static uint64_t stock_units(const struct pool *pool, uint32_t node)
{
	const struct balance *b = pool->balance;
	uint64_t floor =
		balance_floor_pages(pool, node) * pool->pages.page_units;
	uint64_t ready = pool_ready_units(pool, node);
	uint64_t over = ready > floor ? ready - floor : 0;
	uint64_t free = pages_free_units(&pool->pages, node);
	uint64_t kept = pool->pages.page_units; /* who has nothing finds some */
	uint64_t rate = 0;
	for (uint32_t i = 0; i < b->n_ahead; i++) {
		const struct ahead_list *list = &b->ahead[i];
		uint32_t order = balance_row(pool, cache_of(pool, list))->order;
		uint32_t most = list->slabs * STOCK_FACTOR;
		if (node_of(pool, list) == node)
			rate += (most -
			         listed(pool, cache_of(pool, list), node, most))
			        << order;
	}
	if (free <= kept || pool->view.nodes[node].drain != 0 ||
	    !is_calm(pool, node))
		return 0;
	free -= kept;
	over = free > over ? free - over : 0;
	rate = rate < free ? rate : free;
	return over > rate ? over : rate;
}

/* A batch for a list, of no more than the units. Units that it took. */
static uint64_t stock_list(struct pool *pool, const struct ahead_list *list,
                           uint64_t units)
{
	uint32_t cache = cache_of(pool, list);
	uint32_t node = node_of(pool, list);
	uint32_t n = slabs_in(pool, cache, BATCH_BYTES);
	uint32_t order = balance_row(pool, cache)->order;
	uint64_t took = 0;
	uint32_t head;
	while (n-- > 0 && took + (1u << order) <= units &&
	       slabs_carve_ready(pool, cache, node, &head) == 0)
		took += 1u << order;
	return took;
}

/* For the lists that were used up more than once. True if there was no time for
 * all. */
static bool stock_node(struct pool *pool, uint32_t node, int64_t until_ns)
{
	struct balance *b = pool->balance;
	uint64_t left = stock_units(pool, node);
	uint64_t took = 1;
	while (left > 0 && took > 0) {
		took = 0;
		for (uint32_t i = 0; i < b->n_ahead && left > 0; i++) {
			struct ahead_list *list = &b->ahead[i];
			uint64_t one;
			if (node_of(pool, list) != node || list->slabs < 2 ||
			    !is_used(pool, list) ||
			    clock_ns() - list->used_ns > HOT_NS)
				continue;
			one = stock_list(pool, list, left);
			left -= one;
			took += one;
		}
		if (took > 0 && clock_ns() >= until_ns)
			return left > 0;
	}
	return false;
}

/* ---- fill --------------------------------------------------------------- */

/* Of what is ready alone: other lists' empty slabs included. */
static uint32_t make_ready(struct pool *pool, uint32_t cache, uint32_t node,
                           uint32_t n)
{
	uint32_t order = balance_row(pool, cache)->order;
	uint32_t made = 0;
	uint32_t head;
	do
		while (made < n &&
		       slabs_carve_ready(pool, cache, node, &head) == 0)
			made++;
	while (made < n && reuse_empties(pool, cache, node,
	                                 (uint64_t)(n - made) << order) > 0);
	return made;
}

uint32_t ahead_make(struct pool *pool, uint32_t cache, uint32_t node,
                    uint32_t n, bool may_grow)
{
	uint32_t made = make_ready(pool, cache, node, n);
	uint32_t head;
	if (made == 0 && n > 0 && may_grow &&
	    slabs_carve(pool, cache, node, node, &head) == 0)
		made = 1 + make_ready(pool, cache, node, n - 1);
	return made;
}

/* A batch for a list. True if it lacks more. */
static bool fill_list(struct pool *pool, struct ahead_list *list)
{
	uint32_t cache = cache_of(pool, list);
	uint32_t node = node_of(pool, list);
	uint32_t slabs = ahead_slabs(pool, cache, node);
	uint32_t have = listed(pool, cache, node, slabs);
	uint32_t n = slabs_in(pool, cache, BATCH_BYTES);
	bool lacks = have < slabs;
	bool more = false;
	if (lacks) {
		list->used_ns = clock_ns();
		n = n < slabs - have ? n : slabs - have;
		more = ahead_make(pool, cache, node, n, is_calm(pool, node)) >
		       0;
		if (more)
			marks_announce(pool);
	}
	marks_set_low(pool, cache, node, slabs);
	marks_set_growing(pool, cache, node,
	                  more || (lacks && grow_is_coming(pool, node)));
	return more;
}

/* Each list in turn, one at least, as long as there is time. True if some lacks
 * more. */
static bool fill(struct pool *pool, int64_t until_ns)
{
	struct balance *b = pool->balance;
	uint32_t full = b->ahead_full;
	while (full < b->n_ahead) {
		struct ahead_list *list;
		b->ahead_at = (b->ahead_at + 1) % b->n_ahead;
		list = &b->ahead[b->ahead_at];
		full = is_used(pool, list) && fill_list(pool, list) ? 0
		                                                    : full + 1;
		b->ahead_full = full < b->n_ahead ? full : 0;
		if (clock_ns() >= until_ns)
			return full < b->n_ahead;
	}
	b->ahead_full = 0;
	return false;
}

static bool may_grow(const struct pool *pool, uint32_t node)
{
	return is_calm(pool, node) && pool->view.nodes[node].drain == 0 &&
	       pool->pages.node[node].pages < pages_max(&pool->pages, node);
}

/* Units that stay free for caches that have nothing: a page's worth, or a part
 * of one where pages are large. */
static uint64_t kept_units(const struct pool *pool)
{
	uint64_t page = pool->pages.page_units;
	uint64_t part = page / KEEP_SHARE;
	uint64_t least = KEEP_BYTES >> UNIT_SHIFT;
	least = least < page ? least : page;
	return part > least ? part : least;
}

/* That many free units on each node that may grow; on others, lists keep
 * what they have until somebody needs it. True if a node got pages, or some are
 * yet to be looked at. */
static bool keep(struct pool *pool, int64_t until_ns)
{
	struct balance *b = pool->balance;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	uint64_t kept = kept_units(pool);
	bool more = false;
	while (b->keep_at < n_nodes) {
		uint32_t node = b->keep_at++;
		uint64_t is = pages_free_units(&pool->pages, node);
		if (is >= kept || !may_grow(pool, node))
			continue;
		is += reuse_empties(pool, 0, node, kept - is);
		if (is < kept)
			more |= grow_pages(pool, node) == 0;
		if (clock_ns() >= until_ns && b->keep_at < n_nodes)
			return true;
	}
	b->keep_at = 0;
	return more;
}

/* Node by node, one at least. True if some are yet to be looked at. */
static bool stock(struct pool *pool, int64_t until_ns)
{
	struct balance *b = pool->balance;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	while (b->stock_at < n_nodes) {
		if (stock_node(pool, b->stock_at, until_ns))
			return true;
		b->stock_at++;
		if (clock_ns() >= until_ns && b->stock_at < n_nodes)
			return true;
	}
	b->stock_at = 0;
	return false;
}

bool ahead_work(struct pool *pool)
{
	int64_t until_ns = clock_ns() + SLICE_NS;
	bool more;
	/* Pages that take long are on their way while slabs are made. */
	if (pool->work != NULL)
		(void)keep(pool, until_ns);
	more = fill(pool, until_ns);
	if (more || keep(pool, until_ns))
		return true;
	return stock(pool, until_ns);
}

void ahead_settle(struct pool *pool)
{
	struct balance *b = pool->balance;
	int64_t now = clock_ns();
	for (uint32_t i = b->n_ahead; i-- > 0;) {
		struct ahead_list *list = &b->ahead[i];
		uint32_t cache = cache_of(pool, list);
		uint32_t node = node_of(pool, list);
		if (now - list->used_ns > HOT_NS || !is_used(pool, list))
			list->slabs = 0;
		marks_set_low(pool, cache, node, list->slabs);
		if (list->slabs == 0)
			*list = b->ahead[--b->n_ahead];
	}
}
