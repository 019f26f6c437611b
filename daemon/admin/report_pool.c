/* SPDX-License-Identifier: MIT */
/* What a pool may have, and how near it is to that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admin/report.h"
#include "daemon/admin/reports.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/limits.h"

#define WHOSE_BYTES 80u

/* A bound of slabd.conf, by its key. whose: of what, "" of the pool. */
static json_t *bound(const char *key, const char *whose, uint64_t used,
                     uint64_t most)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:b}", "key", key, "whose",
	                 whose[0] != '\0' ? report_text(whose) : json_null(),
	                 "used", report_count(used), "most", report_count(most),
	                 "bytes", 0);
}

/* ---- memory --------------------------------------------------------------- */

static void add_memory(const struct pool *pool, json_t **list)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		const struct layout_node *row = &pool->view.nodes[node];
		char whose[WHOSE_BYTES];
		json_t *doc;
		snprintf(whose, sizeof(whose), "node %u", row->os_id);
		doc = bound("max", whose, 0, 0);
		json_object_set_new(doc, "used",
		                    json_integer(report_page_bytes(
		                            pool, row->resident_pages)));
		json_object_set_new(doc, "most",
		                    json_integer(report_max_bytes(pool,
		                                                  node)));
		json_object_set_new(doc, "bytes", json_true());
		report_append(list, doc);
	}
}

/* ---- clients -------------------------------------------------------------- */

struct most {
	uint32_t who;
	uint32_t n;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* The number that is there most often. */
static struct most most_of(uint32_t *all, uint32_t n)
{
	struct most most = {0, 0};
	uint32_t same = 0;
	qsort(all, n, sizeof(*all), by_number);
	for (uint32_t i = 0; i < n; i++) {
		same = i > 0 && all[i] == all[i - 1] ? same + 1 : 1;
		if (same > most.n)
			most = (struct most){all[i], same};
	}
	return most;
}

/* Of all clients' processes, or users, the one with the most of them. */
static struct most find_most(const struct pool *pool, bool process)
{
	uint32_t *all = malloc((pool->view.head->top_id + 1) * sizeof(*all));
	struct most most = {0, 0};
	uint32_t n = 0;
	for (uint32_t id = 1; all != NULL && id <= pool->view.head->top_id; id++) {
		const struct layout_client *row = &pool->view.clients[id];
		if (clients_state(pool, id) == CLIENT_LIVE &&
		    (!process || row->pid > 0))
			all[n++] = process ? (uint32_t)row->pid : row->uid;
	}
	if (all != NULL)
		most = most_of(all, n);
	free(all);
	return most;
}

static void add_clients(const struct pool *pool, json_t **list)
{
	const struct config_pool *config = pool->config;
	struct most process = find_most(pool, true);
	struct most user = find_most(pool, false);
	char whose[WHOSE_BYTES] = "";
	report_append(list, bound("max_clients", "", pool->n_clients,
	                          config->max_clients));
	if (process.n > 0)
		snprintf(whose, sizeof(whose), "process %u", process.who);
	report_append(list, bound("max_clients_process", whose, process.n,
	                          limits_of_process(config)));
	if (user.n > 0)
		snprintf(whose, sizeof(whose), "user %u", user.who);
	report_append(list, bound("max_clients_user", whose, user.n,
	                          limits_of_user(config, user.who)));
}

/* ---- names ---------------------------------------------------------------- */

static uint32_t count_caches(const struct pool *pool)
{
	uint32_t n = 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		n += pool_has_cache(pool, cache);
	return n;
}

static void add_channels(const struct pool *pool, json_t **list)
{
	const struct layout_channel *largest = NULL;
	uint32_t n = 0;
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++) {
		const struct layout_channel *row = &pool->view.channels[ix];
		if (row->state == CHANNEL_NONE)
			continue;
		n++;
		if (largest == NULL || row->capacity > largest->capacity)
			largest = row;
	}
	report_append(list, bound("max_channels", "", n,
	                          pool->config->max_channels));
	report_append(list, bound("max_channel_capacity",
	                          largest != NULL ? largest->name : "",
	                          largest != NULL ? largest->capacity : 0,
	                          pool->config->max_channel_capacity));
}

/* ---- it all --------------------------------------------------------------- */

static json_t *ids_doc(const struct config_ids *ids)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < ids->n; i++)
		json_array_append_new(list, json_integer(ids->id[i]));
	return list;
}

static const char *page_name(const struct pool *pool)
{
	static const char *const names[] = {
		[CONFIG_PAGE_1G] = "1g", [CONFIG_PAGE_2M] = "2m",
		[CONFIG_PAGE_THP] = "thp", [CONFIG_PAGE_4K] = "4k"};
	return names[pool->config->page];
}

json_t *report_bounds(const struct pool *pool)
{
	const struct config_pool *config = pool->config;
	json_t *bounds = json_array();
	add_memory(pool, &bounds);
	report_append(&bounds, bound("max_caches", "", count_caches(pool),
	                             config->max_caches));
	add_clients(pool, &bounds);
	report_append(&bounds, bound("max_roots", "", roots_n(pool),
	                             config->max_roots));
	add_channels(pool, &bounds);
	return bounds;
}

const char report_taken_remedy[] =
	"slabctl pool, and slabctl clients, roots or channels show whose they "
	"are; or raise it in slabd.conf, and reload slabd";

/* One that no client uses makes room for another cache, and of memory other
 * reports tell. What a process or a user may have is not asked where the pool has
 * no more. */
static bool is_taken(const struct pool *pool, const char *key, const char *whose,
                     json_int_t used, json_int_t most)
{
	static const char clients[] = "max_clients";
	if (strncmp(key, clients, strlen(clients)) != 0 &&
	    strcmp(key, "max_roots") != 0 && strcmp(key, "max_channels") != 0)
		return false;
	return most > 0 && used >= most &&
	       (whose == NULL || most < (json_int_t)pool->config->max_clients);
}

bool report_next_taken(const struct pool *pool, json_t *bounds, size_t *at,
                       char text[REPORT_TAKEN_BYTES])
{
	while (*at < json_array_size(bounds)) {
		const json_t *bound = json_array_get(bounds, (*at)++);
		const char *key = json_string_value(json_object_get(bound, "key"));
		const char *whose = /* or null */
			json_string_value(json_object_get(bound, "whose"));
		json_int_t most =
			json_integer_value(json_object_get(bound, "most"));
		if (key == NULL ||
		    !is_taken(pool, key, whose,
		              json_integer_value(json_object_get(bound, "used")),
		              most))
			continue;
		snprintf(text, REPORT_TAKEN_BYTES,
		         "all of its %s = %lld are taken%s%s: more are refused",
		         key, (long long)most, whose != NULL ? " by " : "",
		         whose != NULL ? whose : "");
		return true;
	}
	return false;
}

json_t *report_pool(struct report *r, struct pool *pool)
{
	const struct config_pool *config = pool->config;
	(void)r;
	return json_pack("{s:s, s:I, s:I, s:b, s:o, s:o, s:o}", "page",
	                 page_name(pool), "start_bytes",
	                 report_count(config->start_bytes), "floor_bytes",
	                 report_count(config->floor_bytes == UINT64_MAX
	                                      ? config->start_bytes
	                                      : config->floor_bytes),
	                 "leaving", config->leaving, "users",
	                 ids_doc(&config->users), "groups",
	                 ids_doc(&config->groups), "bounds", report_bounds(pool));
}
