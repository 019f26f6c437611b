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
#include "daemon/admin/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/past.h"
#include "daemon/serve/sampling.h"

#define SCHEMA 1
#define MARKS_MAX 1024u       /* more than a ring has slots */
#define PAGE_STEP (2 * MIB_)  /* sizes are advised in steps of that */
#define MIB_ (UINT64_C(1) << 20)
#define SIZE_PART 8u          /* a smaller object is at most so much smaller */
#define PINNED_PERCENT 25u    /* of a cache's slabs, to be worth a word */
#define HELD_PERCENT 25u
#define LEAST_BYTES MIB_
#define FEW_PART 8u           /* of a slab, in use: a cache that is hardly used */
#define FEW_CACHES 4u
#define RUN_LEAST 4u          /* objects a miss, below which magazines are small */
#define MISSES_LEAST 100000u
#define FULL_PERCENT 90u
#define CLIENTS_MAX 16u
#define SPAN_LEAST_S 3600 /* to call something too large */

/* One cache over all nodes. */
struct cache_use {
	const struct layout_cache *row;
	uint64_t slab_bytes, slabs, empty;
	uint64_t owned, used, held, free; /* objects */
};

/* What the nodes had carved at a time, the fullest of them each time. */
struct marks {
	uint64_t most, half; /* the greatest; and what half of the time was less */
	int64_t span_s;
};

/* What a pool is given by its configuration, of each node. */
struct pool_given {
	uint64_t start, floor, max;
};

/* cache NULL: of the pool as a whole. */
__attribute__((format(printf, 7, 8))) static void
advise(json_t **list, const struct pool *pool, const char *cache,
       const char *kind, uint64_t saves, const char *todo, const char *format,
       ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_append(list,
	              json_pack("{s:o, s:o, s:s, s:I, s:o, s:o}", "pool",
	                        report_text(pool->name), "cache",
	                        cache != NULL ? report_text(cache) : json_null(),
	                        "kind", kind, "saves_bytes",
	                        report_count(saves), "what", report_text(text),
	                        "todo", report_text(todo)));
}

/* ---- a cache ------------------------------------------------------------- */

static struct cache_use use_of(const struct pool *pool,
                               const struct usage *usage, uint32_t cache)
{
	struct cache_use use = {
		.row = &pool->view.caches[cache - 1],
		.slab_bytes = report_slab_bytes(pool, cache),
	};
	for (uint32_t node = 0; node < usage->n_nodes; node++) {
		const struct usage_cell *cell = usage_cell(usage, cache, node);
		use.slabs += cell->slabs;
		use.empty += cell->empty;
		use.free += cell->free;
		use.owned += cell->objects - cell->free;
		use.held += cell->held;
		use.used += usage_used(cell);
	}
	return use;
}

/* Slabs of another shape that would hold what is owned, in bytes. */
static uint64_t bytes_as(const struct layout_cache *row, uint64_t n)
{
	return (n + row->n_objs - 1) / row->n_objs *
	       (UNIT_BYTES << row->order);
}

/* Slots of another alignment or of slightly smaller objects, of which more fit into
 * a slab: the better of the two. */
static void advise_slots(json_t **list, const struct pool *pool,
                         const struct cache_use *use)
{
	const struct layout_cache *row = use->row;
	uint64_t now = bytes_as(row, use->owned);
	uint32_t less = (uint32_t)(use->slab_bytes / (row->n_objs + 1)) /
	                row->align * row->align;
	struct layout_cache other = *row;
	char todo[256];
	if (row->align > 8 &&
	    layout_fit_cache(pool->view.geo.page_shift, row->size, 8, &other) == 0 &&
	    bytes_as(&other, use->owned) < now) {
		advise(list, pool, row->name, "align",
		       now - bytes_as(&other, use->owned),
		       "slabd_cache_create with an alignment of 8, if its type "
		       "needs no more",
		       "objects of %u bytes are in slots of %u, as they are "
		       "aligned to %u: aligned to 8 they would be in %u",
		       row->size, row->stride, row->align, other.stride);
		return;
	}
	if (less == 0 || less >= row->size ||
	    row->size - less > row->size / SIZE_PART ||
	    layout_fit_cache(pool->view.geo.page_shift, less, row->align, &other) < 0 ||
	    bytes_as(&other, use->owned) >= now)
		return;
	snprintf(todo, sizeof(todo), "make its type %u bytes smaller, if it can "
	         "be", row->size - less);
	advise(list, pool, row->name, "size", now - bytes_as(&other, use->owned),
	       todo, "%u objects of %u bytes fit into a slab, of %u bytes %u "
	       "would", row->n_objs, row->size, less, other.n_objs);
}

/* Slabs that some objects keep from being given back. */
static void advise_pinned(json_t **list, const struct pool *pool,
                          const struct cache_use *use)
{
	uint64_t need = bytes_as(use->row, use->owned);
	uint64_t have = (use->slabs - use->empty) * use->slab_bytes;
	if (have <= need || have - need < LEAST_BYTES ||
	    have - need < have / 100 * PINNED_PERCENT)
		return;
	advise(list, pool, use->row->name, "spread", have - need,
	       "give objects that live long a cache of their own, apart from "
	       "those that go soon",
	       "%" PRIu64 " slabs have something in use, and %" PRIu64
	       " would hold all of it: objects that stay keep the slabs of those "
	       "that went", use->slabs - use->empty, need / use->slab_bytes);
}

static void advise_held(json_t **list, const struct pool *pool,
                        const struct cache_use *use)
{
	uint64_t bytes = use->held * use->row->stride;
	if (bytes < LEAST_BYTES ||
	    use->held < (use->used + use->held) / 100 * HELD_PERCENT)
		return;
	advise(list, pool, use->row->name, "held", bytes,
	       "less thread_bytes or process_bytes in slabd_options, or "
	       "slabd_thread_idle before threads sleep",
	       "%" PRIu64 " of %" PRIu64 " objects that clients have are free in "
	       "their magazines and depots", use->held, use->used + use->held);
}

static json_t *cache_doc(const struct cache_use *use, uint32_t id)
{
	const struct layout_cache *row = use->row;
	return json_pack("{s:i, s:o, s:i, s:i, s:i, s:I, s:i, s:I, s:I, s:I, "
	                 "s:I, s:I, s:I}",
	                 "id", id, "name", report_text(row->name), "size",
	                 row->size, "stride", row->stride, "align", row->align,
	                 "slab_bytes", report_count(use->slab_bytes),
	                 "objects_per_slab", row->n_objs, "slabs",
	                 report_count(use->slabs), "used",
	                 report_count(use->used), "held",
	                 report_count(use->held), "bytes",
	                 report_count(use->slabs * use->slab_bytes),
	                 "slot_waste_bytes",
	                 report_count(use->owned * (row->stride - row->size)),
	                 "free_bytes", report_count(use->free * row->stride));
}

/* ---- a pool's caches and clients ------------------------------------------ */

/* Many caches with next to nothing in them take a slab each. */
static void advise_few(json_t **list, const struct pool *pool,
                       const struct usage *usage)
{
	uint64_t bytes = 0, need = 0;
	unsigned n = 0;
	const char *name = "";
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		struct cache_use use;
		if (!pool_has_cache(pool, cache))
			continue;
		use = use_of(pool, usage, cache);
		if (use.owned == 0 || use.slabs == 0 ||
		    use.owned > use.slabs * use.row->n_objs / FEW_PART)
			continue;
		name = use.row->name;
		bytes += (use.slabs - use.empty) * use.slab_bytes;
		need += use.owned * use.row->stride;
		n++;
	}
	if (n < FEW_CACHES || bytes - need < LEAST_BYTES)
		return;
	advise(list, pool, NULL, "few", bytes - need,
	       "one cache for types of about one size, as large as the largest of "
	       "them",
	       "%u caches, %s among them, have less than an eighth of their slabs "
	       "in use", n, name);
}

/* A client wrote these counts itself: nothing comes of them but the words. */
static void advise_magazines(json_t **list, const struct pool *pool)
{
	unsigned n = 0;
	for (uint32_t id = 1; id <= pool->head->top_id; id++) {
		const struct layout_client *row = &pool->view.clients[id];
		uint64_t misses = report_stat(pool, id, STAT_REFILLS);
		uint64_t objects = report_stat(pool, id, STAT_REFILLED);
		if (!view_client_live(&pool->view, id) || misses < MISSES_LEAST ||
		    objects / misses >= RUN_LEAST || n++ >= CLIENTS_MAX)
			continue;
		advise(list, pool, NULL, "magazine", 0,
		       "more thread_bytes or process_bytes in its slabd_options; "
		       "or a larger max, of which a quarter may be held",
		       "client %u (pid %d, %.16s) gets %" PRIu64 " objects at a "
		       "time from slabs, %" PRIu64 " times so far: its magazines "
		       "have no room for more", id, row->pid, row->comm,
		       objects / misses, misses);
	}
}

/* ---- what a pool has, and needs ------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static uint64_t carved_of(const struct pool *pool, const struct past_sample *s)
{
	uint64_t most = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		most = s->node[node].carved > most ? s->node[node].carved : most;
	return most;
}

/* False: nothing is known of its past. */
static bool marks_of(struct report *r, const struct pool *pool,
                     struct marks *marks)
{
	static uint64_t carved[MARKS_MAX];
	const struct past *past = sampling_past(r->server, pool);
	const struct past_sample *s;
	int64_t first_ns = INT64_MAX, last_ns = 0;
	unsigned ring, n = 0;
	memset(marks, 0, sizeof(*marks));
	if (past == NULL)
		return false;
	ring = past_ring(past, PAST_SPAN_MAX_S * CLOCK_S);
	while (n < MARKS_MAX && (s = past_next(past, ring, last_ns)) != NULL) {
		first_ns = s->at_ns < first_ns ? s->at_ns : first_ns;
		last_ns = s->at_ns;
		carved[n++] = carved_of(pool, s);
	}
	if (n == 0)
		return false;
	qsort(carved, n, sizeof(carved[0]), by_value);
	marks->most = carved[n - 1];
	marks->half = carved[n / 2];
	marks->span_s = (last_ns - first_ns) / CLOCK_S;
	return true;
}

static uint64_t step_up(uint64_t bytes)
{
	uint64_t n = (bytes + PAGE_STEP - 1) / PAGE_STEP;
	return (n > 0 ? n : 1) * PAGE_STEP;
}

/* Of the smallest node: one section of configuration is there for all. */
static struct pool_given given_of(const struct pool *pool)
{
	const struct config_pool *config = pool->config;
	struct pool_given given = {
		.start = config->start_bytes,
		.floor = config->floor_bytes == UINT64_MAX ? config->start_bytes
	                                                   : config->floor_bytes,
		.max = UINT64_MAX,
	};
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t max = pool->view.nodes[node].n_units << UNIT_SHIFT;
		uint64_t most = pool->backing.node[node].most_bytes;
		if (most != 0 && most < max)
			max = most;
		if (max > 0 && max < given.max)
			given.max = max;
	}
	return given;
}

static void set_key(json_t **keys, const char *key, uint64_t bytes,
                    const char *why)
{
	char value[32];
	snprintf(value, sizeof(value), "%" PRIu64 "M", bytes / MIB_);
	report_append(keys, json_pack("{s:s, s:s, s:s}", "key", key, "value",
	                              value, "why", why));
}

static unsigned long long mib(uint64_t bytes)
{
	return bytes / MIB_;
}

static const char *todo_of(char text[64], const char *key, uint64_t bytes)
{
	snprintf(text, 64, "%s = %lluM in slabd.conf", key, mib(bytes));
	return text;
}

static void advise_start(json_t **list, json_t **keys, const struct pool *pool,
                         const struct pool_given *given,
                         const struct marks *marks)
{
	uint64_t want = step_up(marks->most);
	uint32_t n = pool->view.geo.n_nodes;
	char todo[64];
	if (want > given->max)
		want = given->max / PAGE_STEP * PAGE_STEP;
	if (want > given->start && marks->most > given->start)
		advise(list, pool, NULL, "start", 0,
		       todo_of(todo, "start", want),
		       "a node had up to %llu MiB carved, and begins with %llu: "
		       "the rest was made while clients waited",
		       mib(marks->most), mib(given->start));
	else if (want <= given->start / 2 && marks->span_s >= SPAN_LEAST_S)
		advise(list, pool, NULL, "start", (given->start - want) * n,
		       todo_of(todo, "start", want),
		       "a node begins with %llu MiB, and had up to %llu carved",
		       mib(given->start), mib(marks->most));
	else
		return;
	set_key(keys, "start", want, "the most that a node had carved");
}

static void advise_floor(json_t **list, json_t **keys, const struct pool *pool,
                         const struct pool_given *given,
                         const struct marks *marks)
{
	uint64_t want = step_up(marks->half);
	char todo[64];
	if (want > given->floor / 2 || marks->span_s < SPAN_LEAST_S)
		return;
	advise(list, pool, NULL, "floor",
	       (given->floor - want) * pool->view.geo.n_nodes,
	       todo_of(todo, "floor", want),
	       "%llu MiB are kept ready on a node, and half of the time it had "
	       "%llu carved", mib(given->floor), mib(marks->half));
	set_key(keys, "floor", want, "what a node has half of the time");
}

static void advise_max(json_t **list, json_t **keys, const struct pool *pool,
                       const struct pool_given *given,
                       const struct marks *marks)
{
	char todo[64];
	if (marks->most < given->max / 100 * FULL_PERCENT)
		return;
	advise(list, pool, NULL, "max", 0,
	       todo_of(todo, "max", step_up(given->max * 2)),
	       "a node had %llu of the %llu MiB carved that it may take",
	       mib(marks->most), mib(given->max));
	set_key(keys, "max", step_up(given->max * 2),
	        "twice what it was, which was nearly used up");
}

/* ---- a pool ---------------------------------------------------------------- */

static json_t *caches_doc(json_t **list, const struct pool *pool,
                          const struct usage *usage)
{
	json_t *caches = json_array();
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		struct cache_use use;
		if (!pool_has_cache(pool, cache))
			continue;
		use = use_of(pool, usage, cache);
		report_append(&caches, cache_doc(&use, cache));
		if (use.owned == 0)
			continue;
		advise_slots(list, pool, &use);
		advise_pinned(list, pool, &use);
		advise_held(list, pool, &use);
	}
	advise_few(list, pool, usage);
	advise_magazines(list, pool);
	return caches;
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct usage *usage = report_usage(r, pool);
	struct pool_given given = given_of(pool);
	json_t *list, *keys, *caches;
	struct marks marks;
	bool known;
	if (usage == NULL)
		return NULL;
	list = json_array();
	keys = json_array();
	caches = caches_doc(&list, pool, usage);
	known = marks_of(r, pool, &marks);
	if (known) {
		advise_max(&list, &keys, pool, &given, &marks);
		advise_start(&list, &keys, pool, &given, &marks);
		advise_floor(&list, &keys, pool, &given, &marks);
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
	                 "start_bytes", report_count(given.start),
	                 "floor_bytes", report_count(given.floor), "max_bytes",
	                 report_count(given.max), "span_s", marks.span_s,
	                 "carved_bytes", report_count(marks.most),
	                 "half_bytes", report_count(marks.half),
	                 "held_unknown", report_count(r->unknown), "caches",
	                 caches, "advice", list, "keys", keys);
}

/* ---- of all ---------------------------------------------------------------- */

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
