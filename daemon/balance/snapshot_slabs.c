/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/balance/own.h"
#include "daemon/base/proc.h"
#include "shm/partial.h"

#define EMPTIES_LOOKS 8192u /* slabs of a node at one time */
#define LOOK_OBJS 512u      /* that are read in the time of a look */
#define SHORT_PAGES 32u     /* looked at while clients wait */

/* ---- empty slabs -------------------------------------------------------- */

/* Whether a slab is empty. One whose lease is held can't be taken: its holder may
 * stand still. Adds what the look costs. */
static bool is_empty(const struct pool *pool, uint32_t head, uint32_t n_objs,
                     uint32_t *looks)
{
	*looks += 1;
	if (!balance_seems_empty(pool, head, n_objs))
		return false;
	*looks += n_objs / LOOK_OBJS;
	return balance_count_free(pool, head) == n_objs;
}

/* Counts the list of a cache that could give an empty slab: it must not run
 * short. */
static void count_giver(struct pool *pool, uint32_t cache, uint32_t node,
                        struct snapshot_cell *cell)
{
	struct partial list = partial_of(&pool->view, cache, node);
	if (!pool->balance->looked[cache - 1])
		cell->listed = partial_count_few(&list, SNAPSHOT_LISTED_MAX);
}

static void note_empty(struct pool *pool, uint32_t head, uint32_t cache,
                       uint32_t node)
{
	uint32_t at = balance_cell(pool, cache, node);
	struct snapshot_cell *cell = &pool->balance->cells[at];
	uint32_t *end = &pool->balance->held[at].empty_end;
	if (cell->empty++ == 0) {
		count_giver(pool, cache, node, cell);
		*end = 0;
	}
	*end = *end > head ? *end : head + 1;
}

/* Notes whether a slab is empty now, and was at the last look. */
static void look_at(struct pool *pool, uint32_t head, bool idle,
                    uint32_t *looks)
{
	struct balance *b = pool->balance;
	uint64_t word = pool->view.words[head];
	uint32_t cache = WORD_CACHE(word);
	uint32_t home = WORD_HOME(word);
	uint64_t *was = &b->empty[head / 64];
	uint64_t bit = UINT64_C(1) << (head % 64);
	bool empty =
		is_empty(pool, head, balance_row(pool, cache)->n_objs, looks);
	if (empty)
		note_empty(pool, head, cache, home);
	if (!idle)
		return;
	b->cells[balance_cell(pool, cache, home)].idle +=
		empty && (*was & bit) != 0;
	b->newly_empty |= empty && (*was & bit) == 0;
	*was = empty ? *was | bit : *was & ~bit;
}

static void look_into(struct pool *pool, uint64_t page, bool idle,
                      uint32_t *looks)
{
	uint32_t unit = (uint32_t)(page * pool->pages.page_units);
	uint32_t end = unit + pool->pages.page_units;
	for (; unit < end; unit++)
		if (balance_is_head(pool->view.words[unit]))
			look_at(pool, unit, idle, looks);
}

/* Highest pages first: lists are filled from below. Each look begins where the
 * last one ended; of a round of idle looks none begins anew. */
void snapshot_empties(struct pool *pool, uint32_t node, bool idle,
                      uint32_t *budget)
{
	struct balance *b = pool->balance;
	uint64_t *at = idle ? &b->idle_left[node] : &b->empties_at[node];
	uint64_t from = *at;
	bool around = idle;
	uint32_t most = *budget < EMPTIES_LOOKS ? *budget : EMPTIES_LOOKS;
	uint32_t looks = 0;
	while (looks < most) {
		uint64_t page = pages_prev_used(&pool->pages, node, *at);
		if (page == PAGES_NONE && !around) {
			*at = pool->pages.n_pages;
			around = true;
			continue;
		}
		if (page == PAGES_NONE)
			*at = 0;
		if (page == PAGES_NONE || (around && !idle && page < from))
			break;
		*at = page;
		look_into(pool, page, idle, &looks);
	}
	*budget -= looks < *budget ? looks : *budget;
}

/* ---- who uses a page ---------------------------------------------------- */

#define UNASKED 0xfeu

/* What one look at users costs, in objects that are read: a process of which the
 * kernel is asked, and a page. */
#define ASK_WORK 2048u
#define PAGE_WORK 512u
#define USERS_WORK (UINT32_C(1) << 20)
#define PAGE_SLABS 512u /* of a large page, some stand for all */

/* The node of the CPU on which a client last ran, NODE_NONE if unknown. Asked
 * once for each client, until all pages were looked at. */
static uint32_t node_of_client(struct pool *pool, uint32_t id)
{
	uint8_t *node = &pool->balance->client_node[id];
	unsigned cpu;
	pool->balance->users_work += *node == UNASKED ? ASK_WORK : 0;
	if (*node == UNASKED && proc_cpu(pool->view.clients[id].pid, &cpu) == 0)
		*node = (uint8_t)view_cpu_node(&pool->view, cpu);
	else if (*node == UNASKED)
		*node = (uint8_t)NODE_NONE;
	return *node;
}

/* Bytes of a slab's owned objects, by the node of their owners; it stands for so
 * many slabs. */
static void add_users(struct pool *pool, uint32_t head, uint32_t times,
                      uint64_t *bytes)
{
	uint64_t word = pool->view.words[head];
	const struct layout_cache *row = balance_row(pool, WORD_CACHE(word));
	const uint16_t *tags = slab_tags(&pool->view, head);
	uint32_t run;
	for (uint32_t i = 0; i < row->n_objs; i += run) {
		uint16_t tag = atom_load(&tags[i]);
		uint32_t node;
		run = tags_run(tags, i, row->n_objs);
		if (tag == TAG_FREE || TAG_OWNER(tag) > CLIENT_ID_MAX)
			continue;
		node = node_of_client(pool, TAG_OWNER(tag));
		bytes[node < NODES_MAX ? node : NODES_MAX] +=
			(uint64_t)run * row->stride * times;
	}
	pool->balance->users_work += row->n_objs;
}

static void describe_page(struct pool *pool, uint64_t number,
                          struct snapshot_page *page)
{
	uint64_t bytes[NODES_MAX + 1] = {0};
	uint32_t unit = (uint32_t)(number * pool->pages.page_units);
	uint32_t end = unit + pool->pages.page_units;
	uint32_t times = 1 + pool->pages.used[number] / PAGE_SLABS;
	uint32_t slabs = 0;
	uint32_t most = 0;
	*page = (struct snapshot_page){
		.page = number, .lies = pages_node_of(&pool->pages, number)};
	for (; unit < end; unit++) {
		uint64_t word = pool->view.words[unit];
		uint32_t units;
		if (!balance_is_head(word))
			continue;
		units = 1u << balance_row(pool, WORD_CACHE(word))->order;
		if (units > most) {
			most = units;
			page->cache_ix = WORD_CACHE(word) - 1;
		}
		if (slabs++ % times == 0)
			add_users(pool, unit, times, bytes);
	}
	page->target = page->lies;
	for (uint32_t node = 0; node <= NODES_MAX; node++) {
		page->live_bytes += bytes[node];
		if (node < NODES_MAX && bytes[node] > bytes[page->target])
			page->target = node;
	}
	page->target_bytes = bytes[page->target];
	page->here_bytes = bytes[page->lies];
}

static void recall_past(const struct balance *b, struct snapshot_page *page)
{
	uint32_t n = b->n_past < BALANCE_PAST ? b->n_past : BALANCE_PAST;
	for (uint32_t i = 0; i < n; i++) {
		const struct balance_past *past = &b->past[i];
		if (past->page != page->page ||
		    b->now_ns - past->at_ns >= b->config.hold_ms * CLOCK_MS)
			continue;
		page->stuck |= past->stuck;
		page->moved |= !past->stuck;
	}
}

/* False when no more are taken in this look. */
static bool add_page(struct pool *pool, uint64_t number, uint32_t most)
{
	struct balance *b = pool->balance;
	if (b->snap.n_pages >= most || b->users_work >= USERS_WORK)
		return false;
	for (uint32_t i = 0; i < b->snap.n_pages; i++)
		if (b->pages[i].page == number)
			return true;
	b->users_work += PAGE_WORK;
	describe_page(pool, number, &b->pages[b->snap.n_pages]);
	recall_past(b, &b->pages[b->snap.n_pages++]);
	return true;
}

/* Pages with slabs of one node, as far as there is room for them. */
static void add_node(struct pool *pool, uint32_t node, uint32_t most)
{
	struct balance *b = pool->balance;
	uint64_t *at = &b->drain_at[node];
	uint64_t from = *at;
	bool around = false;
	while (b->snap.n_pages < most) {
		uint64_t page = pages_next_used(&pool->pages, node, *at);
		if (page == PAGES_NONE && !around) {
			*at = 0;
			around = true;
			continue;
		}
		if (page == PAGES_NONE || (around && page >= from))
			break;
		if (!add_page(pool, page, most))
			break;
		*at = page + 1;
	}
}

/* Pages of nodes that are being emptied. If there are more than one look takes,
 * the next look begins behind those: they may all be pinned. */
static void add_draining(struct pool *pool, uint32_t most)
{
	struct balance *b = pool->balance;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	uint32_t first = b->drain_node++ % n_nodes;
	for (uint32_t i = 0; i < n_nodes; i++)
		if (b->nodes[(first + i) % n_nodes].draining)
			add_node(pool, (first + i) % n_nodes, most);
}

/* Pages with lent slabs, the same. */
static void add_lent(struct pool *pool, uint32_t most)
{
	struct balance *b = pool->balance;
	uint32_t n = pool->loans.n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (b->lent_at + i) % n;
		uint32_t head = pool->loans.loan[at].head;
		if (add_page(pool, head / pool->pages.page_units, most))
			continue;
		b->lent_at = at;
		return;
	}
}

void snapshot_pages(struct pool *pool, bool brief)
{
	struct balance *b = pool->balance;
	uint32_t most = brief ? SHORT_PAGES : BALANCE_PAGES;
	b->snap.n_pages = 0;
	b->users_work = 0;
	if (!b->users_cut)
		memset(b->client_node, UNASKED, sizeof(b->client_node));
	if (!brief)
		add_draining(pool, most);
	add_lent(pool, most);
	b->users_cut = b->users_work >= USERS_WORK;
}
