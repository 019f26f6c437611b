/* SPDX-License-Identifier: MIT */
#include "daemon/pool/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/pool/pool.h"

static uint8_t *page_bytes(const struct pool *pool)
{
	return (uint8_t *)(uintptr_t)pool->view.pages;
}

static uint32_t now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

int pages_make(struct pool *pool)
{
	struct pages *book = &pool->pages;
	uint32_t shift = pool->view.geo.page_shift - UNIT_SHIFT;
	book->page_units = 1u << shift;
	book->n_pages = pool->view.geo.n_units >> shift;
	book->used = calloc(book->n_pages, sizeof(*book->used));
	book->since = calloc(book->n_pages, sizeof(*book->since));
	if (book->used == NULL || book->since == NULL)
		return -ENOMEM;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		book->node[node].first_free = book->n_pages;
		book->node[node].first_hole = pages_first(pool, node);
	}
	return 0;
}

void pages_done(struct pages *book)
{
	free(book->used);
	free(book->since);
	book->used = NULL;
	book->since = NULL;
}

uint32_t pages_node_of(const struct pool *pool, uint64_t page)
{
	uint32_t byte = atom_load(&pool->view.pages[page]);
	return byte == 0 ? NODE_NONE : byte - 1;
}

uint64_t pages_first(const struct pool *pool, uint32_t file)
{
	return pool->view.nodes[file].first_unit / pool->pages.page_units;
}

uint64_t pages_size(const struct pool *pool, uint32_t file)
{
	return pool->view.nodes[file].n_units / pool->pages.page_units;
}

uint32_t pages_file(const struct pool *pool, uint64_t page)
{
	uint32_t file = pool->view.geo.n_nodes - 1;
	while (file > 0 && page < pages_first(pool, file))
		file--;
	return file;
}

/* ---- pages -------------------------------------------------------------- */

static void count_here(struct pool *pool, uint32_t node, int64_t by)
{
	struct pages_node *row = &pool->pages.node[node];
	row->pages += (uint64_t)by;
	atom_store(&pool_node(pool, node)->resident_pages, row->pages);
}

void pages_add(struct pool *pool, uint64_t page, uint64_t n, uint32_t lies)
{
	struct pages *book = &pool->pages;
	uint32_t file = pages_file(pool, page);
	struct layout_node *row = pool_node(pool, file);
	uint64_t top = page + n - pages_first(pool, file);
	uint32_t now = now_s();
	/* First how far to look, then what is there to be seen. */
	if (row->high_page < top)
		atom_store(&row->high_page, top);
	for (uint64_t i = page; i < page + n; i++) {
		atom_store(&page_bytes(pool)[i], (uint8_t)(1 + lies));
		book->since[i] = now;
	}
	extent_give(&pool->units, page * book->page_units,
	            n * book->page_units);
	book->node[lies].empty += n;
	if (page < book->node[lies].first_free)
		book->node[lies].first_free = page;
	count_here(pool, lies, (int64_t)n);
}

void pages_drop(struct pool *pool, uint64_t page)
{
	struct pages *book = &pool->pages;
	uint32_t lies = pages_node_of(pool, page);
	uint32_t file = pages_file(pool, page);
	uint64_t first = page * book->page_units;
	uint64_t out;
	extent_take(&pool->units, first, first + book->page_units,
	            book->page_units, book->page_units, &out);
	atom_store(&page_bytes(pool)[page], (uint8_t)0);
	book->node[lies].empty--;
	count_here(pool, lies, -1);
	if (page < book->node[file].first_hole)
		book->node[file].first_hole = page;
}

void pages_move(struct pool *pool, uint64_t page, uint32_t to)
{
	struct pages *book = &pool->pages;
	uint32_t from = pages_node_of(pool, page);
	uint32_t used = book->used[page];
	atom_store(&page_bytes(pool)[page], (uint8_t)(1 + to));
	book->node[from].used_units -= used;
	book->node[to].used_units += used;
	book->node[from].empty -= used == 0;
	book->node[to].empty += used == 0;
	if (used < book->page_units && page < book->node[to].first_free)
		book->node[to].first_free = page;
	count_here(pool, from, -1);
	count_here(pool, to, 1);
}

/* The first hole of a file, and how many up to n follow each other. */
static uint64_t hole_in(struct pool *pool, uint32_t file, uint64_t *n)
{
	struct pages_node *row = &pool->pages.node[file];
	uint64_t end = pages_first(pool, file) + pages_size(pool, file);
	uint64_t run = 1;
	while (row->first_hole < end &&
	       pages_node_of(pool, row->first_hole) != NODE_NONE)
		row->first_hole++;
	if (row->first_hole == end)
		return PAGES_NONE;
	while (run < *n && row->first_hole + run < end &&
	       pages_node_of(pool, row->first_hole + run) == NODE_NONE)
		run++;
	*n = run;
	return row->first_hole;
}

uint64_t pages_hole(struct pool *pool, uint32_t node, uint64_t *n)
{
	uint64_t may = pages_size(pool, node);
	uint64_t is = pool->pages.node[node].pages;
	uint64_t hole;
	if (is >= may)
		return PAGES_NONE;
	*n = *n < may - is ? *n : may - is;
	hole = hole_in(pool, node, n);
	for (uint32_t file = 0;
	     hole == PAGES_NONE && file < pool->view.geo.n_nodes; file++)
		hole = hole_in(pool, file, n);
	return hole;
}

uint64_t pages_idle(const struct pool *pool, uint32_t node, uint64_t below,
                       uint32_t seconds)
{
	const struct pages *book = &pool->pages;
	uint32_t now = now_s();
	if (book->node[node].empty == 0)
		return PAGES_NONE;
	below = below < book->n_pages ? below : book->n_pages;
	for (uint64_t page = below; page-- > 0;)
		if (book->used[page] == 0 &&
		    pages_node_of(pool, page) == node &&
		    now - book->since[page] >= seconds)
			return page;
	return PAGES_NONE;
}

/* ---- units -------------------------------------------------------------- */

static void count_used(struct pool *pool, uint64_t unit, uint32_t n_units)
{
	struct pages *book = &pool->pages;
	uint64_t page = unit / book->page_units;
	struct pages_node *row = &book->node[pages_node_of(pool, page)];
	row->empty -= book->used[page] == 0;
	book->used[page] = (uint16_t)(book->used[page] + n_units);
	row->used_units += n_units;
}

int pages_take(struct pool *pool, uint32_t node, uint32_t n_units,
                  uint64_t *unit)
{
	struct pages *book = &pool->pages;
	struct pages_node *row = &book->node[node];
	bool full = true; /* all pages so far are */
	if (pages_free_units(pool, node) < n_units)
		return -ENOSPC;
	for (uint64_t page = row->first_free; page < book->n_pages; page++) {
		uint64_t first = page * book->page_units;
		if (pages_node_of(pool, page) != node ||
		    book->used[page] == book->page_units)
			continue;
		if (full)
			row->first_free = page;
		full = false;
		if (book->used[page] + n_units > book->page_units ||
		    extent_take(&pool->units, first, first + book->page_units,
		                n_units, n_units, unit) < 0)
			continue;
		count_used(pool, *unit, n_units);
		return 0;
	}
	return -ENOSPC;
}

int pages_claim(struct pool *pool, uint64_t unit, uint32_t n_units)
{
	uint64_t out;
	if (pages_node_of(pool, unit / pool->pages.page_units) == NODE_NONE ||
	    extent_take(&pool->units, unit, unit + n_units, n_units, 1, &out) <
	            0)
		return -EINVAL;
	count_used(pool, unit, n_units);
	return 0;
}

void pages_give(struct pool *pool, uint64_t unit, uint32_t n_units)
{
	struct pages *book = &pool->pages;
	uint64_t page = unit / book->page_units;
	struct pages_node *row = &book->node[pages_node_of(pool, page)];
	extent_give(&pool->units, unit, n_units);
	book->used[page] = (uint16_t)(book->used[page] - n_units);
	row->used_units -= n_units;
	if (page < row->first_free)
		row->first_free = page;
	if (book->used[page] != 0)
		return;
	row->empty++;
	book->since[page] = now_s();
}

uint64_t pages_free_units(const struct pool *pool, uint32_t node)
{
	const struct pages_node *row = &pool->pages.node[node];
	return row->pages * pool->pages.page_units - row->used_units;
}
