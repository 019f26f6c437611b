/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

static json_t *node_doc(const struct pool *pool, const struct usage_cell *cell,
                        uint32_t node)
{
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I}", "node",
	                 pool->view.nodes[node].os_id, "slabs", cell->slabs,
	                 "used", usage_used(cell), "held", cell->held, "free",
	                 cell->free, "lent", cell->lent);
}

/* The cache's cells, node by node, and their sum in *all. */
static json_t *nodes_doc(const struct pool *pool, const struct usage *usage,
                         uint32_t cache, struct usage_cell *all)
{
	json_t *nodes = json_array();
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		const struct usage_cell *cell = usage_cell(usage, cache, node);
		all->slabs += cell->slabs;
		all->objects += cell->objects;
		all->free += cell->free;
		all->held += cell->held;
		all->empty += cell->empty;
		report_append(&nodes, node_doc(pool, cell, node));
	}
	return nodes;
}

/* What objects leave over at the end of a slab. */
static double waste_pct(const struct layout_cache *row, uint64_t slab_bytes)
{
	uint64_t filled = (uint64_t)row->n_objs * row->stride;
	return (double)(slab_bytes - filled) * 100 / (double)slab_bytes;
}

static json_t *cache_doc(struct report *r, struct pool *pool,
                         const struct usage *usage, uint32_t cache)
{
	const struct layout_cache *row = &pool->view.caches[cache - 1];
	uint64_t bytes = report_slab_bytes(pool, cache);
	struct usage_cell all = {0};
	json_t *nodes;
	(void)r;
	if (!pool_has_cache(pool, cache))
		return json_null();
	nodes = nodes_doc(pool, usage, cache, &all);
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

json_t *report_caches(struct report *r, struct pool *pool)
{
	json_t *list =
		report_counted(r, pool, 1, pool->n_caches + 1, cache_doc);
	return json_pack("{s:o, s:I}", "caches", list, "held_unknown",
	                 report_count(r->unknown));
}
