/* SPDX-License-Identifier: MIT */
#include "daemon/admin/owned.h"
#include "daemon/pool/caches.h"

static json_t *node_doc(const struct pool *pool, const struct usage_cell *cell,
                        uint32_t node)
{
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I}", "node",
	                 pool->view.nodes[node].os_id, "slabs", cell->slabs,
	                 "used", usage_used(cell), "held", cell->held, "free",
	                 cell->free, "lent", cell->lent);
}

/* The cache's cells, node by node, or of one alone (PLAN_NONE: of all), and the
 * sum of all in *all. */
static json_t *nodes_doc(const struct pool *pool, const struct usage *usage,
                         uint32_t cache, uint32_t only, struct usage_cell *all)
{
	json_t *nodes = json_array();
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		const struct usage_cell *cell = usage_cell(usage, cache, node);
		all->slabs += cell->slabs;
		all->objects += cell->objects;
		all->free += cell->free;
		all->held += cell->held;
		all->empty += cell->empty;
		if (only == PLAN_NONE || only == node)
			report_append(&nodes, node_doc(pool, cell, node));
	}
	return nodes;
}

/* What objects leave over at the end of a slab, and of their places. */
static double waste_pct(const struct layout_cache *row, uint64_t slab_bytes)
{
	uint64_t filled = (uint64_t)row->n_objs * row->size;
	return (double)(slab_bytes - filled) * 100 / (double)slab_bytes;
}

static bool is_wanted(const struct pool *pool, const struct usage *usage,
                      uint32_t cache, const struct owned_filter *filter)
{
	if (!pool_has_cache(pool, cache) ||
	    (filter->cache != NULL && cache != caches_find(pool, filter->cache)))
		return false;
	return filter->node == PLAN_NONE ||
	       usage_cell(usage, cache, filter->node)->slabs > 0;
}

static json_t *cache_doc(struct report *r, struct pool *pool,
                         const struct usage *usage, uint32_t cache)
{
	const struct layout_cache *row = &pool->view.caches[cache - 1];
	const struct owned_filter *filter = r->arg;
	uint64_t bytes = report_slab_bytes(pool, cache);
	struct usage_cell all = {0};
	json_t *nodes;
	if (!is_wanted(pool, usage, cache, filter))
		return json_null();
	nodes = nodes_doc(pool, usage, cache, filter->node, &all);
	return json_pack("{s:i, s:o, s:i, s:i, s:i, s:I, s:i, s:i, s:f, s:i, "
	                 "s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:o}",
	                 "id", cache, "name", report_text(row->name), "size",
	                 row->size, "align", row->align, "stride", row->stride,
	                 "slab_bytes", bytes, "objects_per_slab", row->n_objs,
	                 "colours", row->colours, "waste_pct",
	                 waste_pct(row, bytes), "flags", row->flags, "slabs",
	                 all.slabs, "objects", all.objects, "used",
	                 usage_used(&all), "held", all.held, "free", all.free,
	                 "empty_slabs", all.empty, "openers",
	                 pool->openers[cache - 1], "version", row->version,
	                 "nodes", nodes);
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	json_t *list =
		report_counted(r, pool, 1, pool->n_caches + 1, cache_doc);
	return json_pack("{s:o, s:I}", "caches", list, "held_unknown",
	                 report_count(r->unknown));
}

json_t *report_caches(struct report *r)
{
	struct owned_filter filter;
	owned_params(r, &filter);
	r->arg = &filter;
	return report_pools(r, pool_doc);
}
