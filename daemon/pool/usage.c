/* SPDX-License-Identifier: MIT */
#include "daemon/pool/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pool/holes.h"
#include "daemon/pool/sweep.h"
#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/slab.h"

#define PATIENCE 1000u /* of 100 us: a client may be between two CPUs */

bool usage_next(const struct pool *pool, uint32_t unit, struct usage_slab *slab)
{
	const struct view *view = &pool->view;
	for (; unit < view->geo.n_units; unit++) {
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
		slab->free =
			tags_count_free(slab_tags(view, unit), row->n_objs);
		slab->lease = LEASE_ID(atom_load(&view->leases[unit]));
		slab->listed = partial_has(&list, unit);
		return true;
	}
	return false;
}

static void count_slab(struct usage *usage, const struct pool *pool,
                       const struct usage_slab *slab)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	struct usage_cell *cell = usage_cell(usage, slab->cache, slab->home);
	cell->slabs++;
	cell->objects += row->n_objs;
	cell->free += slab->free;
	cell->partial += slab->free > 0;
	cell->empty += slab->free == row->n_objs;
	if (slab->list != slab->home) {
		cell->lent++;
		cell->lent_used += row->n_objs - slab->free;
		usage_cell(usage, slab->cache, slab->list)->lent_to++;
	}
	tags_tally_srv(slab_tags(&pool->view, slab->head), row->n_objs,
	               row->stride, usage->owners);
}

int usage_take(struct usage *usage, const struct pool *pool)
{
	struct usage_slab slab;
	uint32_t unit = 0;
	uint64_t rows = pool->n_caches + 1;
	usage->n_nodes = pool->view.geo.n_nodes;
	usage->cells = calloc(rows * usage->n_nodes, sizeof(*usage->cells));
	usage->owners = calloc(1, sizeof(*usage->owners));
	usage->client = calloc(CLIENT_IDS, sizeof(*usage->client));
	usage->unknown = 0;
	if (usage->cells == NULL || usage->owners == NULL ||
	    usage->client == NULL) {
		usage_done(usage);
		return -ENOMEM;
	}
	while (usage_next(pool, unit, &slab)) {
		count_slab(usage, pool, &slab);
		unit = slab.head +
		       (1u << pool->view.caches[slab.cache - 1].order);
	}
	return 0;
}

void usage_done(struct usage *usage)
{
	free(usage->cells);
	free(usage->owners);
	free(usage->client);
}

static uint64_t at_most(uint64_t n, uint64_t all, uint64_t taken)
{
	uint64_t left = all > taken ? all - taken : 0;
	return n < left ? n : left;
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

/* The slab table against the counts that pool/slabs.c keeps. */
static void check_counts(struct pool *pool, struct audit *audit)
{
	struct usage_slab slab;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	uint64_t n = (uint64_t)pool->n_caches * n_nodes;
	uint32_t *seen = calloc(n + 1, sizeof(*seen));
	uint32_t unit = 0;
	if (seen == NULL)
		return;
	/* Words out of shape are the audit's to report, not ours to follow. */
	for (; usage_next(pool, unit, &slab); unit = slab.head + 1)
		if (slab.cache <= pool->n_caches && slab.home < n_nodes)
			seen[(slab.cache - 1) * n_nodes + slab.home]++;
	for (uint64_t i = 0; i < n; i++) {
		if (seen[i] == pool->slabs[i])
			continue;
		audit->wrong_hints++;
		audit_fault(audit, AUDIT_CACHE_COUNT,
		            (uint32_t)(i / n_nodes) + 1, pool->slabs[i],
		            seen[i]);
	}
	free(seen);
}

/* Adds up who has each cache open, by what the control file notes. */
static void count_opens(const struct pool *pool, uint32_t *opens)
{
	uint64_t n_words = pool->view.geo.open_words;
	for (uint32_t id = 1; id < CLIENT_IDS; id++) {
		const uint64_t *words = &pool->view.opens[id * n_words];
		if ((atom_load(&pool->view.clients[id].word) & 0xff) ==
		    CLIENT_FREE)
			continue;
		for (uint32_t ix = 0; ix < pool->n_caches; ix++)
			opens[ix] += (uint32_t)(words[ix / 64] >> (ix % 64) & 1);
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

int usage_audit(struct pool *pool, struct audit *audit)
{
	memset(audit, 0, sizeof(*audit));
	/* What the dead left is on its way back. */
	sweep_rest(pool);
	audit->view = &pool->view;
	audit->n_lines = pool->lines.end;
	audit->patience = PATIENCE;
	audit->seen_lines = calloc(audit->n_lines / 64 + 1, sizeof(uint64_t));
	if (audit->seen_lines == NULL)
		return -ENOMEM;
	audit_run_srv(audit);
	free(audit->seen_lines);
	audit->seen_lines = NULL;
	check_counts(pool, audit);
	holes_audit(pool, audit);
	if (pool->openers != NULL)
		check_opens(pool, audit);
	return 0;
}
