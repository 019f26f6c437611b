/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include "daemon/pool/caches.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 100000u

struct filter {
	const char *cache; /* NULL: all */
	uint32_t node;     /* index, PLAN_NONE: all */
	uint64_t limit;    /* slabs a pool */
};

static json_t *slab_doc(const struct pool *pool, const struct usage_slab *slab)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	return json_pack(
	        "{s:I, s:o, s:i, s:i, s:I, s:i, s:I, s:I, s:b, s:I}", "offset",
	        (uint64_t)slab->head << UNIT_SHIFT, "cache",
	        report_text(row->name), "node",
	        pool->view.nodes[slab->home].os_id, "list",
	        pool->view.nodes[slab->list].os_id, "bytes",
	        report_slab_bytes(pool, slab->cache), "objects", row->n_objs,
	        "used", report_count(row->n_objs - slab->free), "free",
	        report_count(slab->free), "listed", slab->listed, "lease",
	        report_count(slab->lease));
}

/* cache: the one that the filter wants, in this pool; 0 if it has none. */
static bool wanted(const struct filter *filter, uint32_t cache,
                   const struct usage_slab *slab)
{
	if (filter->cache && slab->cache != cache)
		return false;
	return filter->node == PLAN_NONE || slab->home == filter->node;
}

/* In slices: slabs that come or go between two of them are there or are not. */
static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct layout_cache *rows = pool->view.caches;
	const struct filter *filter = r->arg;
	uint32_t cache = filter->cache ? caches_find(pool, filter->cache) : 0;
	struct report_job *job = r->job;
	struct usage_slab slab;
	uint64_t total;
	if (!report_slice(r))
		return NULL;
	for (; usage_next(pool, job->at, &slab);
	     job->at = slab.head + (1u << rows[slab.cache - 1].order)) {
		job->at = slab.head;
		if (report_slice_ends(r))
			return NULL;
		if (!wanted(filter, cache, &slab))
			continue;
		if (++job->total <= filter->limit) {
			usage_look(pool, &slab);
			report_append(&job->items, slab_doc(pool, &slab));
		}
	}
	total = job->total;
	job->total = 0;
	return json_pack("{s:I, s:o}", "total", total, "slabs",
	                 report_items(r));
}

json_t *report_slabs(struct report *r)
{
	struct filter filter;
	filter.cache = report_param_cache(r, false);
	filter.node = report_param_node(r, "node", false);
	filter.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &filter;
	return report_pools(r, pool_doc);
}
