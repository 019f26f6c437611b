/* SPDX-License-Identifier: MIT */
/*
 * Which caches and pools are wider than need be, and what would do better by how
 * much: by what is in use now, as the tags say, by what clients say that they hold,
 * and by what each node had carved in the last hours.
 *
 * What a program asks for inside of its objects nobody here knows, nor how many hits
 * its magazines have: neither is told to slabd. A trace says it (slabctl advise
 * --trace).
 */
#include "daemon/admin/advise.h"
#include "daemon/serve/sampling.h"

#define SCHEMA 1 /* as slabctl(1) says */

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	json_t *list = advise_objpools(r, pool);
	const struct usage *usage = list ? report_usage(r, pool) : NULL;
	struct advise_marks marks;
	json_t *caches, *keys;
	if (usage == NULL) {
		json_decref(list);
		return NULL;
	}
	caches = advise_caches(&list, pool, usage);
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
