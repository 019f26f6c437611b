/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/balance/own.h"
#include "daemon/balance/settings.h"
#include "shm/partial.h"

#define LOOKED_LOANS 4096u
#define EMPTIES_WORK 16384u /* looks at slabs of all nodes for one picture */
#define TRIMMED_NS CLOCK_S
#define TOKENS_MS INT64_C(60000)
/* A list that nobody rang for in so long has no need of a low mark. */
#define RECENT_NS (10 * CLOCK_S)

/* A span as the plan takes it. */
static uint32_t as_ms(int64_t ns)
{
	int64_t ms = ns / CLOCK_MS;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* ---- configuration ------------------------------------------------------ */

/* The bucket of bytes that may be moved has a second's worth at most, and a
 * page at least. */
static void fill_settings(struct pool *pool)
{
	struct balance *b = pool->balance;
	uint64_t page = UINT64_C(1) << pool->view.geo.page_shift;
	uint64_t most =
		b->config.migrate_rate > page ? b->config.migrate_rate : page;
	int64_t ms = (b->now_ns - b->tokens_ns) / CLOCK_MS;
	b->tokens_ns += ms * CLOCK_MS;
	ms = ms < TOKENS_MS ? ms : TOKENS_MS;
	b->tokens = b->tokens < most ? b->tokens : most;
	b->tokens += b->config.migrate_rate / 1000 * (uint64_t)ms;
	b->tokens = b->tokens < most ? b->tokens : most;
	balance_settings(&b->settings, &b->config);
	b->settings.migrate_bytes = b->tokens;
	b->settings.may_migrate &= b->may_migrate;
}

/* ---- nodes -------------------------------------------------------------- */

static const uint32_t *fill_runs(struct pool *pool, uint32_t node)
{
	uint32_t *runs = pool->balance->runs[node];
	for (uint32_t order = 0; order < SNAPSHOT_ORDERS; order++)
		runs[order] = (uint32_t)pool->pages.node[node].runs[order];
	return runs;
}

uint64_t balance_floor_pages(const struct pool *pool, uint32_t node)
{
	uint64_t bytes = pool->config->floor_bytes;
	uint64_t page = UINT64_C(1) << pool->view.geo.page_shift;
	if (bytes == UINT64_MAX)
		return pool->start_pages[node];
	return (bytes + page - 1) / page;
}

static void fill_node(struct pool *pool, uint32_t node,
                      enum snapshot_scope scope)
{
	struct balance *b = pool->balance;
	const struct topo_node *t = &pool->topo->node[node];
	const struct layout_node *row = &pool->view.nodes[node];
	struct snapshot_node *out = &b->nodes[node];
	*out = (struct snapshot_node){
		.os_id = row->os_id,
		.has_cpu = (row->flags & NODE_HAS_CPU) != 0,
		.draining = row->drain != 0,
		.offline = pool->offline[node],
		.distance = t->distance,
		.nearest = t->nearest,
		.pages = pool->pages.node[node].pages,
		.pages_max = pages_max(&pool->pages, node),
		.floor_pages = balance_floor_pages(pool, node),
		.free_units = pages_free_units(&pool->pages, node),
		.empty_pages = pool->pages.node[node].empty,
		.pressure = b->pressure[node],
		.trimmed = b->trimmed && b->now_ns - b->trimmed_ns < TRIMMED_NS,
	};
	if (out->free_units > 0)
		out->runs = fill_runs(pool, node);
	if (out->pages < out->pages_max && !out->draining) {
		out->room_pages = backing_room_pages(&pool->backing, node);
		if (out->pressure == PLAN_FULL)
			out->spare_pages =
				backing_spare_pages(&pool->backing, node);
	}
	if (scope != SNAPSHOT_SHORT && out->empty_pages > 0 &&
	    b->config.idle_s > 0)
		out->idle_pages = pages_count_idle(&pool->pages, node,
		                                   b->config.idle_s * CLOCK_S);
}

/* ---- caches ------------------------------------------------------------- */

static void fill_cell(struct pool *pool, uint32_t cache, uint32_t node)
{
	struct balance *b = pool->balance;
	uint32_t at = balance_cell(pool, cache, node);
	struct snapshot_cell *cell = &b->cells[at];
	struct balance_held *held = &b->held[at];
	int64_t since = b->now_ns - held->at_ns;
	bool recent = held->wanted && b->now_ns - held->wanted_ns < RECENT_NS;
	*cell = (struct snapshot_cell){
		.slabs = *pool_slabs(pool, cache, node),
		.low = recent ? view_mark(&pool->view, cache, node)->low_slabs
	                      : 0,
		.held_ms = held->any ? as_ms(since) : UINT32_MAX,
		.gained = held->gained,
	};
	if (held->any && since > b->config.hold_max_ms * CLOCK_MS)
		held->reversals = 0;
	cell->reversals = held->reversals;
	held->first_loan = 0;
	if (b->looked[cache - 1] && pool_standing(pool, cache, node) > 0) {
		struct partial list = partial_of(&pool->view, cache, node);
		cell->listed = partial_count_few(&list, SNAPSHOT_LISTED_MAX);
	}
}

static void fill_caches(struct pool *pool)
{
	struct balance *b = pool->balance;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		const struct layout_cache *row = balance_row(pool, cache);
		b->caches[cache - 1] = (struct snapshot_cache){
			.slab_units = 1u << row->order,
			.n_objs = row->n_objs,
			.strict = (row->flags & CACHE_STRICT) != 0,
		};
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
			fill_cell(pool, cache, node);
	}
}

/* Which caches' lists are counted: those that are short or have lent slabs. */
static void choose_caches(struct pool *pool, enum snapshot_scope scope,
                          const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	memset(b->looked, scope == SNAPSHOT_ALL, pool->n_caches);
	for (uint32_t i = 0; unmet != NULL && i < unmet->n; i++)
		b->looked[unmet->want[i].cache - 1] = 1;
	for (uint32_t i = 0; i < pool->loans.n; i++) {
		uint64_t word = pool->view.words[pool->loans.loan[i].head];
		b->looked[WORD_CACHE(word) - 1] = 1;
	}
}

/* A node where carving failed has no room: that was tried, under full pressure
 * with what is set aside alone. */
static void fill_wants(struct pool *pool, const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	for (uint32_t i = 0; unmet != NULL && i < unmet->n; i++) {
		const struct unmet_want *want = &unmet->want[i];
		uint32_t at = balance_cell(pool, want->cache, want->node);
		b->cells[at].want = want->n;
		b->nodes[want->node].spare_pages = 0;
		if (b->pressure[want->node] != PLAN_FULL)
			b->nodes[want->node].room_pages = 0;
	}
}

/* ---- loans -------------------------------------------------------------- */

/* The groups of a list are chained. */
static struct snapshot_loan *group_of(struct pool *pool, uint64_t word)
{
	struct balance *b = pool->balance;
	uint32_t list = balance_cell(pool, WORD_CACHE(word), WORD_LIST(word));
	uint16_t *first = &b->held[list].first_loan;
	struct snapshot_loan *group;
	for (uint32_t i = *first; i != 0; i = b->next[i - 1])
		if (b->loans[i - 1].home == WORD_HOME(word))
			return &b->loans[i - 1];
	if (b->snap.n_loans == BALANCE_GROUPS)
		return NULL;
	b->next[b->snap.n_loans] = *first;
	group = &b->loans[b->snap.n_loans++];
	*first = (uint16_t)b->snap.n_loans;
	*group = (struct snapshot_loan){.cache_ix = WORD_CACHE(word) - 1,
	                                .home = WORD_HOME(word),
	                                .list = WORD_LIST(word),
	                                .age_ms = UINT32_MAX};
	return group;
}

static void add_loan(struct pool *pool, struct loan *loan, bool look)
{
	struct balance *b = pool->balance;
	uint64_t word = pool->view.words[loan->head];
	struct snapshot_loan *group = group_of(pool, word);
	uint32_t age = as_ms(loans_age_ns(loan, b->now_ns));
	uint32_t free;
	b->cells[balance_cell(pool, WORD_CACHE(word), WORD_HOME(word))].lent++;
	b->cells[balance_cell(pool, WORD_CACHE(word), WORD_LIST(word))]
		.borrowed++;
	if (group == NULL)
		return;
	group->slabs++;
	group->age_ms = age < group->age_ms ? age : group->age_ms;
	if (!look)
		return;
	/* A slab whose lease is held can't be returned, perhaps ever. */
	free = atom_load(&pool->view.leases[loan->head]) != 0
	               ? 0
	               : balance_count_free(pool, loan->head);
	loans_look(loan, free, b->now_ns);
	group->bare += free == 0;
	group->empty += free == balance_row(pool, WORD_CACHE(word))->n_objs;
	group->unused += free > 0 && loans_is_unused(loan, b->now_ns);
}

/* If there are more loans than one look takes, the next look begins behind
 * those. */
static void fill_loans(struct pool *pool)
{
	struct balance *b = pool->balance;
	uint32_t n = pool->loans.n;
	uint32_t looks = n < LOOKED_LOANS ? n : LOOKED_LOANS;
	b->snap.n_loans = 0;
	for (uint32_t i = 0; i < n; i++)
		add_loan(pool, &pool->loans.loan[(b->loans_at + i) % n],
		         i < looks);
	b->loans_at = n > 0 ? (b->loans_at + looks) % n : 0;
}

/* ---- all of it ---------------------------------------------------------- */

/* A slab is idle that was empty at two looks, an idle time apart. */
static bool is_look_due(const struct balance *b, enum snapshot_scope scope)
{
	return scope == SNAPSHOT_LOOK && b->config.idle_s > 0 &&
	       b->now_ns - b->empty_ns >= b->config.idle_s * CLOCK_S;
}

/* Whether a plan needs to know which slabs of a node are empty: clients are
 * short there, or the node gives memory back. */
static bool wants_empties(const struct pool *pool, uint32_t node,
                          enum snapshot_scope scope, const struct unmet *unmet)
{
	const struct balance *b = pool->balance;
	if (scope == SNAPSHOT_ALL || is_look_due(b, scope) ||
	    b->nodes[node].draining || b->nodes[node].pressure != PLAN_CALM)
		return true;
	for (uint32_t i = 0; unmet != NULL && i < unmet->n; i++)
		if (unmet->want[i].node == node)
			return true;
	return false;
}

static bool is_in_round(const struct pool *pool)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (pool->balance->idle_left[node] > 0)
			return true;
	return false;
}

/* Which slabs are empty. A round of idle looks goes on at the next one where a
 * node has more slabs than one look takes. */
static void fill_empties(struct pool *pool, enum snapshot_scope scope,
                         const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	bool idle = is_look_due(b, scope);
	bool begin = idle && !is_in_round(pool);
	uint32_t first = b->empties_node++;
	uint32_t budget = EMPTIES_WORK;
	for (uint32_t node = 0; begin && node < n_nodes; node++)
		b->idle_left[node] = pool->pages.n_pages;
	for (uint32_t i = 0; i < n_nodes; i++) {
		uint32_t node = (first + i) % n_nodes;
		if (wants_empties(pool, node, scope, unmet))
			snapshot_empties(pool, node, idle, &budget);
	}
	b->in_round = idle && is_in_round(pool);
	b->idle_look = idle && !b->in_round;
	if (b->idle_look)
		b->empty_ns = b->now_ns;
}

void snapshot_take(struct pool *pool, enum snapshot_scope scope,
                   const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	b->now_ns = clock_ns();
	fill_settings(pool);
	b->snap = (struct snapshot){
		.n_nodes = n_nodes,
		.n_caches = pool->n_caches,
		.page_units = pool->pages.page_units,
		.page_bytes = pool->pages.page_units << UNIT_SHIFT,
		.nodes = b->nodes,
		.caches = b->caches,
		.cells = b->cells,
		.loans = b->loans,
		.pages = b->pages,
	};
	choose_caches(pool, scope, unmet);
	for (uint32_t node = 0; node < n_nodes; node++)
		fill_node(pool, node, scope);
	fill_caches(pool);
	fill_wants(pool, unmet);
	fill_loans(pool);
	fill_empties(pool, scope, unmet);
	snapshot_pages(pool, scope == SNAPSHOT_SHORT);
}
