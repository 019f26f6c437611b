/* SPDX-License-Identifier: MIT */
#include "daemon/admin/owned.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/proc.h"
#include "daemon/pool/caches.h"
#include "shm/slab.h"

#define THREADS_MAX 256u /* of a process: a few ms of the loop */

/* ---- parameters --------------------------------------------------------- */

static bool has_client(const struct report *r, uint64_t id)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct pool *pool = r->pool[i];
		uint64_t state;
		if (id > pool->head->top_id)
			continue;
		state = atom_load(&pool->view.clients[id].word) & 0xff;
		if (state == CLIENT_LIVE || state == CLIENT_DEAD)
			return true;
	}
	return false;
}

static uint32_t param_client(struct report *r)
{
	uint64_t id = report_param_count(r, "client", 1, CLIENT_ID_MAX, 0);
	char what[48];
	if (id == 0 || !report_good(r) || has_client(r, id))
		return (uint32_t)id;
	snprintf(what, sizeof(what), "no client %u", (unsigned)id);
	report_fail(r, HTTP_NOTFOUND, what,
	            "slabctl clients shows which there are");
	return 0;
}

void owned_params(struct report *r, struct owned_filter *filter)
{
	filter->cache = report_param_cache(r, false);
	filter->node = report_param_node(r, "node", false);
	filter->client = param_client(r);
}

bool owned_wants(const struct pool *pool, const struct owned_filter *filter,
                 const struct usage_slab *slab)
{
	if (filter->cache != NULL &&
	    slab->cache != caches_find(pool, filter->cache))
		return false;
	return filter->node == PLAN_NONE || slab->home == filter->node;
}

void owned_named_params(struct report *r, struct owned_named *named)
{
	owned_params(r, &named->filter);
	named->name = admin_query_get(r->query, "name");
}

bool owned_is_named(const struct owned_named *named, const char *name)
{
	return named->name == NULL || fnmatch(named->name, name, 0) == 0;
}

/* ---- counting ----------------------------------------------------------- */

/* Room for a pool: for its caches, those too that are made before all is
 * counted. NULL without memory. */
static struct owned *begin(struct report *r, const struct pool *pool,
                           const struct owned_filter *filter)
{
	const struct layout_geometry *geo = &pool->view.geo;
	struct report_job *job = r->job;
	struct owned *owned = job->own;
	uint64_t n = filter->client == 0
	                     ? 0
	                     : (uint64_t)geo->n_caches * geo->n_nodes;
	if (owned != NULL && owned->pool == pool)
		return owned;
	free(owned);
	owned = job->own =
		calloc(1, sizeof(*owned) + n * sizeof(owned->cell[0]));
	if (owned == NULL) {
		*r->status = HTTP_INTERNAL;
		return NULL;
	}
	owned->pool = pool;
	owned->n_nodes = geo->n_nodes;
	return owned;
}

static void count_slab(struct owned *owned, const struct usage_slab *slab,
                       uint32_t client)
{
	const struct view *view = &owned->pool->view;
	const struct layout_cache *row = &view->caches[slab->cache - 1];
	const uint16_t *tags = slab_tags(view, slab->head);
	uint64_t *objects = owned->tally.objects;
	uint64_t all = objects[client];
	uint64_t given = objects[client | TAG_KNOWN];
	struct owned_cell *cell;
	tags_tally_srv(tags, slab_gen_of(view, tags), row->n_objs, row->stride,
	               &owned->tally);
	if (client == 0)
		return;
	cell = &owned->cell[(uint64_t)(slab->cache - 1) * owned->n_nodes +
	                    slab->home];
	cell->objects += objects[client] - all;
	cell->given += objects[client | TAG_KNOWN] - given;
}

struct owned *owned_count(struct report *r, struct pool *pool,
                          const struct owned_filter *filter)
{
	const struct layout_cache *rows = pool->view.caches;
	struct report_job *job = r->job;
	struct owned *owned = begin(r, pool, filter);
	struct usage_slab slab;
	if (owned == NULL || owned->counted)
		return owned;
	if (!report_slice(r))
		return NULL;
	for (; usage_next(pool, job->at, &slab);
	     job->at = slab.head + (1u << rows[slab.cache - 1].order)) {
		job->at = slab.head;
		if (report_slice_ends(r))
			return NULL;
		if (owned_wants(pool, filter, &slab))
			count_slab(owned, &slab, filter->client);
	}
	json_decref(report_items(r));
	owned->counted = true;
	return owned;
}

bool owned_match(struct report *r, struct pool *pool,
                 const struct owned_filter *filter, struct owned **owned)
{
	struct owned_filter there = *filter;
	there.client = 0;
	*owned = NULL;
	if (filter->cache == NULL && filter->node == PLAN_NONE)
		return true;
	*owned = owned_count(r, pool, &there);
	return *owned != NULL;
}

json_t *owned_matched(const struct owned *owned, uint32_t id)
{
	return json_pack("{s:I, s:I}", "matched_objects",
	                 report_count(owned->tally.objects[id]),
	                 "matched_bytes",
	                 report_count(owned->tally.bytes[id]));
}

uint32_t owned_in_slab(const struct pool *pool, const struct usage_slab *slab,
                       uint32_t client)
{
	const uint16_t *tags = slab_tags(&pool->view, slab->head);
	uint32_t n_objs = pool->view.caches[slab->cache - 1].n_objs;
	uint32_t n = 0;
	for (uint32_t i = 0; i < n_objs; i++)
		n += TAG_OWNER(atom_load(&tags[i])) == client;
	return n;
}

/* ---- lists -------------------------------------------------------------- */

bool owned_lists(struct report *r, uint32_t client)
{
	const struct owned_wanted *wanted = r->arg;
	if (client != 0 && wanted->filter.client != 0 &&
	    wanted->filter.client != client)
		return false;
	return ++r->job->total <= wanted->limit;
}

json_t *owned_list(struct report *r, struct pool *pool, const char *key,
                   owned_add *add)
{
	const struct layout_cache *rows = pool->view.caches;
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
		add(r, pool, &slab);
	}
	total = job->total;
	job->total = 0;
	return json_pack("{s:I, s:o}", "total", total, key, report_items(r));
}

/* ---- documents ---------------------------------------------------------- */

static json_t *cell_doc(const struct pool *pool, uint32_t cache, uint32_t node,
                        const struct owned_cell *cell, bool known)
{
	uint64_t stride = pool->view.caches[cache - 1].stride;
	return json_pack("{s:i, s:o, s:i, s:I, s:I, s:o, s:I}", "id", cache, "cache",
	                 report_text(pool->view.caches[cache - 1].name), "node",
	                 pool->view.nodes[node].os_id, "objects",
	                 report_count(cell->objects), "bytes",
	                 report_count(cell->objects * stride), "held_objects",
	                 known ? json_integer(report_count(cell->held))
	                       : json_null(),
	                 "given_objects",
	                 report_count(cell->given));
}

json_t *owned_caches(const struct pool *pool, const struct owned *owned,
                     bool known)
{
	json_t *list = json_array();
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < owned->n_nodes; node++) {
			const struct owned_cell *cell =
				&owned->cell[(uint64_t)(cache - 1) *
			                             owned->n_nodes +
			                     node];
			if (cell->objects > 0)
				report_append(&list, cell_doc(pool, cache, node,
				                              cell, known));
		}
	return list;
}

struct threads {
	const struct topo *topo;
	unsigned n[TOPO_NODES_MAX];
};

static void add_thread(void *arg, unsigned cpu)
{
	struct threads *threads = arg;
	uint8_t node = cpu < TOPO_CPUS_MAX ? threads->topo->cpu_node[cpu]
	                                   : TOPO_NODE_NONE;
	if (node < threads->topo->n_nodes)
		threads->n[node]++;
}

json_t *owned_threads(const struct pool *pool, uint32_t client)
{
	struct threads threads = {.topo = pool->topo};
	json_t *list = json_array();
	int n = -1;
	if (view_client_live(&pool->view, client) &&
	    pool->view.clients[client].pid > 0)
		n = proc_threads(pool->view.clients[client].pid, THREADS_MAX,
		                 add_thread, &threads);
	if (n < 0) {
		json_decref(list);
		return json_pack("{s:n, s:[]}", "threads", "thread_nodes");
	}
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (threads.n[node] > 0)
			report_append(&list,
			              json_pack("{s:i, s:i}", "node",
			                        pool->view.nodes[node].os_id,
			                        "threads", threads.n[node]));
	return json_pack("{s:i, s:o}", "threads", n, "thread_nodes", list);
}
