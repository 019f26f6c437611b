/* SPDX-License-Identifier: MIT */
/*
 * What a collector of metrics asks for, as OpenMetrics. As many samples as there
 * are nodes, and at most so many caches and clients, those with most memory: a
 * collector keeps a series for each as long as it keeps anything.
 */
#include "daemon/admin/report.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/admin/openmetrics.h"
#include "daemon/base/clock.h"
#include "daemon/base/spread.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/work.h"
#include "daemon/serve/guardian.h"

#define CACHES_SHOWN 128u
#define CLIENTS_SHOWN 64u

#define TABLE(prefix, columns)                                                 \
	{prefix, columns, sizeof(columns) / sizeof(columns[0]), 0, 0, NULL}

static const struct openmetrics_column pool_columns[] = {
	{"ready_bytes", "Memory faulted in.", false},
	{"metadata_bytes", "Memory of the pool's books.", false},
	{"clients", "Clients that have the pool open.", false},
	{"caches", "Caches that there are.", false},
	{"omitted", "Caches and clients too many to have samples.", false},
	{"untold", "Clients that did not say in time what they hold: it counts as "
	           "used.", false},
	{"deaths", "Clients that ended without a goodbye.", true},
	{"goodbyes", "Clients that closed the pool.", true},
	{"swept_objects", "Objects of dead clients that came back.", true},
	{"rings", "Shortages that clients told of.", true},
	{"denied", "Shortages that could not be relieved.", true},
	{"grown_slabs", "Slabs carved.", true},
	{"taken_slabs", "Slabs emptied for another cache.", true},
	{"trims", "Times that clients were asked to trim.", true},
	{"stray_pages", "Pages that the kernel moved by itself.", true},
};

static const struct openmetrics_column node_columns[] = {
	{"max_bytes", "The most that the pool may have here.", false},
	{"ready_bytes", "Memory of the node's file that is faulted in.", false},
	{"empty_bytes", "Faulted in, and no slab's.", false},
	{"carved_bytes", "Memory of slabs at home here.", false},
	{"used_bytes", "Memory of objects in use, at home here.", false},
	{"held_bytes", "Free objects in clients' magazines and depots.", false},
	{"free_bytes", "Memory of free objects.", false},
	{"lent_bytes", "Slabs on another node's list.", false},
	{"borrowed_bytes", "Other nodes' slabs on the list of this one.", false},
	{"draining", "Whether the node is to be emptied.", false},
	{"pressure", "0: the kernel has memory there, 1: it is short of it, "
	             "2: very short.", false},
};

static const struct openmetrics_column cache_columns[] = {
	{"slab_bytes", "Memory of its slabs.", false},
	{"used_objects", "Objects in use.", false},
	{"held_objects", "Free ones in clients' magazines and depots.", false},
	{"free_objects", "Free ones.", false},
	{"waste_bytes", "Memory of slabs that no object can have.", false},
	{"openers", "Clients that have it open.", false},
};

static const struct openmetrics_column cell_columns[] = {
	{"used_objects", "Objects in use, at home on the node.", false},
	{"lent_slabs", "Slabs of that home on another node's list.", false},
};

static const struct openmetrics_column client_columns[] = {
	{"owned_bytes", "Memory of objects that it owns.", false},
	{"held_bytes", "Free ones among them, in magazines and depots.", false},
	{"refills", "Times that it took objects from partial lists.", true},
	{"flushes", "Times that it gave some back there.", true},
	{"remote_allocs", "Objects taken from another node.", true},
	{"remote_frees", "Objects of another node that it freed.", true},
	{"waits", "Times that it waited for memory.", true},
	{"failures", "Allocations that failed.", true},
	{"resumes", "Restarts of slabd that it went through.", true},
};

static const enum stats_word client_words[] = {
	STAT_REFILLS, STAT_FLUSHES,  STAT_REMOTE_ALLOCS, STAT_REMOTE_FREES,
	STAT_WAITS,   STAT_FAILURES, STAT_RESUMES,
};

struct metrics {
	struct openmetrics_text text;
	struct openmetrics_table pools, nodes, caches, cells, clients;
};

static struct openmetrics_row *row_of(struct metrics *m, struct openmetrics_table *table,
                             const struct pool *pool)
{
	struct openmetrics_row *row = openmetrics_row(&m->text, table);
	if (row != NULL)
		openmetrics_label(row, "pool", pool->name);
	return row;
}

static uint64_t page_bytes(const struct pool *pool, uint64_t pages)
{
	return pages << pool->view.geo.page_shift;
}

/* ---- what has most ------------------------------------------------------- */

struct size {
	uint64_t bytes;
	uint32_t id;
};

static int by_bytes(const void *a, const void *b)
{
	const struct size *x = a;
	const struct size *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->id < y->id ? -1 : 1;
}

/* The ids from 1 to n of those that bytes() counts, the largest first; UINT64_MAX is
 * none. How many; NULL in *list without memory. */
static uint32_t largest(const struct pool *pool, const struct usage *usage,
                        uint32_t n,
                        uint64_t (*bytes)(const struct pool *pool,
                                          const struct usage *usage,
                                          uint32_t id),
                        struct size **list)
{
	struct size *size = malloc((n + 1u) * sizeof(*size));
	uint32_t found = 0;
	*list = size;
	for (uint32_t id = 1; size != NULL && id <= n; id++) {
		size[found] = (struct size){bytes(pool, usage, id), id};
		if (size[found].bytes != UINT64_MAX)
			found++;
	}
	if (size != NULL)
		qsort(size, found, sizeof(*size), by_bytes);
	return found;
}

static uint64_t bytes_of_cache(const struct pool *pool,
                               const struct usage *usage, uint32_t cache)
{
	uint64_t slabs = 0;
	if (!pool_has_cache(pool, cache))
		return UINT64_MAX;
	for (uint32_t node = 0; node < usage->n_nodes; node++)
		slabs += usage_cell(usage, cache, node)->slabs;
	return slabs * report_slab_bytes(pool, cache);
}

static uint64_t bytes_of_client(const struct pool *pool,
                                const struct usage *usage, uint32_t id)
{
	return view_client_live(&pool->view, id) ? usage->owners->bytes[id]
	                                         : UINT64_MAX;
}

/* ---- the tables ---------------------------------------------------------- */

static void add_node(struct metrics *m, const struct pool *pool,
                     const struct usage *usage, uint32_t node)
{
	const struct layout_node *at = &pool->view.nodes[node];
	struct openmetrics_row *row = row_of(m, &m->nodes, pool);
	struct report_sums sums = {0};
	uint64_t *value;
	if (row == NULL)
		return;
	openmetrics_label_number(row, "node", at->os_id);
	report_sum(pool, usage, node, &sums);
	value = row->value;
	*value++ = at->n_units << UNIT_SHIFT;
	*value++ = page_bytes(pool, at->resident_pages);
	*value++ = pages_free_units(&pool->pages, node) << UNIT_SHIFT;
	*value++ = sums.carved_bytes;
	*value++ = sums.used_bytes;
	*value++ = sums.held_bytes;
	*value++ = sums.free_bytes;
	*value++ = sums.lent_bytes;
	*value++ = sums.borrowed_bytes;
	*value++ = at->drain != 0;
	*value++ = (uint64_t)balance_pressure(pool, node);
}

static void add_cell(struct metrics *m, const struct pool *pool,
                     const struct usage_cell *cell, const char *name,
                     uint32_t node)
{
	struct openmetrics_row *row;
	if (cell->slabs == 0)
		return;
	row = row_of(m, &m->cells, pool);
	if (row == NULL)
		return;
	openmetrics_label(row, "cache", name);
	openmetrics_label_number(row, "node", pool->view.nodes[node].os_id);
	row->value[0] = usage_used(cell);
	row->value[1] = cell->lent;
}

static void add_cache(struct metrics *m, const struct pool *pool,
                      const struct usage *usage, uint32_t cache)
{
	const struct layout_cache *of = &pool->view.caches[cache - 1];
	uint64_t slab_bytes = report_slab_bytes(pool, cache);
	struct openmetrics_row *row = row_of(m, &m->caches, pool);
	if (row == NULL)
		return;
	openmetrics_label(row, "cache", of->name);
	for (uint32_t node = 0; node < usage->n_nodes; node++) {
		const struct usage_cell *cell = usage_cell(usage, cache, node);
		row->value[0] += cell->slabs * slab_bytes;
		row->value[1] += usage_used(cell);
		row->value[2] += cell->held;
		row->value[3] += cell->free;
		row->value[4] += cell->slabs *
		                 (slab_bytes - (uint64_t)of->n_objs * of->size);
		add_cell(m, pool, cell, of->name, node);
	}
	row->value[5] = pool->openers[cache - 1];
}

static void add_client(struct metrics *m, const struct pool *pool,
                       const struct usage *usage, uint32_t id)
{
	const uint64_t *stats = &pool->view.stats[(uint64_t)id * STATS_WORDS];
	struct openmetrics_row *row = row_of(m, &m->clients, pool);
	char name[NAME_BYTES];
	if (row == NULL)
		return;
	clients_name(pool, id, name);
	openmetrics_label_number(row, "client", id);
	openmetrics_label_number(row, "pid", pool->view.clients[id].pid);
	openmetrics_label(row, "name", name);
	row->value[0] = usage->owners->bytes[id];
	row->value[1] = usage->client[id].held_bytes;
	for (size_t i = 0; i < sizeof(client_words) / sizeof(client_words[0]);
	     i++)
		row->value[2 + i] = atom_load(&stats[client_words[i]]);
}

/* Caches and clients; how many are left out. */
static uint64_t add_largest(struct metrics *m, const struct pool *pool,
                            const struct usage *usage)
{
	struct size *list;
	uint32_t n = largest(pool, usage, pool->n_caches, bytes_of_cache,
	                     &list);
	uint64_t omitted = n > CACHES_SHOWN ? n - CACHES_SHOWN : 0;
	for (uint32_t i = 0; i < n && i < CACHES_SHOWN; i++)
		add_cache(m, pool, usage, list[i].id);
	m->text.failed |= list == NULL;
	free(list);
	n = largest(pool, usage, pool->head->top_id, bytes_of_client, &list);
	omitted += n > CLIENTS_SHOWN ? n - CLIENTS_SHOWN : 0;
	for (uint32_t i = 0; i < n && i < CLIENTS_SHOWN; i++)
		add_client(m, pool, usage, list[i].id);
	m->text.failed |= list == NULL;
	free(list);
	return omitted;
}

static void add_pool(struct metrics *m, const struct pool *pool,
                     const struct usage *usage)
{
	const struct pool_counts *counts = &pool->counts;
	struct openmetrics_row *row;
	uint64_t omitted = add_largest(m, pool, usage);
	uint64_t pages = 0;
	uint64_t *value;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		add_node(m, pool, usage, node);
		pages += pool->view.nodes[node].resident_pages;
	}
	row = row_of(m, &m->pools, pool);
	if (row == NULL)
		return;
	value = row->value;
	*value++ = page_bytes(pool, pages);
	*value++ = report_metadata_bytes(pool);
	*value++ = pool->n_clients;
	*value++ = caches_count(pool);
	*value++ = omitted;
	*value++ = usage->unknown;
	*value++ = counts->deaths;
	*value++ = counts->goodbyes;
	*value++ = counts->swept_objects;
	*value++ = counts->rings;
	*value++ = counts->denied;
	*value++ = counts->grown_slabs;
	*value++ = counts->taken_slabs;
	*value++ = counts->trims;
	*value++ = counts->stray_pages;
}

/* ---- times --------------------------------------------------------------- */

/* Of one family; labels end in a comma or are "". */
static void add_spread(struct openmetrics_text *text, const char *name,
                       const char *labels, const uint64_t *bucket,
                       int64_t total_ns)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < TURN_BUCKETS; i++) {
		uint64_t below_us = turn_below_us(i);
		n += bucket[i];
		/* 64 us, 256 us, 1 ms, ... 16.8 s */
		if (below_us >= 64 && below_us < (1u << 25) &&
		    (below_us & (below_us - 1)) == 0 &&
		    __builtin_ctzll(below_us) % 2 == 0)
			openmetrics_print(text, "%s_bucket{%sle=\"%g\"} %llu\n", name,
			         labels, (double)below_us / 1e6,
			         (unsigned long long)n);
	}
	openmetrics_print(text, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels,
	         (unsigned long long)n);
	openmetrics_print(text, "%s_count{%.*s} %llu\n", name,
	         (int)(*labels != '\0' ? strlen(labels) - 1 : 0), labels,
	         (unsigned long long)n);
	openmetrics_print(text, "%s_sum{%.*s} %.6f\n", name,
	         (int)(*labels != '\0' ? strlen(labels) - 1 : 0), labels,
	         (double)total_ns / CLOCK_S);
}

static void add_times(struct report *r, struct openmetrics_text *text)
{
	const struct server *server = r->server;
	const struct turns *turns = turn_counts();
	openmetrics_family(text, "slabd_turn_seconds", "histogram", "seconds",
	          "Turns of the loop, in which nobody else is served.");
	add_spread(text, "slabd_turn_seconds", "", turns->bucket,
	           turns->total_ns);
	openmetrics_family(text, "slabd_sweep_seconds", "histogram", "seconds",
	          "From a client's death until its objects were back.");
	add_spread(text, "slabd_sweep_seconds", "", server->sweeps.bucket,
	           server->sweeps.total_ns);
	openmetrics_family(text, "slabd_growth_seconds", "histogram", "seconds",
	          "Work beside the loop for pages: faulted in, moved, punched.");
	for (unsigned i = 0; i < r->n; i++) {
		const struct spread *took = work_times(r->pool[i]);
		struct openmetrics_row row = {.labels = ""};
		openmetrics_label(&row, "pool", r->pool[i]->name);
		strcat(row.labels, ",");
		if (took != NULL)
			add_spread(text, "slabd_growth_seconds", row.labels,
			           took->bucket, took->total_ns);
	}
}

static void add_gauge(struct openmetrics_text *text, const char *name, const char *unit,
                      const char *help, double value)
{
	openmetrics_family(text, name, "gauge", unit, help);
	openmetrics_print(text, "%s %.6f\n", name, value);
}

static void add_service(struct report *r, struct openmetrics_text *text)
{
	const struct server *server = r->server;
	openmetrics_family(text, "slabd_build", "info", "", "Which slabd it is.");
	openmetrics_print(text, "slabd_build_info{version=\"%s\",layout=\"%u\"} 1\n",
	         PACKAGE_VERSION, LAYOUT_VERSION);
	add_gauge(text, "slabd_uptime_seconds", "seconds",
	          "Since this slabd began to serve.",
	          (double)(clock_ns() - server->started_ns) / CLOCK_S);
	add_gauge(text, "slabd_start_seconds", "seconds",
	          "What its start took, from the program's until it served.",
	          (double)server->start_took_ns / CLOCK_S);
	add_gauge(text, "slabd_supervised", "",
	          "1: somebody keeps what the next slabd needs; 0: nobody does.",
	          guardian_keeps());
	openmetrics_family(text, "slabd_dropped", "counter", "",
	          "Connections dropped, by what they did.");
	for (unsigned i = 0; i < DROPS; i++)
		openmetrics_print(text, "slabd_dropped_total{reason=\"%s\"} %llu\n",
		         drops_name((enum drop)i),
		         (unsigned long long)server->drops.count[i]);
	openmetrics_family(text, "slabd_slowed", "counter", "",
	          "Times that a client was made to wait, as it asked too much.");
	openmetrics_print(text, "slabd_slowed_total %llu\n",
	         (unsigned long long)server->slowed);
}

json_t *report_metrics(struct report *r)
{
	struct metrics m = {
		.pools = TABLE("slabd_pool_", pool_columns),
		.nodes = TABLE("slabd_node_", node_columns),
		.caches = TABLE("slabd_cache_", cache_columns),
		.cells = TABLE("slabd_cache_node_", cell_columns),
		.clients = TABLE("slabd_client_", client_columns),
	};
	openmetrics_begin(&m.text);
	for (unsigned i = 0; i < r->n; i++) {
		const struct usage *usage = report_usage(r, r->pool[i]);
		if (usage == NULL)
			m.text.failed = true;
		else
			add_pool(&m, r->pool[i], usage);
	}
	add_service(r, &m.text);
	openmetrics_write_table(&m.text, &m.pools);
	openmetrics_write_table(&m.text, &m.nodes);
	openmetrics_write_table(&m.text, &m.caches);
	openmetrics_write_table(&m.text, &m.cells);
	openmetrics_write_table(&m.text, &m.clients);
	add_times(r, &m.text);
	return openmetrics_end(&m.text);
}
