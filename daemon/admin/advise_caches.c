/* SPDX-License-Identifier: MIT */
/* Caches whose slots, slabs or magazines have more than need be. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/admin/advise.h"

#define SIZE_PART 8u       /* a smaller object is at most so much smaller */
#define PINNED_PERCENT 25u /* of a cache's slabs, to be worth a word */
#define HELD_PERCENT 25u
#define LEAST_BYTES ADVISE_MIB
#define FEW_PART 8u  /* of a slab, in use: a cache that is hardly used */
#define FEW_CACHES 4u
#define RUN_LEAST 4u /* objects a miss, below which magazines are small */
#define MISSES_LEAST 100000u

/* One cache over all nodes. */
struct cache_use {
	const struct layout_cache *row;
	uint64_t slab_bytes, slabs, empty;
	uint64_t owned, used, held, free; /* objects */
};

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
		advise_say(list, pool, row->name, "align",
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
	snprintf(todo, sizeof(todo), "make its type %u byte%s smaller, if it can "
	         "be", row->size - less, row->size - less == 1 ? "" : "s");
	advise_say(list, pool, row->name, "size", now - bytes_as(&other, use->owned),
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
	advise_say(list, pool, use->row->name, "spread", have - need,
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
	advise_say(list, pool, use->row->name, "held", bytes,
		   "less thread_bytes or process_bytes in slabd_options, or "
		   "slabd_thread_idle before threads sleep",
		   "%" PRIu64 " of %" PRIu64 " objects that clients have are free in "
		   "their magazines and depots", use->held, use->used + use->held);
}

/* Objects that are never filled to their end. False: nothing was said. */
static bool advise_unused(json_t **list, const struct pool *pool,
                          const struct cache_use *use,
                          const struct advise_filled *filled)
{
	const struct layout_cache *row = use->row;
	uint64_t now = bytes_as(row, use->owned);
	struct layout_cache less;
	if (!advise_filled_less(filled, pool, row, &less) ||
	    bytes_as(&less, use->owned) >= now)
		return false;
	advise_say(list, pool, row->name, "unused",
		   now - bytes_as(&less, use->owned),
		   "a type without its last part, if that is unused: zeros at the "
		   "end of an object look so, and slabctl advise --trace tells "
		   "them apart",
		   "objects of %u bytes hold at most %u: behind these there are "
		   "zeros alone in the %u that were looked at; a cache of %u would "
		   "take %u%% less", row->size, filled->most_bytes,
		   filled->looked, less.size,
		   (row->stride - less.stride) * 100 / row->stride);
	return true;
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
	advise_say(list, pool, NULL, "few", bytes - need,
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
		    objects / misses >= RUN_LEAST || n++ >= ADVISE_CLIENTS_MAX)
			continue;
		advise_say(list, pool, NULL, "magazine", 0,
			   "more thread_bytes or process_bytes in its slabd_options; "
			   "or a larger max, of which a quarter may be held",
			   "client %u (pid %d, %.16s) gets %" PRIu64 " objects at a "
			   "time from slabs, %" PRIu64 " times so far: its magazines "
			   "have no room for more", id, row->pid, row->comm,
			   objects / misses, misses);
	}
}

json_t *advise_caches(json_t **list, const struct pool *pool,
                      const struct usage *usage,
                      const struct advise_filled *filled)
{
	json_t *caches = json_array();
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		struct cache_use use;
		if (!pool_has_cache(pool, cache))
			continue;
		use = use_of(pool, usage, cache);
		report_append(&caches,
		              advise_filled_doc(cache_doc(&use, cache),
		                                &filled[cache - 1]));
		if (use.owned == 0)
			continue;
		if (!advise_unused(list, pool, &use, &filled[cache - 1]))
			advise_slots(list, pool, &use);
		advise_pinned(list, pool, &use);
		advise_held(list, pool, &use);
	}
	advise_few(list, pool, usage);
	advise_magazines(list, pool);
	return caches;
}
