/* SPDX-License-Identifier: MIT */
/* Parameters of a request, and what is said of bad ones: the thing, and what it
 * might have been. */
#include <errno.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "daemon/pool/caches.h"
#include "daemon/admin/report.h"

/* ---- caches ------------------------------------------------------------- */

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
	return name != NULL ? report_error("no cache", name, remedy)
	                    : admin_error_new("no cache is given", remedy);
}

json_t *report_param_cache(const struct report_pools *pools,
                           const struct admin_query *query, bool must,
                           int *status)
{
	const char *name = admin_query_get(query, "cache");
	if (name == NULL && !must)
		return NULL;
	for (unsigned i = 0; name != NULL && i < pools->n; i++)
		if (caches_find(pools->pool[i], name) != 0)
			return NULL;
	*status = HTTP_BADREQUEST;
	return bad_cache(pools, name);
}

/* ---- nodes -------------------------------------------------------------- */

static json_t *bad_node(const struct view *view, const char *key,
                        const char *value)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	char what[40];
	for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
		char id[16];
		snprintf(id, sizeof(id), "%u", view->nodes[node].os_id);
		report_names_add(&names, id);
	}
	snprintf(remedy, sizeof(remedy), "nodes: %s", names.text);
	if (value != NULL)
		return report_error("no node", value, remedy);
	snprintf(what, sizeof(what), "no \"%s\" node is given", key);
	return admin_error_new(strcmp(key, "node") == 0 ? "no node is given"
	                                                : what, remedy);
}

json_t *report_param_node(const struct pool *pool,
                          const struct admin_query *query, const char *key,
                          bool must, uint32_t *node, int *status)
{
	uint64_t id;
	int index = -1;
	int r = admin_query_uint(query, key, INT32_MAX, &id);
	*node = PLAN_NONE;
	if (r == -ENOENT && !must)
		return NULL;
	if (r == 0)
		index = view_node_index(&pool->view, (int)id);
	if (index >= 0) {
		*node = (uint32_t)index;
		return NULL;
	}
	*status = HTTP_BADREQUEST;
	return bad_node(&pool->view, key, admin_query_get(query, key));
}

/* ---- numbers ------------------------------------------------------------ */

json_t *report_param_count(const struct admin_query *query, const char *key,
                           uint64_t min, uint64_t max, uint64_t *value,
                           int *status)
{
	char what[40];
	char remedy[80];
	uint64_t otherwise = *value;
	int r = admin_query_uint(query, key, max, value);
	if (r == -ENOENT || (r == 0 && *value >= min))
		return NULL;
	*status = HTTP_BADREQUEST;
	snprintf(what, sizeof(what), "bad %s", key);
	snprintf(remedy, sizeof(remedy),
	         "%s is %llu to %llu, %llu if it is not given", key,
	         (unsigned long long)min, (unsigned long long)max,
	         (unsigned long long)otherwise);
	return report_error(what, admin_query_get(query, key), remedy);
}

/* ---- pools -------------------------------------------------------------- */

json_t *report_param_pool(struct report_pools *pools, struct server *server,
                          const struct admin_query *query, int *status)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 32];
	json_t *error = report_pick(pools, server, query, status);
	if (*status != HTTP_OK || pools->n == 1)
		return error;
	for (unsigned i = 0; i < pools->n; i++)
		report_names_add(&names, pools->pool[i]->name);
	snprintf(remedy, sizeof(remedy), "give pool, one of: %s", names.text);
	*status = HTTP_BADREQUEST;
	return admin_error_new("there are several pools", remedy);
}
