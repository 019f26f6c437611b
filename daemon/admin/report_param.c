/* SPDX-License-Identifier: MIT */
/* Parameters of a request, and what is said of bad ones: the thing, and what it
 * might have been. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/admin/report.h"
#include "daemon/pool/caches.h"

struct pool *report_param_pool(struct report *r)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 32];
	if (!report_good(r) || r->n == 1)
		return r->pool[0];
	for (unsigned i = 0; i < r->n; i++)
		report_names_add(&names, r->pool[i]->name);
	snprintf(remedy, sizeof(remedy), "give pool, one of: %s", names.text);
	report_fail(r, HTTP_BADREQUEST, "there are several pools", remedy);
	return NULL;
}

static void bad_cache(struct report *r, const char *name)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	for (unsigned i = 0; i < r->n; i++)
		for (uint32_t ix = 0; ix < r->pool[i]->n_caches; ix++)
			report_names_add(&names,
			                 r->pool[i]->view.caches[ix].name);
	snprintf(remedy, sizeof(remedy), "caches: %s",
	         names.len ? names.text : "none yet");
	if (name)
		report_fail_value(r, HTTP_BADREQUEST, "no cache", name, remedy);
	else
		report_fail(r, HTTP_BADREQUEST, "no cache is given", remedy);
}

const char *report_param_cache(struct report *r, bool must)
{
	const char *name = admin_query_get(r->query, "cache");
	if (!name && !must)
		return NULL;
	for (unsigned i = 0; name && i < r->n; i++)
		if (caches_find(r->pool[i], name) != 0)
			return name;
	bad_cache(r, name);
	return NULL;
}

static void bad_node(struct report *r, const char *key, const char *value)
{
	const struct view *view = &r->pool[0]->view;
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	char what[40] = "no node is given";
	for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
		char id[16];
		snprintf(id, sizeof(id), "%u", view->nodes[node].os_id);
		report_names_add(&names, id);
	}
	snprintf(remedy, sizeof(remedy), "nodes: %s", names.text);
	if (strcmp(key, "node") != 0)
		snprintf(what, sizeof(what), "no \"%s\" node is given", key);
	if (value)
		report_fail_value(r, HTTP_BADREQUEST, "no node", value, remedy);
	else
		report_fail(r, HTTP_BADREQUEST, what, remedy);
}

uint32_t report_param_node(struct report *r, const char *key, bool must)
{
	uint64_t id;
	int node = -1;
	int got = admin_query_uint(r->query, key, INT32_MAX, &id);
	if (!report_good(r) || (got == -ENOENT && !must))
		return PLAN_NONE;
	if (got == 0)
		node = view_node_index(&r->pool[0]->view, (int)id);
	if (node >= 0)
		return (uint32_t)node;
	bad_node(r, key, admin_query_get(r->query, key));
	return PLAN_NONE;
}

uint64_t report_param_count(struct report *r, const char *key, uint64_t min,
                            uint64_t max, uint64_t otherwise)
{
	char what[40];
	char remedy[80];
	uint64_t value = otherwise;
	int got = admin_query_uint(r->query, key, max, &value);
	if (got == -ENOENT || (got == 0 && value >= min))
		return value;
	snprintf(what, sizeof(what), "bad %s", key);
	snprintf(remedy, sizeof(remedy),
	         "%s is %llu to %llu, %llu if it is not given", key,
	         (unsigned long long)min, (unsigned long long)max,
	         (unsigned long long)otherwise);
	report_fail_value(r, HTTP_BADREQUEST, what,
	                  admin_query_get(r->query, key), remedy);
	return otherwise;
}
