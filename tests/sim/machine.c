/* SPDX-License-Identifier: MIT */
#include "tests/sim/machine.h"

#include <string.h>

/* Where aligned runs of 1, 2, 4 ... units begin. */
static const uint32_t heads[ORDERS] = {0xffffffff, 0x55555555, 0x11111111,
                                       0x01010101, 0x00010001, 0x00000001};

/* ---- free units --------------------------------------------------------- */

/* The order of the longest aligned run, or -1. */
static int longest_run(uint32_t free)
{
	int order = -1;
	while ((free &= heads[order + 1]) != 0 && ++order < (int)ORDERS - 1)
		free &= free >> (1u << order);
	return order;
}

/* Counts a page's free runs with its node's, or (by -1) takes them out. */
static void count_runs(struct machine *m, const struct page *p, int by)
{
	uint32_t *n_runs = m->node[p->lies].n_runs;
	uint32_t runs[ORDERS];
	uint32_t taken = 0;
	runs[0] = p->free;
	for (uint32_t k = 1; k < ORDERS; k++)
		runs[k] =
			runs[k - 1] & runs[k - 1] >> (1u << (k - 1)) & heads[k];
	for (uint32_t k = ORDERS; k-- > 0;) {
		uint64_t wide = (UINT64_C(1) << (1u << k)) - 1;
		uint32_t mine = runs[k] & ~taken;
		taken |= (uint32_t)(mine * wide);
		for (; mine != 0; mine &= mine - 1)
			n_runs[k] += (uint32_t)by;
	}
}

/* The page stands where pages with free runs of its length stand. */
static void offer(struct machine *m, uint32_t page)
{
	const struct page *p = &m->pages[page];
	int order = longest_run(p->free);
	if (order >= 0)
		heap_put(&m->node[p->lies].runs[order], page);
}

static bool is_offered(const struct machine *m, uint32_t page, uint32_t node,
                       uint32_t order)
{
	const struct page *p = &m->pages[page];
	return p->ready && p->lies == node &&
	       longest_run(p->free) == (int)order;
}

/* The lowest aligned run of 2^order units that is free; there is one. */
static uint32_t first_run(uint32_t free, uint32_t order)
{
	uint32_t mask = order == 5 ? 0xffffffff : (1u << (1u << order)) - 1;
	uint32_t at = 0;
	while ((free >> at & mask) != mask)
		at += 1u << order;
	return at;
}

static void fall_empty(struct machine *m, uint32_t page)
{
	struct page *p = &m->pages[page];
	struct node *node = &m->node[p->lies];
	p->since_ms = now_ms(m);
	node->empty_pages++;
	heap_append(&node->empties, page);
	heap_append(&node->empties, p->since_ms);
}

static void leave_empty(struct machine *m, uint32_t page)
{
	struct page *p = &m->pages[page];
	struct node *node = &m->node[p->lies];
	node->empty_pages--;
	node->idle_pages -= p->idle;
	p->idle = false;
}

uint32_t machine_take_units(struct machine *m, uint32_t node, uint32_t order)
{
	for (uint32_t k = order; k < ORDERS; k++) {
		struct heap *runs = &m->node[node].runs[k];
		while (runs->n > 0 && !is_offered(m, runs->at[0], node, k))
			heap_drop(runs);
		if (runs->n > 0) {
			uint32_t page = runs->at[0];
			struct page *p = &m->pages[page];
			uint32_t at = first_run(p->free, order);
			uint64_t bits = (UINT64_C(1) << (1u << order)) - 1;
			heap_drop(runs);
			if (p->free == UINT32_MAX)
				leave_empty(m, page);
			count_runs(m, p, -1);
			p->free &= ~(uint32_t)(bits << at);
			count_runs(m, p, 1);
			m->node[node].free_units -= 1u << order;
			offer(m, page);
			return page * PAGE_UNITS + at;
		}
	}
	return HEAP_NONE;
}

void machine_give_units(struct machine *m, uint32_t unit, uint32_t order)
{
	struct page *p = &m->pages[page_of(unit)];
	uint64_t bits = (UINT64_C(1) << (1u << order)) - 1;
	count_runs(m, p, -1);
	p->free |= (uint32_t)(bits << unit % PAGE_UNITS);
	count_runs(m, p, 1);
	m->node[p->lies].free_units += 1u << order;
	if (p->free == UINT32_MAX)
		fall_empty(m, page_of(unit));
	offer(m, page_of(unit));
}

/* ---- pages -------------------------------------------------------------- */

/* A page of the file that is not ready, or HEAP_NONE. */
static uint32_t take_slot(struct machine *m, uint32_t file)
{
	struct node *node = &m->node[file];
	uint32_t slot = heap_top(&node->slots);
	if (slot != HEAP_NONE)
		heap_drop(&node->slots);
	else if (node->fresh < m->file_pages)
		slot = (uint32_t)(file * m->file_pages + node->fresh++);
	return slot;
}

bool machine_grow(struct machine *m, uint32_t node)
{
	struct node *row = &m->node[node];
	uint32_t slot = HEAP_NONE;
	if (row->room_pages == 0 || row->pages >= row->max_pages)
		return false;
	/* Its own file first: others' when its own pages lie elsewhere. */
	for (uint32_t i = 0; i < m->n_nodes && slot == HEAP_NONE; i++)
		slot = take_slot(m, row->nearest[i]);
	if (slot == HEAP_NONE)
		return false;
	m->pages[slot] = (struct page){.free = UINT32_MAX,
	                               .lies = (uint8_t)node,
	                               .was = (uint8_t)node,
	                               .in_lents = m->pages[slot].in_lents,
	                               .ready = true};
	row->room_pages--;
	row->pages++;
	row->free_units += PAGE_UNITS;
	m->total.grown++;
	count_runs(m, &m->pages[slot], 1);
	fall_empty(m, slot);
	offer(m, slot);
	return true;
}

void machine_shrink(struct machine *m, uint32_t page)
{
	struct page *p = &m->pages[page];
	struct node *row = &m->node[p->lies];
	leave_empty(m, page);
	count_runs(m, p, -1);
	p->ready = false;
	row->room_pages++;
	row->pages--;
	row->free_units -= PAGE_UNITS;
	m->total.shrunk++;
	heap_put(&m->node[page / m->file_pages].slots, page);
}

bool machine_move(struct machine *m, uint32_t page, uint32_t to)
{
	struct page *p = &m->pages[page];
	struct node *old = &m->node[p->lies];
	struct node *new = &m->node[to];
	uint32_t free = (uint32_t)__builtin_popcount(p->free);
	bool empty = p->free == UINT32_MAX;
	if (new->room_pages == 0 || new->pages >= new->max_pages)
		return false;
	if (empty)
		leave_empty(m, page);
	m->total.page_flips += p->was == to && is_flip(m, p->moved_ms);
	old->pages--, old->room_pages++, old->free_units -= free;
	new->pages++, new->room_pages--, new->free_units += free;
	count_runs(m, p, -1);
	m->total.far_bytes += m->use[page * (uint64_t)m->n_nodes + p->lies];
	m->total.far_bytes -= m->use[page * (uint64_t)m->n_nodes + to];
	p->was = p->lies;
	p->lies = (uint8_t)to;
	count_runs(m, p, 1);
	p->moved_ms = now_ms(m) + 1;
	if (empty)
		fall_empty(m, page);
	offer(m, page);
	return true;
}

/* Whether the i-th entry of the node's empties still says the truth. */
static bool is_empty_still(const struct machine *m, uint32_t node, uint32_t i)
{
	const uint32_t *entry = &m->node[node].empties.at[i];
	const struct page *p = &m->pages[entry[0]];
	return p->ready && p->lies == node && p->free == UINT32_MAX &&
	       p->since_ms == entry[1];
}

void machine_age(struct machine *m, uint32_t node, uint32_t idle_ms)
{
	struct node *row = &m->node[node];
	for (; row->empties_seen < row->empties.n; row->empties_seen += 2) {
		const uint32_t *entry = &row->empties.at[row->empties_seen];
		if (!is_empty_still(m, node, row->empties_seen))
			continue;
		if (now_ms(m) - entry[1] < idle_ms)
			return;
		row->idle_pages += !m->pages[entry[0]].idle;
		m->pages[entry[0]].idle = true;
	}
}

uint32_t machine_empty_page(struct machine *m, uint32_t node)
{
	struct node *row = &m->node[node];
	struct heap *list = &row->empties;
	while (row->empties_head < list->n &&
	       !is_empty_still(m, node, row->empties_head))
		row->empties_head += 2;
	if (row->empties_seen < row->empties_head)
		row->empties_seen = row->empties_head;
	if (row->empties_head > 4096 && row->empties_head > list->n / 2) {
		list->n -= row->empties_head;
		memmove(list->at, list->at + row->empties_head,
		        list->n * sizeof(list->at[0]));
		row->empties_seen -= row->empties_head;
		row->empties_head = 0;
	}
	return row->empties_head < list->n ? list->at[row->empties_head]
	                                   : HEAP_NONE;
}

/* ---- the machine -------------------------------------------------------- */

/* Pairs share a socket, quads a board; a node without CPUs is far from all. */
static uint16_t distance_of(const struct machine *m, uint32_t a, uint32_t b)
{
	if (a == b)
		return 10;
	if (!m->node[a].has_cpu || !m->node[b].has_cpu)
		return a / 2 == b / 2 ? 26 : 36;
	if (a / 2 == b / 2)
		return 12;
	return a / 4 == b / 4 ? 21 : 32;
}

/* Itself, then nearest first; equally far ones from the right-hand neighbour
 * on, as in numa/topo.h. */
static void order_nodes(struct machine *m, uint32_t node)
{
	struct node *row = &m->node[node];
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		uint32_t other = (node + i) % m->n_nodes;
		uint32_t k = i;
		row->distance[other] = distance_of(m, node, other);
		for (; k > 0 && row->distance[row->nearest[k - 1]] >
		                        row->distance[other];
		     k--)
			row->nearest[k] = row->nearest[k - 1];
		row->nearest[k] = (uint8_t)other;
	}
}

void machine_make(struct machine *m)
{
	m->file_pages = 0;
	for (uint32_t i = 0; i < m->n_nodes; i++)
		if (m->node[i].total_pages > m->file_pages)
			m->file_pages = m->node[i].total_pages;
	m->n_pages = m->file_pages * m->n_nodes;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		struct node *row = &m->node[i];
		row->os_id = i;
		row->room_pages = row->total_pages;
		row->max_pages = row->total_pages;
		order_nodes(m, i);
	}
	for (uint32_t c = 0; c < m->n_caches; c++)
		for (uint32_t i = 0; i < m->n_nodes; i++) {
			m->cell[c][i].low = 1;
			m->cell[c][i].moved_ns = NEVER;
			m->cell[c][i].rung_ns = NEVER;
			m->cell[c][i].bare_ns = NEVER;
		}
	m->slabs = sim_zeroed(m->n_pages * PAGE_UNITS, sizeof(m->slabs[0]));
	m->pages = sim_zeroed(m->n_pages, sizeof(m->pages[0]));
	m->use = sim_zeroed(m->n_pages * m->n_nodes, sizeof(m->use[0]));
}

void machine_drop(struct machine *m)
{
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		heap_free(&m->node[i].slots);
		heap_free(&m->node[i].empties);
		for (uint32_t k = 0; k < ORDERS; k++)
			heap_free(&m->node[i].runs[k]);
		for (uint32_t c = 0; c < m->n_caches; c++) {
			heap_free(&m->cell[c][i].list);
			heap_free(&m->cell[c][i].bare);
			heap_free(&m->cell[c][i].lends);
		}
	}
	heap_free(&m->lents);
	free(m->slabs);
	free(m->pages);
	free(m->use);
}
