/* SPDX-License-Identifier: MIT */
#include "daemon/report.h"

#include <errno.h>
#include <event2/http.h>
#include <stdio.h>

#include "daemon/cachetab.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 100000u

struct filter {
	const char *cache; /* NULL: all */
	int node;          /* index, -1: all */
	uint64_t limit;    /* slabs a pool */
};

/* ---- parameters --------------------------------------------------------- */

static json_t *bad_cache(const struct report_pools *pools, const char *name)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	for (unsigned i = 0; i < pools->n; i++) {
		const struct pool *pool = pools->pool[i];
		for (uint32_t cache = 0; cache < pool->n_caches; cache++)
			report_names_add(&names, pool->view.caches[cache].name);
	}
	snprintf(remedy, sizeof(remedy), "caches: %s",
	         names.len ? names.text : "none yet");
	return report_error("no cache", name, remedy);
}

static bool any_has(const struct report_pools *pools, const char *cache)
{
	for (unsigned i = 0; i < pools->n; i++)
		if (cachetab_find(pools->pool[i], cache) != 0)
			return true;
	return false;
}

static json_t *bad_node(const struct view *view, const char *value)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
		char id[16];
		snprintf(id, sizeof(id), "%u", view->nodes[node].os_id);
		report_names_add(&names, id);
	}
	snprintf(remedy, sizeof(remedy), "nodes: %s", names.text);
	return report_error("no node", value, remedy);
}

/* All pools lie on the same nodes. */
static int parse_node(const struct view *view, const struct admin_query *query,
                      int *node)
{
	uint64_t id;
	int r = admin_query_uint(query, "node", INT32_MAX, &id);
	*node = -1;
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		*node = view_node_index(view, (int)id);
	return *node < 0 ? -EINVAL : 0;
}

/* NULL with *status 200 if the query makes sense. */
static json_t *parse(const struct report_pools *pools,
                     const struct admin_query *query, struct filter *filter,
                     int *status)
{
	char remedy[80];
	filter->cache = admin_query_get(query, "cache");
	filter->limit = LIMIT_DEFAULT;
	*status = HTTP_BADREQUEST;
	if (filter->cache != NULL && !any_has(pools, filter->cache))
		return bad_cache(pools, filter->cache);
	if (parse_node(&pools->pool[0]->view, query, &filter->node) < 0)
		return bad_node(&pools->pool[0]->view,
		                admin_query_get(query, "node"));
	if (admin_query_uint(query, "limit", LIMIT_MAX, &filter->limit) ==
	    -EINVAL) {
		snprintf(remedy, sizeof(remedy),
		         "limit is 0 to %u, %u if it is not given", LIMIT_MAX,
		         LIMIT_DEFAULT);
		return report_error("bad limit",
		                    admin_query_get(query, "limit"), remedy);
	}
	*status = HTTP_OK;
	return NULL;
}

/* ---- the list ----------------------------------------------------------- */

static json_t *slab_doc(const struct pool *pool, const struct census_slab *slab)
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
                   const struct census_slab *slab)
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
	struct census_slab slab;
	uint32_t unit = 0;
	*total = 0;
	if (filter->cache != NULL)
		cache = cachetab_find(pool, filter->cache);
	for (; census_next(pool, unit, &slab);
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
