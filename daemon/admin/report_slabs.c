/* SPDX-License-Identifier: MIT */
#include "daemon/admin/owned.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 100000u

struct filter {
	struct owned_filter owned;
	uint64_t limit; /* slabs a pool */
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

static bool is_wanted(const struct pool *pool, const struct filter *filter,
                      const struct usage_slab *slab)
{
	return owned_wants(pool, &filter->owned, slab) &&
	       (filter->owned.client == 0 ||
	        owned_in_slab(pool, slab, filter->owned.client) > 0);
}

/* In slices: slabs that come or go between two of them are there or are not. */
static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct layout_cache *rows = pool->view.caches;
	const struct filter *filter = r->arg;
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
		if (!is_wanted(pool, filter, &slab))
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
	owned_params(r, &filter.owned);
	filter.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &filter;
	return report_pools(r, pool_doc);
}
