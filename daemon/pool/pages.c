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

/* The sets of all files' pages. */
enum { HOLES, READY, FILE_SETS };

/* The set of pages with slabs; those before it are by order. */
static uint32_t set_used(const struct pages *book)
{
	return book->page_order + 1;
}

int pages_make(struct pages *book, const struct view *view)
{
	uint32_t order = view->geo.page_shift - UNIT_SHIFT;
	bool ok;
	book->view = view;
	book->page_order = order;
	book->page_units = 1u << order;
	book->n_pages = view->geo.n_units >> order;
	book->free = calloc(view->geo.n_units / 64 + 1, sizeof(*book->free));
	book->used = calloc(book->n_pages, sizeof(*book->used));
	book->since_ns = calloc(book->n_pages, sizeof(*book->since_ns));
	ok = book->free != NULL && book->used != NULL &&
	     book->since_ns != NULL &&
	     places_make(&book->files, book->n_pages, FILE_SETS) == 0;
	for (uint32_t node = 0; ok && node < view->geo.n_nodes; node++)
		ok = places_make(&book->node[node].sets, book->n_pages,
		                 set_used(book) + 1) == 0;
	return ok ? 0 : -ENOMEM;
}

void pages_done(struct pages *book)
{
	free(book->free);
	free(book->used);
	free(book->since_ns);
	places_done(&book->files);
	for (uint32_t node = 0; node < NODES_MAX; node++)
		places_done(&book->node[node].sets);
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
	uint32_t file = 0;
	uint32_t end = book->view->geo.n_nodes;
	while (end - file > 1) {
		uint32_t mid = file + (end - file) / 2;
		if (page < pages_first(book, mid))
			end = mid;
		else
			file = mid;
	}
	return file;
}

/* ---- free units of a page ------------------------------------------------ */

/* Where runs of 1, 2, 4 ... 64 bits may begin. */
static const uint64_t aligned[7] = {
	UINT64_MAX,
	UINT64_C(0x5555555555555555),
	UINT64_C(0x1111111111111111),
	UINT64_C(0x0101010101010101),
	UINT64_C(0x0001000100010001),
	UINT64_C(0x0000000100000001),
	UINT64_C(1),
};

/* The bits of free units of a page from one of its units on; of pages larger
 * than a word, 64 of them. */
static uint64_t free_word(const struct pages *book, uint64_t unit)
{
	uint64_t word = book->free[unit / 64] >> (unit % 64);
	return book->page_units < 64 ? word & ~(UINT64_MAX << book->page_units)
	                             : word;
}

/* Counts the aligned runs of a word of 1 << steps bits, each of which stands for
 * a run of an order, that are part of no larger one. Whether all of it is one. */
static bool count_word(uint64_t word, uint32_t order, uint32_t steps,
                       uint64_t *runs, uint64_t by)
{
	for (uint32_t i = 0; i < steps && word != 0; i++) {
		uint64_t pairs = word & word >> (1u << i) & aligned[i + 1];
		uint64_t single = (uint64_t)__builtin_popcountll(word) -
		                  2 * (uint64_t)__builtin_popcountll(pairs);
		runs[order + i] += single * by;
		word = pairs;
	}
	return word != 0;
}

/* Counts, or (by -1) takes out, the runs of a page, a word's worth of orders at
 * a time. */
static void count_runs(const struct pages *book, uint64_t page, uint64_t *runs,
                       uint64_t by)
{
	uint64_t words[(1u << PAGES_ORDERS) / 64];
	uint64_t first = page * book->page_units;
	uint32_t order = 0;
	uint32_t left = book->page_order;
	for (uint32_t i = 0; i < (book->page_units + 63) / 64; i++)
		words[i] = free_word(book, first + i * 64);
	do {
		uint32_t steps = left < 6 ? left : 6;
		uint32_t n = 1u << (left - steps);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t whole =
				count_word(words[i], order, steps, runs, by);
			/* A word that was read: the next round's. */
			words[i / 64] = (i % 64 ? words[i / 64] : 0) |
			                whole << (i % 64);
		}
		order += steps;
		left -= steps;
	} while (left > 0);
	runs[order] += (words[0] & 1) * by;
}

/* The first unit of the lowest aligned run of an order in a page that has one. */
static uint64_t find_run(const struct pages *book, uint64_t page,
                         uint32_t order)
{
	uint64_t unit = page * book->page_units;
	uint32_t in_word = order < 6 ? order : 6;
	uint32_t n_words = order < 6 ? 1 : 1u << (order - 6);
	for (;; unit += 64 * (uint64_t)n_words) {
		uint64_t fits = free_word(book, unit);
		for (uint32_t i = 1; i < n_words; i++)
			fits &= free_word(book, unit + i * 64);
		for (uint32_t i = 0; i < in_word; i++)
			fits &= fits >> (1u << i);
		fits &= aligned[in_word];
		if (fits != 0)
			return unit + (uint64_t)__builtin_ctzll(fits);
	}
}

/* A page comes into its node's counts and sets, or (by -1) leaves them: before
 * and after any change of its units or its node. */
static void enter(struct pages *book, uint64_t page, uint64_t by)
{
	struct pages_node *row = &book->node[pages_node_of(book, page)];
	uint64_t runs[PAGES_ORDERS] = {0};
	uint32_t top = book->page_order;
	bool in = by == 1;
	if (book->used[page] == 0)
		runs[top] = 1;
	else if (book->used[page] < book->page_units)
		count_runs(book, page, runs, 1);
	for (uint32_t order = 0; order <= book->page_order; order++)
		row->runs[order] += runs[order] * by;
	while (top > 0 && runs[top] == 0)
		top--;
	if (runs[top] > 0)
		places_put(&row->sets, top, page, in);
	if (book->used[page] > 0)
		places_put(&row->sets, set_used(book), page, in);
	row->used_units += book->used[page] * by;
	row->empty += (book->used[page] == 0) * by;
}

/* Units of a ready page become free, or a slab's. */
static void set_free(struct pages *book, uint64_t unit, uint64_t n, bool free)
{
	for (uint64_t at = unit; at < unit + n;) {
		uint64_t here = 64 - at % 64;
		uint64_t bits;
		here = here < unit + n - at ? here : unit + n - at;
		bits = UINT64_MAX >> (64 - here) << (at % 64);
		if (free)
			book->free[at / 64] |= bits;
		else
			book->free[at / 64] &= ~bits;
		at += here;
	}
}

/* Units of a page go to a slab, or come back from one. */
static void change(struct pages *book, uint64_t unit, uint32_t n, bool free)
{
	uint64_t page = unit / book->page_units;
	enter(book, page, (uint64_t)-1);
	set_free(book, unit, n, free);
	book->used[page] =
		(uint16_t)(free ? book->used[page] - n : book->used[page] + n);
	enter(book, page, 1);
}

/* ---- pages -------------------------------------------------------------- */

static void count_here(struct pages *book, uint32_t node, int64_t by)
{
	struct pages_node *row = &book->node[node];
	row->pages += (uint64_t)by;
	atom_store(&node_row(book, node)->resident_pages, row->pages);
}

/* What of a file lies below its pages that were ready is a hole, or a page. */
static void note_known(struct pages *book, uint32_t file, uint64_t page,
                       uint64_t n)
{
	uint64_t first = pages_first(book, file);
	uint64_t *known = &book->node[file].known;
	for (uint64_t i = page; i < page + n && i < first + *known; i++)
		places_put(&book->files, HOLES, i, false);
	for (uint64_t i = first + *known; i < page; i++)
		places_put(&book->files, HOLES, i, true);
	if (*known < page + n - first)
		*known = page + n - first;
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
	if (n > 0)
		note_known(book, file, page, n);
	set_free(book, page * book->page_units, n * book->page_units, true);
	for (uint64_t i = page; i < page + n; i++) {
		atom_store(&page_bytes(book)[i], (uint8_t)(1 + node));
		book->since_ns[i] = now;
		places_put(&book->files, READY, i, true);
		enter(book, i, 1);
	}
	book->node[file].in_file += n;
	count_here(book, node, (int64_t)n);
}

void pages_drop(struct pages *book, uint64_t page)
{
	uint32_t node = pages_node_of(book, page);
	uint32_t file = pages_file(book, page);
	struct layout_head *head;
	enter(book, page, (uint64_t)-1);
	set_free(book, page * book->page_units, book->page_units, false);
	atom_store(&page_bytes(book)[page], (uint8_t)0);
	head = (struct layout_head *)(uintptr_t)book->view->head;
	/* pairs: reach_close, in clients; the page's byte comes before. */
	atom_store_release(&head->drops, head->drops + 1);
	places_put(&book->files, HOLES, page, true);
	places_put(&book->files, READY, page, false);
	book->node[file].in_file--;
	count_here(book, node, -1);
}

void pages_move(struct pages *book, uint64_t page, uint32_t to)
{
	uint32_t from = pages_node_of(book, page);
	enter(book, page, (uint64_t)-1);
	atom_store(&page_bytes(book)[page], (uint8_t)(1 + to));
	enter(book, page, 1);
	count_here(book, from, -1);
	count_here(book, to, 1);
}

uint64_t pages_next_ready(const struct pages *book, uint64_t from)
{
	return places_next(&book->files, READY, from);
}

uint64_t pages_next_hole(const struct pages *book, uint32_t file, uint64_t from)
{
	uint64_t first = pages_first(book, file);
	uint64_t known = first + book->node[file].known;
	uint64_t hole = places_next(&book->files, HOLES, from);
	hole = hole < known ? hole : from > known ? from : known;
	return hole < first + pages_size(book, file) ? hole : PAGES_NONE;
}

/* The first hole of a file, and how many up to n follow each other. */
static uint64_t hole_in(const struct pages *book, uint32_t file, uint64_t *n)
{
	uint64_t first = pages_first(book, file);
	uint64_t end = first + pages_size(book, file);
	uint64_t hole = pages_next_hole(book, file, first);
	uint64_t ready;
	if (hole == PAGES_NONE)
		return PAGES_NONE;
	ready = pages_next_ready(book, hole);
	end = ready < end ? ready : end;
	*n = *n < end - hole ? *n : end - hole;
	return hole;
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

/* Without a slab, and for so long. */
uint64_t pages_idle(const struct pages *book, uint32_t node, uint64_t below,
                    int64_t idle_ns)
{
	const struct places *sets = &book->node[node].sets;
	int64_t now = clock_ns();
	uint64_t page = below;
	do
		page = places_prev(sets, book->page_order, page);
	while (page != PAGES_NONE && now - book->since_ns[page] < idle_ns);
	return page;
}

uint64_t pages_count_idle(const struct pages *book, uint32_t node,
                          int64_t idle_ns)
{
	const struct places *sets = &book->node[node].sets;
	int64_t now = clock_ns();
	uint64_t page = PAGES_NONE;
	uint64_t n = 0;
	for (uint32_t looks = 0; looks < PAGES_IDLE_LOOKS; looks++) {
		page = places_prev(sets, book->page_order, page);
		if (page == PAGES_NONE)
			break;
		n += now - book->since_ns[page] >= idle_ns;
	}
	return n;
}

uint64_t pages_next_used(const struct pages *book, uint32_t node, uint64_t from)
{
	return places_next(&book->node[node].sets, set_used(book), from);
}

uint64_t pages_next_used_any(const struct pages *book, uint64_t from)
{
	uint64_t lowest = PAGES_NONE;
	for (uint32_t node = 0; node < book->view->geo.n_nodes; node++) {
		uint64_t page = PAGES_NONE;
		if (book->node[node].used_units > 0)
			page = pages_next_used(book, node, from);
		lowest = page < lowest ? page : lowest;
	}
	return lowest;
}

uint64_t pages_prev_used(const struct pages *book, uint32_t node,
                         uint64_t below)
{
	return places_prev(&book->node[node].sets, set_used(book), below);
}

uint64_t pages_next(const struct pages *book, uint32_t node, uint64_t from)
{
	uint64_t used = pages_next_used(book, node, from);
	uint64_t empty =
		places_next(&book->node[node].sets, book->page_order, from);
	return used < empty ? used : empty;
}

/* ---- units -------------------------------------------------------------- */

int pages_take(struct pages *book, uint32_t node, uint32_t n_units,
               uint64_t *unit)
{
	uint32_t order = (uint32_t)__builtin_ctz(n_units);
	uint64_t lowest = PAGES_NONE;
	for (uint32_t i = order; i <= book->page_order; i++) {
		uint64_t page = places_next(&book->node[node].sets, i, 0);
		lowest = page < lowest ? page : lowest;
	}
	if (lowest == PAGES_NONE)
		return -ENOSPC;
	*unit = find_run(book, lowest, order);
	change(book, *unit, n_units, false);
	return 0;
}

static bool are_free(const struct pages *book, uint64_t unit, uint32_t n)
{
	for (uint64_t at = unit; at < unit + n; at++)
		if ((book->free[at / 64] >> (at % 64) & 1) == 0)
			return false;
	return true;
}

int pages_claim(struct pages *book, uint64_t unit, uint32_t n_units)
{
	uint64_t page = unit / book->page_units;
	if (pages_node_of(book, page) == NODE_NONE ||
	    unit % book->page_units + n_units > book->page_units ||
	    !are_free(book, unit, n_units))
		return -EINVAL;
	change(book, unit, n_units, false);
	return 0;
}

void pages_give(struct pages *book, uint64_t unit, uint32_t n_units)
{
	uint64_t page = unit / book->page_units;
	change(book, unit, n_units, true);
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

uint64_t pages_used_units(const struct pages *book)
{
	uint64_t n = 0;
	for (uint32_t node = 0; node < book->view->geo.n_nodes; node++)
		n += book->node[node].used_units;
	return n;
}
