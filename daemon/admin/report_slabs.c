/* SPDX-License-Identifier: MIT */
#include "daemon/admin/owned.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 100000u

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

static bool is_wanted(const struct pool *pool,
                      const struct owned_filter *filter,
                      const struct usage_slab *slab)
{
	return owned_wants(pool, filter, slab) &&
	       (filter->client == 0 ||
	        owned_in_slab(pool, slab, filter->client) > 0);
}

static void add(struct report *r, const struct pool *pool,
                const struct usage_slab *slab)
{
	const struct owned_wanted *wanted = r->arg;
	struct usage_slab looked = *slab;
	if (!is_wanted(pool, &wanted->filter, slab) || !owned_lists(r, 0))
		return;
	usage_look(pool, &looked);
	report_append(&r->job->items, slab_doc(pool, &looked));
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	return owned_list(r, pool, "slabs", add);
}

json_t *report_slabs(struct report *r)
{
	struct owned_wanted wanted;
	owned_params(r, &wanted.filter);
	wanted.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &wanted;
	return report_pools(r, pool_doc);
}
