/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <event2/http.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct admin_route routes_all[] = {
        {"/status", report_status, "pool", false},
        {"/nodes", report_nodes, "pool", false},
        {"/caches", report_caches, "pool", false},
        {"/clients", report_clients, "pool", false},
        {"/slabs", report_slabs, "pool cache node limit", false},
        {"/audit", report_audit, "pool", false},
        {"/plan", report_plan, "pool", false},
        {"/log", report_log, "pool limit", false},
        {"/set", report_settings, "pool", false},
        {"/set", report_set, "pool key value", true},
        {"/lend", report_lend, "pool cache from to n", true},
        {"/migrate", report_migrate, "pool cache from to n", true},
        {"/drain", report_drain, "pool node", true},
        {"/undrain", report_undrain, "pool node", true},
        {"/trim", report_trim, "pool node ask", true},
};

void report_routes(struct server *server, struct admin_routes *routes)
{
	routes->route = routes_all;
	routes->n = sizeof(routes_all) / sizeof(routes_all[0]);
	routes->arg = server;
}

/* ---- pools of a request ------------------------------------------------- */

static json_t *no_pool(const struct server *server, const char *name)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	for (unsigned i = 0; i < server->n_pools; i++)
		report_names_add(&names, server->pools[i].name);
	snprintf(remedy, sizeof(remedy), "pools: %s", names.text);
	return report_error("no pool", name, remedy);
}

json_t *report_pick(struct report_pools *pools, struct server *server,
                    const struct admin_query *query, int *status)
{
	const char *name = admin_query_get(query, "pool");
	pools->server = server;
	pools->n = 0;
	for (unsigned i = 0; i < server->n_pools; i++)
		if (name == NULL || strcmp(server->pools[i].name, name) == 0)
			pools->pool[pools->n++] = &server->pools[i];
	if (name == NULL || pools->n > 0)
		return NULL;
	*status = HTTP_NOTFOUND;
	return no_pool(server, name);
}

json_t *report_list(const struct report_pools *pools,
                    json_t *(*one)(struct server *server, struct pool *pool,
                                   void *arg),
                    void *arg)
{
	json_t *list = json_array();
	for (unsigned i = 0; list != NULL && i < pools->n; i++) {
		json_t *doc = one(pools->server, pools->pool[i], arg);
		if (json_array_append_new(list, doc) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

/* ---- values ------------------------------------------------------------- */

json_t *report_each(void *arg, const struct admin_query *query, int *status,
                    json_t *(*one)(struct server *server, struct pool *pool,
                                   void *arg))
{
	struct report_pools pools;
	json_t *error = report_pick(&pools, arg, query, status);
	if (*status != HTTP_OK)
		return error;
	return json_pack("{s:o}", "pools", report_list(&pools, one, NULL));
}

json_t *report_merge(json_t *object, json_t *more)
{
	int r = json_object_update(object, more);
	json_decref(more);
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *report_error(const char *what, const char *value, const char *remedy)
{
	char shown[160];
	char error[200];
	log_escape(shown, sizeof(shown), value);
	snprintf(error, sizeof(error), "%s \"%s\"", what, shown);
	return admin_error_new(error, remedy);
}

/* Ends in "..." where there are too many; escaped names are ASCII. */
void report_names_add(struct report_names *names, const char *name)
{
	char shown[4 * NAME_BYTES];
	const char *comma = names->len > 0 ? ", " : "";
	size_t room = sizeof(names->text) - sizeof(", ...");
	size_t n = strlen(log_escape(shown, sizeof(shown), name));
	if (names->len > room)
		return;
	strcpy(names->text + names->len, comma);
	names->len += strlen(comma);
	if (names->len + n > room) {
		strcpy(names->text + names->len, "...");
		names->len = sizeof(names->text);
		return;
	}
	memcpy(names->text + names->len, shown, n + 1);
	names->len += n;
}

json_t *report_text(const char *text)
{
	char shown[LOG_LINE_BYTES];
	json_t *string = json_string(text);
	if (string != NULL)
		return string;
	return json_string(log_escape(shown, sizeof(shown), text));
}

json_int_t report_count(uint64_t count)
{
	return count > INT64_MAX ? INT64_MAX : (json_int_t)count;
}

int64_t report_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void report_sum(const struct pool *pool, const struct usage *census,
                uint32_t node, struct report_sums *sums)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		const struct usage_cell *cell =
		        usage_cell(census, cache, node);
		uint64_t stride = pool->view.caches[cache - 1].stride;
		uint64_t bytes = report_slab_bytes(pool, cache);
		sums->carved_bytes += cell->slabs * bytes;
		sums->used_bytes += (cell->objects - cell->free) * stride;
		sums->free_bytes += cell->free * stride;
		sums->lent_bytes += cell->lent * bytes;
		sums->lent_used_bytes += cell->lent_used * stride;
		sums->borrowed_bytes += cell->lent_to * bytes;
		sums->slabs += cell->slabs;
		sums->partial += cell->partial;
	}
}
