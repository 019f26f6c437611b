/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <errno.h>
#include <event2/http.h>
#include <stdio.h>

#include "daemon/pool/caches.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 100000u

struct filter {
	const char *cache; /* NULL: all */
	int node;          /* index, -1: all */
	uint64_t limit;    /* slabs a pool */
};

/* ---- parameters --------------------------------------------------------- */

/* NULL with *status 200 if the query makes sense. */
static json_t *parse(const struct report_pools *pools,
                     const struct admin_query *query, struct filter *filter,
                     int *status)
{
	uint32_t node;
	json_t *error;
	filter->cache = admin_query_get(query, "cache");
	filter->limit = LIMIT_DEFAULT;
	filter->node = -1;
	error = report_param_cache(pools, query, false, status);
	if (*status == HTTP_OK)
		error = report_param_node(pools->pool[0], query, "node", false,
		                          &node, status);
	if (*status == HTTP_OK)
		error = report_param_count(query, "limit", 0, LIMIT_MAX,
		                           &filter->limit, status);
	if (*status == HTTP_OK && node != PLAN_NONE)
		filter->node = (int)node;
	return error;
}

/* ---- the list ----------------------------------------------------------- */

static json_t *slab_doc(const struct pool *pool, const struct usage_slab *slab)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	uint64_t bytes = report_slab_bytes(pool, slab->cache);
	return json_pack(
	        "{s:I, s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:b, s:I}", "offset",
	        report_count((uint64_t)slab->head << UNIT_SHIFT), "cache",
	        report_text(row->name), "node",
	        pool->view.nodes[slab->home].os_id, "list",
	        pool->view.nodes[slab->list].os_id, "bytes",
	        report_count(bytes), "objects", report_count(row->n_objs),
	        "used", report_count(row->n_objs - slab->free), "free",
	        report_count(slab->free), "listed", slab->listed, "lease",
	        report_count(slab->lease));
}

static bool wanted(const struct filter *filter, uint32_t cache,
                   const struct usage_slab *slab)
{
	if (filter->cache != NULL && slab->cache != cache)
		return false;
	return filter->node < 0 || slab->home == (uint32_t)filter->node;
}

/* Counts all that are wanted in *total; 0, or negative without memory. */
static int list_slabs(json_t *list, const struct pool *pool,
                      const struct filter *filter, uint64_t *total)
{
	const struct layout_cache *rows = pool->view.caches;
	uint32_t cache = 0;
	struct usage_slab slab;
	uint32_t unit = 0;
	*total = 0;
	if (filter->cache != NULL)
		cache = caches_find(pool, filter->cache);
	for (; usage_next(pool, unit, &slab);
	     unit = slab.head + (1u << rows[slab.cache - 1].order)) {
		if (!wanted(filter, cache, &slab) ||
		    ++*total > filter->limit)
			continue;
		if (json_array_append_new(list, slab_doc(pool, &slab)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static json_t *pool_doc(struct server *server, struct pool *pool, void *arg)
{
	json_t *list = json_array();
	uint64_t total;
	(void)server;
	if (list_slabs(list, pool, arg, &total) < 0) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:o, s:I, s:o}", "name", report_text(pool->name),
	                 "total", report_count(total), "slabs", list);
}

json_t *report_slabs(void *arg, const struct admin_query *query, int *status)
{
	struct report_pools pools;
	struct filter filter;
	json_t *error = report_pick(&pools, arg, query, status);
	if (*status == HTTP_OK)
		error = parse(&pools, query, &filter, status);
	if (*status != HTTP_OK)
		return error;
	return json_pack("{s:o}", "pools",
	                 report_list(&pools, pool_doc, &filter));
}
