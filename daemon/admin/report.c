/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"

/* ---- a request ---------------------------------------------------------- */

static void no_pool(struct report *r, const char *name)
{
	struct report_names names = {.len = 0};
	char remedy[sizeof(names.text) + 16];
	for (unsigned i = 0; i < r->server->n_pools; i++)
		report_names_add(&names, r->server->pools[i].name);
	snprintf(remedy, sizeof(remedy), "pools: %s", names.text);
	report_fail_value(r, HTTP_NOTFOUND, "no pool", name, remedy);
}

struct report report_begin(void *server, const struct admin_query *query,
                           int *status, void *arg)
{
	struct report r = {server, query, status, .arg = arg};
	const char *name = admin_query_get(query, "pool");
	for (unsigned i = 0; i < r.server->n_pools; i++)
		if (!name || strcmp(r.server->pools[i].name, name) == 0)
			r.pool[r.n++] = &r.server->pools[i];
	if (name && r.n == 0)
		no_pool(&r, name);
	return r;
}

json_t *report_list(struct report *r, report_one *one)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < r->n; i++)
		report_append(&list, one(r, r->pool[i]));
	return list;
}

json_t *report_pools(struct report *r, report_one *one)
{
	if (!report_good(r))
		return r->error;
	return json_pack("{s:o}", "pools", report_list(r, one));
}

void report_fail(struct report *r, int status, const char *what,
                 const char *remedy)
{
	if (!report_good(r))
		return;
	*r->status = status;
	r->error = admin_error_new(what, remedy);
}

void report_fail_value(struct report *r, int status, const char *what,
                       const char *value, const char *remedy)
{
	char shown[160];
	char error[200];
	log_escape(shown, sizeof(shown), value);
	snprintf(error, sizeof(error), "%s \"%s\"", what, shown);
	report_fail(r, status, error, remedy);
}

/* ---- pieces of documents ------------------------------------------------ */

void report_append(json_t **list, json_t *item)
{
	if (!*list) {
		json_decref(item);
	} else if (json_array_append_new(*list, item) < 0) {
		json_decref(*list);
		*list = NULL;
	}
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

static json_t *value_of(const void *at, size_t bytes)
{
	if (bytes == sizeof(bool))
		return json_boolean(*(const bool *)at);
	if (bytes == sizeof(uint32_t))
		return json_integer(*(const uint32_t *)at);
	return json_integer(report_count(*(const uint64_t *)at));
}

json_t *report_fields(json_t *object, const void *from,
                      const struct report_field *field, size_t n)
{
	json_t *more = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set_new(more, field[i].key,
		                    value_of((const char *)from + field[i].at,
		                             field[i].bytes));
	if (json_object_size(more) == n)
		return report_merge(object, more);
	json_decref(more);
	json_decref(object);
	return NULL;
}

json_t *report_counted(struct report *r, struct pool *pool, uint32_t from,
                       uint32_t to,
                       json_t *(*one)(struct report *r, struct pool *pool,
                                      const struct usage *usage, uint32_t i))
{
	json_t *list = json_array();
	struct usage usage;
	if (usage_take(&usage, pool) < 0) {
		json_decref(list);
		return NULL;
	}
	for (uint32_t i = from; i < to; i++) {
		json_t *item = one(r, pool, &usage, i);
		if (!json_is_null(item))
			report_append(&list, item);
	}
	usage_done(&usage);
	return list;
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
	if (string)
		return string;
	return json_string(log_escape(shown, sizeof(shown), text));
}

json_int_t report_count(uint64_t count)
{
	return count > INT64_MAX ? INT64_MAX : (json_int_t)count;
}

json_t *report_node_id(const struct pool *pool, uint32_t node)
{
	if (node >= pool->view.geo.n_nodes)
		return json_null();
	return json_integer(pool->view.nodes[node].os_id);
}

json_t *report_cache_name(const struct pool *pool, uint32_t cache)
{
	if (cache >= pool->n_caches)
		return json_null();
	return report_text(pool->view.caches[cache].name);
}

void report_sum(const struct pool *pool, const struct usage *usage,
                uint32_t node, struct report_sums *sums)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		const struct usage_cell *cell = usage_cell(usage, cache, node);
		uint64_t stride = pool->view.caches[cache - 1].stride;
		uint64_t bytes = report_slab_bytes(pool, cache);
		sums->carved_bytes += cell->slabs * bytes;
		sums->used_bytes += (cell->objects - cell->free) * stride;
		sums->free_bytes += cell->free * stride;
		sums->waste_bytes += cell->slabs * bytes - cell->objects * stride;
		sums->lent_bytes += cell->lent * bytes;
		sums->lent_used_bytes += cell->lent_used * stride;
		sums->borrowed_bytes += cell->lent_to * bytes;
		sums->slabs += cell->slabs;
		sums->partial += cell->partial;
	}
}
