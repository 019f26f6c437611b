/* SPDX-License-Identifier: MIT */
#include "daemon/pool/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "shm/atom.h"

static uint8_t *page_bytes(const struct pages *book)
{
	return (uint8_t *)(uintptr_t)book->view->pages;
}

static struct layout_node *node_row(const struct pages *book, uint32_t node)
{
	return (struct layout_node *)(uintptr_t)&book->view->nodes[node];
}

int pages_make(struct pages *book, const struct view *view)
{
	uint32_t shift = view->geo.page_shift - UNIT_SHIFT;
	book->view = view;
	book->page_units = 1u << shift;
	book->n_pages = view->geo.n_units >> shift;
	book->used = calloc(book->n_pages, sizeof(*book->used));
	book->since_ns = calloc(book->n_pages, sizeof(*book->since_ns));
	if (book->used == NULL || book->since_ns == NULL ||
	    extent_init(&book->units, view->geo.n_units, true) < 0)
		return -ENOMEM;
	for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
		book->node[node].first_free = book->n_pages;
		book->node[node].first_hole = pages_first(book, node);
	}
	return 0;
}

void pages_done(struct pages *book)
{
	extent_done(&book->units);
	free(book->used);
	free(book->since_ns);
}

uint32_t pages_node_of(const struct pages *book, uint64_t page)
{
	uint32_t byte = atom_load(&book->view->pages[page]);
	return byte == 0 ? NODE_NONE : byte - 1;
}

uint64_t pages_first(const struct pages *book, uint32_t file)
{
	return book->view->nodes[file].first_unit / book->page_units;
}

uint64_t pages_size(const struct pages *book, uint32_t file)
{
	return book->view->nodes[file].n_units / book->page_units;
}

uint64_t pages_max(const struct pages *book, uint32_t node)
{
	uint64_t size = pages_size(book, node);
	uint64_t max = book->node[node].max;
	return max != 0 && max < size ? max : size;
}

void pages_limit(struct pages *book, uint32_t node, uint64_t n)
{
	book->node[node].max = n;
}

uint32_t pages_file(const struct pages *book, uint64_t page)
{
	uint32_t file = book->view->geo.n_nodes - 1;
	while (file > 0 && page < pages_first(book, file))
		file--;
	return file;
}

/* ---- pages -------------------------------------------------------------- */

static void count_here(struct pages *book, uint32_t node, int64_t by)
{
	struct pages_node *row = &book->node[node];
	row->pages += (uint64_t)by;
	atom_store(&node_row(book, node)->resident_pages, row->pages);
}

void pages_add(struct pages *book, uint64_t page, uint64_t n, uint32_t node)
{
	uint32_t file = pages_file(book, page);
	struct layout_node *row = node_row(book, file);
	uint64_t top = page + n - pages_first(book, file);
	int64_t now = clock_ns();
	/* high_page is first: clients look no further. */
	if (row->high_page < top)
		atom_store(&row->high_page, top);
	for (uint64_t i = page; i < page + n; i++) {
		atom_store(&page_bytes(book)[i], (uint8_t)(1 + node));
		book->since_ns[i] = now;
	}
	extent_give(&book->units, page * book->page_units,
	            n * book->page_units);
	book->node[node].empty += n;
	book->node[file].in_file += n;
	if (page < book->node[node].first_free)
		book->node[node].first_free = page;
	count_here(book, node, (int64_t)n);
}

void pages_drop(struct pages *book, uint64_t page)
{
	uint32_t node = pages_node_of(book, page);
	uint32_t file = pages_file(book, page);
	uint64_t first = page * book->page_units;
	struct layout_head *head;
	uint64_t out;
	extent_take(&book->units, first, first + book->page_units,
	            book->page_units, book->page_units, &out);
	atom_store(&page_bytes(book)[page], (uint8_t)0);
	head = (struct layout_head *)(uintptr_t)book->view->head;
	/* pairs: reach_close, in clients; the page's byte comes before. */
	atom_store_release(&head->drops, head->drops + 1);
	book->node[node].empty--;
	book->node[file].in_file--;
	count_here(book, node, -1);
	if (page < book->node[file].first_hole)
		book->node[file].first_hole = page;
}

void pages_move(struct pages *book, uint64_t page, uint32_t to)
{
	uint32_t from = pages_node_of(book, page);
	uint32_t used = book->used[page];
	atom_store(&page_bytes(book)[page], (uint8_t)(1 + to));
	book->node[from].used_units -= used;
	book->node[to].used_units += used;
	book->node[from].empty -= used == 0;
	book->node[to].empty += used == 0;
	if (used < book->page_units && page < book->node[to].first_free)
		book->node[to].first_free = page;
	count_here(book, from, -1);
	count_here(book, to, 1);
}

/* The first hole of a file, and how many up to n follow each other. */
static uint64_t hole_in(struct pages *book, uint32_t file, uint64_t *n)
{
	struct pages_node *row = &book->node[file];
	uint64_t end = pages_first(book, file) + pages_size(book, file);
	uint64_t run = 1;
	while (row->first_hole < end &&
	       pages_node_of(book, row->first_hole) != NODE_NONE)
		row->first_hole++;
	if (row->first_hole == end)
		return PAGES_NONE;
	while (run < *n && row->first_hole + run < end &&
	       pages_node_of(book, row->first_hole + run) == NODE_NONE)
		run++;
	*n = run;
	return row->first_hole;
}

uint64_t pages_hole(struct pages *book, uint32_t node, uint64_t *n)
{
	uint64_t may = pages_max(book, node);
	uint64_t is = book->node[node].pages;
	uint64_t hole;
	if (is >= may)
		return PAGES_NONE;
	*n = *n < may - is ? *n : may - is;
	hole = hole_in(book, node, n);
	for (uint32_t file = 0;
	     hole == PAGES_NONE && file < book->view->geo.n_nodes; file++)
		hole = hole_in(book, file, n);
	return hole;
}

uint64_t pages_idle(const struct pages *book, uint32_t node, uint64_t below,
                    int64_t idle_ns)
{
	int64_t now = clock_ns();
	if (book->node[node].empty == 0)
		return PAGES_NONE;
	below = below < book->n_pages ? below : book->n_pages;
	for (uint64_t page = below; page-- > 0;)
		if (book->used[page] == 0 &&
		    pages_node_of(book, page) == node &&
		    now - book->since_ns[page] >= idle_ns)
			return page;
	return PAGES_NONE;
}

/* ---- units -------------------------------------------------------------- */

/* Units that went to slabs, or (below 0) came back from them. */
static void count_used(struct pages *book, uint64_t page, int64_t n_units)
{
	struct pages_node *row = &book->node[pages_node_of(book, page)];
	row->empty -= book->used[page] == 0;
	book->used[page] = (uint16_t)(book->used[page] + n_units);
	row->used_units += (uint64_t)n_units;
	row->empty += book->used[page] == 0;
}

int pages_take(struct pages *book, uint32_t node, uint32_t n_units,
               uint64_t *unit)
{
	struct pages_node *row = &book->node[node];
	bool full = true; /* all pages so far are */
	if (pages_free_units(book, node) < n_units)
		return -ENOSPC;
	for (uint64_t page = row->first_free; page < book->n_pages; page++) {
		uint64_t first = page * book->page_units;
		if (pages_node_of(book, page) != node ||
		    book->used[page] == book->page_units)
			continue;
		if (full)
			row->first_free = page;
		full = false;
		if (book->used[page] + n_units > book->page_units ||
		    extent_take(&book->units, first, first + book->page_units,
		                n_units, n_units, unit) < 0)
			continue;
		count_used(book, page, n_units);
		return 0;
	}
	return -ENOSPC;
}

int pages_claim(struct pages *book, uint64_t unit, uint32_t n_units)
{
	uint64_t page = unit / book->page_units;
	uint64_t end = unit + n_units;
	if (pages_node_of(book, page) == NODE_NONE ||
	    extent_take(&book->units, unit, end, n_units, 1, &unit) < 0)
		return -EINVAL;
	count_used(book, page, n_units);
	return 0;
}

void pages_give(struct pages *book, uint64_t unit, uint32_t n_units)
{
	uint64_t page = unit / book->page_units;
	struct pages_node *row = &book->node[pages_node_of(book, page)];
	extent_give(&book->units, unit, n_units);
	count_used(book, page, -(int64_t)n_units);
	if (page < row->first_free)
		row->first_free = page;
	if (book->used[page] == 0)
		book->since_ns[page] = clock_ns();
}

void pages_age(struct pages *book, uint64_t page, int64_t ns)
{
	book->since_ns[page] -= ns;
}

uint64_t pages_free_units(const struct pages *book, uint32_t node)
{
	const struct pages_node *row = &book->node[node];
	return row->pages * book->page_units - row->used_units;
}
