/* SPDX-License-Identifier: MIT */
#include "daemon/pool/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pool/holes.h"
#include "daemon/pool/roots_audit.h"
#include "daemon/pool/sweep.h"
#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/slab.h"

#define PATIENCE 1000u /* of 100 us: a client may be between two CPUs */

/* The first slab whose head is at or above unit, and below end. */
static bool next_in(const struct pool *pool, uint32_t unit, uint32_t end,
                    struct usage_slab *slab)
{
	const struct view *view = &pool->view;
	for (; unit < end; unit++) {
		uint64_t word = view->words[unit];
		const struct layout_cache *row =
			view_cache(view, WORD_CACHE(word));
		struct partial list;
		if (row == NULL || WORD_BACK(word) != 0 ||
		    WORD_HOME(word) >= view->geo.n_nodes ||
		    WORD_LIST(word) >= view->geo.n_nodes)
			continue;
		list = partial_of(view, WORD_CACHE(word), WORD_LIST(word));
		slab->head = unit;
		slab->cache = WORD_CACHE(word);
		slab->home = WORD_HOME(word);
		slab->list = WORD_LIST(word);
		slab->free = 0;
		slab->lease = LEASE_ID(atom_load(&view->leases[unit]));
		slab->listed = partial_has(&list, unit);
		return true;
	}
	return false;
}

bool usage_next(const struct pool *pool, uint32_t unit, struct usage_slab *slab)
{
	const struct pages *pages = &pool->pages;
	uint64_t page = unit / pages->page_units;
	while ((page = pages_next_used_any(pages, page)) != PAGES_NONE) {
		uint32_t first = (uint32_t)(page++ * pages->page_units);
		unit = unit > first ? unit : first;
		if (next_in(pool, unit, first + pages->page_units, slab))
			return true;
	}
	return false;
}

void usage_look(const struct pool *pool, struct usage_slab *slab)
{
	slab->free = tags_count_free(slab_tags(&pool->view, slab->head),
	                             pool->view.caches[slab->cache - 1].n_objs);
}

static void count_slab(struct usage *usage, const struct pool *pool,
                       const struct usage_slab *slab)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	struct usage_cell *cell = usage_cell(usage, slab->cache, slab->home);
	uint64_t n_free = usage->owners->objects[TAG_FREE];
	const uint16_t *tags = slab_tags(&pool->view, slab->head);
	tags_tally_srv(tags, slab_gen_of(&pool->view, tags), row->n_objs,
	               row->stride, usage->owners);
	n_free = usage->owners->objects[TAG_FREE] - n_free;
	if (usage->holders != NULL && pool->view.nodes[slab->home].drain != 0)
		holders_add(usage->holders, pool, slab->head);
	cell->slabs++;
	cell->objects += row->n_objs;
	cell->free += n_free;
	cell->partial += n_free > 0;
	cell->empty += n_free == row->n_objs;
	if (slab->list != slab->home) {
		cell->lent++;
		cell->lent_used += row->n_objs - n_free;
		usage_cell(usage, slab->cache, slab->list)->lent_to++;
	}
}

static bool is_any_drained(const struct pool *pool)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (pool->view.nodes[node].drain != 0)
			return true;
	return false;
}

int usage_begin(struct usage *usage, const struct pool *pool)
{
	bool drained = is_any_drained(pool);
	/* Those, too, that are made before it is through. */
	uint64_t rows = pool->view.geo.n_caches + 1;
	usage->unit = 0;
	usage->n_nodes = pool->view.geo.n_nodes;
	usage->cells = calloc(rows * usage->n_nodes, sizeof(*usage->cells));
	usage->owners = calloc(1, sizeof(*usage->owners));
	usage->client = calloc(CLIENT_IDS, sizeof(*usage->client));
	usage->holders = drained ? calloc(1, sizeof(*usage->holders)) : NULL;
	usage->unknown = 0;
	usage->held_for = 0;
	if (usage->cells == NULL || usage->owners == NULL ||
	    usage->client == NULL || (drained && usage->holders == NULL)) {
		usage_done(usage);
		return -ENOMEM;
	}
	return 0;
}

bool usage_piece(struct usage *usage, const struct pool *pool)
{
	struct usage_slab slab;
	uint32_t unit = view_next_unit(&pool->view, usage->unit, NULL);
	uint64_t end = ((uint64_t)unit | ((1u << GRANULE_SHIFT) - 1)) + 1;
	end = end < pool->view.geo.n_units ? end : pool->view.geo.n_units;
	while (next_in(pool, unit, (uint32_t)end, &slab)) {
		count_slab(usage, pool, &slab);
		unit = slab.head +
		       (1u << pool->view.caches[slab.cache - 1].order);
	}
	usage->unit = (uint32_t)end;
	return end < pool->view.geo.n_units;
}

int usage_take(struct usage *usage, const struct pool *pool)
{
	int r = usage_begin(usage, pool);
	while (r == 0 && usage_piece(usage, pool))
		continue;
	return r;
}

void usage_done(struct usage *usage)
{
	free(usage->cells);
	free(usage->owners);
	free(usage->client);
	free(usage->holders);
}

static uint64_t at_most(uint64_t n, uint64_t all, uint64_t taken)
{
	uint64_t left = all > taken ? all - taken : 0;
	return n < left ? n : left;
}

void usage_hold_nothing(struct usage *usage, const struct pool *pool)
{
	uint64_t n = (uint64_t)(pool->n_caches + 1) * usage->n_nodes;
	usage->unknown = 0;
	for (uint64_t i = 0; i < n; i++)
		if (usage->cells[i].held != 0)
			usage->cells[i].held = 0;
	for (uint32_t id = 0; id <= pool->head->top_id; id++)
		if (usage->client[id].known || usage->client[id].held != 0)
			usage->client[id] = (struct usage_client){0};
}

void usage_hold(struct usage *usage, const struct pool *pool, uint32_t id,
                uint32_t cache, uint32_t node, uint64_t objects)
{
	struct usage_cell *cell = usage_cell(usage, cache, node);
	struct usage_client *client = &usage->client[id];
	uint64_t stride = pool->view.caches[cache - 1].stride;
	objects = at_most(objects, cell->objects - cell->free, cell->held);
	objects = at_most(objects, usage->owners->objects[id], client->held);
	cell->held += objects;
	client->held += objects;
	client->held_bytes += objects * stride;
}

/* The slab table, as it was counted, against the counts that pool/slabs.c
 * keeps. */
static void check_counts(struct pool *pool, struct audit *audit)
{
	uint32_t n_nodes = pool->view.geo.n_nodes;
	uint64_t n = (uint64_t)pool->n_caches * n_nodes;
	for (uint64_t i = 0; i < n; i++) {
		if (audit->seen_slabs[i] == pool->slabs[i])
			continue;
		audit->wrong_hints++;
		audit_fault(audit, AUDIT_CACHE_COUNT,
		            (uint32_t)(i / n_nodes) + 1, pool->slabs[i],
		            audit->seen_slabs[i]);
	}
}

/* Adds up who has each cache open, by what the control file notes. */
static void count_opens(const struct pool *pool, uint32_t *opens)
{
	uint64_t n_words = pool->view.geo.open_words;
	for (uint32_t id = 1; id <= pool->head->top_id; id++) {
		const uint64_t *words = &pool->view.opens[id * n_words];
		if ((atom_load(&pool->view.clients[id].word) & 0xff) ==
		    CLIENT_FREE)
			continue;
		for (uint32_t ix = 0; ix < pool->n_caches; ix++) {
			if (words[ix / 64] == 0)
				ix |= 63;
			else
				opens[ix] += (uint32_t)(words[ix / 64] >>
				                        (ix % 64) & 1);
		}
	}
}

static void check_opens(const struct pool *pool, struct audit *audit)
{
	uint32_t *opens = calloc(pool->n_caches + 1, sizeof(*opens));
	if (opens == NULL)
		return;
	count_opens(pool, opens);
	for (uint32_t ix = 0; ix < pool->n_caches; ix++)
		if (opens[ix] != pool->openers[ix])
			audit_fault(audit, AUDIT_CACHE_OPEN, ix + 1,
			            pool->openers[ix], opens[ix]);
	free(opens);
}

int usage_audit_begin(struct pool *pool, struct audit *audit)
{
	const struct layout_geometry *geo = &pool->view.geo;
	memset(audit, 0, sizeof(*audit));
	audit->view = &pool->view;
	audit->shared_fd = pool->shared_fd;
	audit->n_lines = pool->lines.end;
	audit->patience = PATIENCE;
	audit->seen_lines = calloc(audit->n_lines / 64 + 1, sizeof(uint64_t));
	audit->seen_slabs = calloc((uint64_t)geo->n_caches * geo->n_nodes + 1,
	                           sizeof(uint32_t));
	if (audit->seen_lines == NULL || audit->seen_slabs == NULL) {
		usage_audit_drop(pool, audit);
		return -ENOMEM;
	}
	pool->audit = audit;
	return 0;
}

/* Lines that slabs carved meanwhile may have. */
static bool more_lines(struct audit *audit, uint64_t n_lines)
{
	uint64_t had = audit->n_lines / 64 + 1;
	uint64_t needs = n_lines / 64 + 1;
	uint64_t *lines;
	if (n_lines <= audit->n_lines)
		return true;
	lines = realloc(audit->seen_lines, needs * sizeof(*lines));
	if (lines == NULL)
		return false;
	memset(lines + had, 0, (needs - had) * sizeof(*lines));
	audit->seen_lines = lines;
	audit->n_lines = n_lines;
	return true;
}

bool usage_audit_piece(struct pool *pool, struct audit *audit, bool *failed)
{
	audit->view = &pool->view;
	*failed = !more_lines(audit, pool->lines.end);
	return !*failed && audit_piece_srv(audit);
}

void usage_audit_drop(struct pool *pool, struct audit *audit)
{
	if (pool->audit == audit)
		pool->audit = NULL;
	free(audit->seen_lines);
	free(audit->seen_slabs);
	audit->seen_lines = NULL;
	audit->seen_slabs = NULL;
}

void usage_audit_end(struct pool *pool, struct audit *audit)
{
	audit_end_srv(audit);
	check_counts(pool, audit);
	holes_audit(pool, audit);
	roots_audit(pool, audit);
	if (pool->openers != NULL)
		check_opens(pool, audit);
	usage_audit_drop(pool, audit);
}

void usage_audit_count(struct audit *audit, uint32_t cell, uint32_t head,
                       int by)
{
	if (head < audit->unit)
		audit->seen_slabs[cell] += (uint32_t)by;
}

int usage_audit(struct pool *pool, struct audit *audit)
{
	int r;
	/* What the dead left is on its way back. */
	sweep_rest(pool);
	r = usage_audit_begin(pool, audit);
	if (r < 0)
		return r;
	audit_run_srv(audit);
	usage_audit_end(pool, audit);
	return 0;
}
