/* SPDX-License-Identifier: MIT */
#include "tests/sim/machine.h"

#include <string.h>

/* Where aligned runs of 1, 2, 4 ... units begin. */
static const uint32_t heads[ORDERS] = {0xffffffff, 0x55555555, 0x11111111,
                                       0x01010101, 0x00010001, 0x00000001};

/* ---- free units --------------------------------------------------------- */

/* Where the free runs of each order begin that are part of no longer one. */
static void find_runs(uint32_t free, uint32_t runs[ORDERS])
{
	uint32_t taken = 0;
	runs[0] = free;
	for (uint32_t k = 1; k < ORDERS; k++)
		runs[k] =
			runs[k - 1] & runs[k - 1] >> (1u << (k - 1)) & heads[k];
	for (uint32_t k = ORDERS; k-- > 0;) {
		uint64_t wide = (UINT64_C(1) << (1u << k)) - 1;
		uint32_t mine = runs[k] & ~taken;
		taken |= (uint32_t)(mine * wide);
		runs[k] = mine;
	}
}

/* Counts runs with a node's, or (by -1) takes them out. */
static void count_runs(struct node *node, const uint32_t runs[ORDERS], int by)
{
	for (uint32_t k = 0; k < ORDERS; k++)
		node->n_runs[k] += (uint32_t)(by * __builtin_popcount(runs[k]));
}

/* A page's free units change, and so do the runs where it stands. A page whose
 * runs of an order are new is put where pages with such runs are looked for. */
static void set_free(struct machine *m, uint32_t page, uint32_t free)
{
	struct page *p = &m->pages[page];
	struct node *node = &m->node[p->lies];
	uint32_t before[ORDERS];
	uint32_t after[ORDERS];
	find_runs(p->free, before);
	find_runs(free, after);
	count_runs(node, before, -1);
	count_runs(node, after, 1);
	for (uint32_t k = 0; k < ORDERS; k++)
		if (before[k] == 0 && after[k] != 0)
			heap_put(&node->runs[k], page);
	node->free_units += (uint64_t)__builtin_popcount(free);
	node->free_units -= (uint64_t)__builtin_popcount(p->free);
	p->free = free;
}

/* Where the page's first run of just that order begins. PAGE_UNITS: it has
 * none, or lies elsewhere. */
static uint32_t run_of(const struct machine *m, uint32_t page, uint32_t node,
                       uint32_t order)
{
	const struct page *p = &m->pages[page];
	uint32_t runs[ORDERS];
	if (!p->ready || p->lies != node)
		return PAGE_UNITS;
	find_runs(p->free, runs);
	return runs[order] != 0 ? (uint32_t)__builtin_ctz(runs[order])
	                        : PAGE_UNITS;
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

static uint32_t bits_of(uint32_t at, uint32_t order)
{
	return (uint32_t)(((UINT64_C(1) << (1u << order)) - 1) << at);
}

uint32_t machine_take_units(struct machine *m, uint32_t node, uint32_t order)
{
	for (uint32_t k = order; k < ORDERS; k++) {
		struct heap *runs = &m->node[node].runs[k];
		while (runs->n > 0) {
			uint32_t page = runs->at[0];
			uint32_t at = run_of(m, page, node, k);
			uint32_t free = m->pages[page].free;
			if (at == PAGE_UNITS) {
				heap_drop(runs);
				continue;
			}
			if (free == m->whole)
				leave_empty(m, page);
			set_free(m, page, free & ~bits_of(at, order));
			return page * PAGE_UNITS + at;
		}
	}
	return HEAP_NONE;
}

void machine_give_units(struct machine *m, uint32_t unit, uint32_t order)
{
	uint32_t page = page_of(unit);
	set_free(m, page,
	         m->pages[page].free | bits_of(unit % PAGE_UNITS, order));
	if (m->pages[page].free == m->whole)
		fall_empty(m, page);
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
	m->pages[slot] = (struct page){.lies = (uint8_t)node,
	                               .was = (uint8_t)node,
	                               .in_lents = m->pages[slot].in_lents,
	                               .ready = true};
	row->room_pages--;
	row->pages++;
	m->total.grown++;
	set_free(m, slot, m->whole);
	fall_empty(m, slot);
	return true;
}

void machine_shrink(struct machine *m, uint32_t page)
{
	struct page *p = &m->pages[page];
	struct node *row = &m->node[p->lies];
	leave_empty(m, page);
	set_free(m, page, 0);
	p->ready = false;
	row->room_pages++;
	row->pages--;
	m->total.shrunk++;
	heap_put(&m->node[page / m->file_pages].slots, page);
}

bool machine_move(struct machine *m, uint32_t page, uint32_t to)
{
	struct page *p = &m->pages[page];
	struct node *old = &m->node[p->lies];
	struct node *new = &m->node[to];
	uint32_t free = p->free;
	bool empty = free == m->whole;
	if (new->room_pages == 0 || new->pages >= new->max_pages)
		return false;
	if (empty)
		leave_empty(m, page);
	m->total.page_reversals += p->was == to && is_reversal(m, p->moved_ms);
	old->pages--, old->room_pages++;
	new->pages++, new->room_pages--;
	set_free(m, page, 0);
	m->total.far_bytes += m->use[page * (uint64_t)m->n_nodes + p->lies];
	m->total.far_bytes -= m->use[page * (uint64_t)m->n_nodes + to];
	p->was = p->lies;
	p->lies = (uint8_t)to;
	set_free(m, page, free);
	p->moved_ms = now_ms(m) + 1;
	if (empty)
		fall_empty(m, page);
	return true;
}

/* Whether the i-th entry of the node's empties still says the truth. */
static bool is_empty_still(const struct machine *m, uint32_t node, uint32_t i)
{
	const uint32_t *entry = &m->node[node].empties.at[i];
	const struct page *p = &m->pages[entry[0]];
	return p->ready && p->lies == node && p->free == m->whole &&
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
	m->page_units = 1u << m->page_order;
	m->whole = (uint32_t)((UINT64_C(1) << m->page_units) - 1);
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
