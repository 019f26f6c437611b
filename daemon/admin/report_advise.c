/* SPDX-License-Identifier: MIT */
/*
 * Which caches and pools are wider than need be, and what would do better by how
 * much: by what is in use now, as the tags say, by what clients say that they hold,
 * by what some of their objects hold, and by what each node had carved in the last
 * hours.
 *
 * What a program asks for inside of its objects nobody here knows, nor how many hits
 * its magazines have: neither is told to slabd. A trace says it (slabctl advise
 * --trace).
 */
#include <stdlib.h>

#include "daemon/admin/advise.h"
#include "daemon/admin/owned.h"
#include "daemon/serve/sampling.h"

#define SCHEMA 1 /* as slabctl(1) says */

/* What is seen in the slabs of a pool: the job's own. */
struct seen {
	const struct pool *pool;
	struct advise_filled filled[]; /* by cache - 1, of those to come, too */
};

/* NULL without memory. */
static struct seen *seen_of(struct report *r, const struct pool *pool)
{
	struct seen *seen = r->job->own;
	if (seen != NULL && seen->pool == pool)
		return seen;
	free(seen);
	seen = calloc(1, sizeof(*seen) + pool->view.geo.n_caches *
	                                         sizeof(seen->filled[0]));
	if (seen == NULL)
		*r->status = HTTP_INTERNAL;
	else
		seen->pool = pool;
	r->job->own = seen;
	return seen;
}

static void look(struct report *r, const struct pool *pool,
                 const struct usage_slab *slab)
{
	struct seen *seen = r->job->own;
	advise_objpools(r, pool, slab);
	advise_filled_look(&seen->filled[slab->cache - 1], pool, r->arg, slab);
}

/* In slices: NULL until the last. */
static json_t *look_at_slabs(struct report *r, struct pool *pool,
                             struct usage *usage)
{
	json_t *doc, *list;
	if (usage == NULL || seen_of(r, pool) == NULL)
		return NULL;
	r->arg = usage;
	doc = owned_list(r, pool, "advice", look);
	list = json_incref(json_object_get(doc, "advice"));
	json_decref(doc);
	return list;
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	struct usage *usage = report_usage(r, pool);
	json_t *list = look_at_slabs(r, pool, usage);
	struct seen *seen = r->job->own;
	struct advise_marks marks;
	json_t *caches, *keys;
	if (list == NULL)
		return NULL;
	caches = advise_caches(&list, pool, usage, seen->filled);
	keys = json_array();
	advise_pool(&list, &keys, r, pool, &marks);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
	                 "start_bytes", report_count(marks.start),
	                 "floor_bytes", report_count(marks.floor), "max_bytes",
	                 report_count(marks.max), "span_s", marks.span_s,
	                 "carved_bytes", report_count(marks.most),
	                 "half_bytes", report_count(marks.half),
	                 "held_unknown", report_count(r->unknown), "caches",
	                 caches, "advice", list, "keys", keys);
}

/* Into its place: what saves most first, then as it came. */
static void put_in_order(json_t *to, json_t *advice)
{
	json_int_t saves =
		json_integer_value(json_object_get(advice, "saves_bytes"));
	size_t at = 0;
	while (at < json_array_size(to) &&
	       json_integer_value(json_object_get(json_array_get(to, at),
	                                          "saves_bytes")) >= saves)
		at++;
	json_array_insert(to, at, advice);
}

/* Takes each pool's advice and keys out of it. */
static void collect(json_t *pools, json_t *advice, json_t *config)
{
	size_t i, k;
	json_t *pool, *one;
	json_array_foreach(pools, i, pool) {
		json_t *keys = json_object_get(pool, "keys");
		json_array_foreach(json_object_get(pool, "advice"), k, one)
			put_in_order(advice, one);
		if (json_array_size(keys) > 0)
			json_array_append_new(
				config,
				json_pack("{s:O, s:O}", "pool",
			                  json_object_get(pool, "name"), "keys",
			                  keys));
		json_object_del(pool, "advice");
		json_object_del(pool, "keys");
	}
}

json_t *report_advise(struct report *r)
{
	json_t *advice, *config, *pools;
	if (r->job->n_pools == 0 && r->job->items == NULL)
		sampling_take(r->server);
	pools = report_list(r, pool_doc);
	if (pools == NULL)
		return NULL;
	advice = json_array();
	config = json_array();
	collect(pools, advice, config);
	return json_pack("{s:i, s:o, s:o, s:o}", "schema", SCHEMA, "advice",
	                 advice, "pools", pools, "config", config);
}
