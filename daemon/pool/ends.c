/* SPDX-License-Identifier: MIT */
#include "daemon/pool/ends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/slabs.h"
#include "daemon/pool/sweep.h"
#include "shm/slab.h"
#include "shm/tags.h"

#define USED_SLABS 1024u

static uint32_t count_slabs(const struct pool *pool, uint32_t cache)
{
	uint32_t n = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		n += *pool_slabs(pool, cache, node);
	return n;
}

/* The next head unit of a slab, from unit on; where no slab is, no word is read,
 * as that would take memory. False at the end. */
static bool next_slab(const struct pool *pool, uint64_t *unit)
{
	const struct pages *pages = &pool->pages;
	uint64_t page = *unit / pages->page_units;
	while ((page = pages_next_used_any(pages, page)) != PAGES_NONE) {
		uint64_t first = page++ * pages->page_units;
		uint64_t end = first + pages->page_units;
		*unit = *unit > first ? *unit : first;
		for (; *unit < end; ++*unit) {
			uint64_t word = pool->view.words[*unit];
			if (WORD_CACHE(word) != 0 && WORD_BACK(word) == 0)
				return true;
		}
	}
	return false;
}

/* ---- who holds it ------------------------------------------------------- */

static void name_client(const struct pool *pool, uint32_t id, char *out,
                        size_t bytes)
{
	const struct layout_client *row = &pool->view.clients[id];
	if (view_client_live(&pool->view, id))
		snprintf(out, bytes, "client %u, %s, pid %d", id, row->comm,
		         row->pid);
	else
		snprintf(out, bytes, "client %u, which has ended", id);
}

static int say_open(struct pool *pool, uint32_t cache, struct remedy *why)
{
	uint64_t bit = UINT64_C(1) << ((cache - 1) % 64);
	uint32_t id = 1;
	char who[64];
	while (id < CLIENT_IDS - 1 &&
	       (pool_opens(pool, id)[(cache - 1) / 64] & bit) == 0)
		id++;
	name_client(pool, id, who, sizeof(who));
	return remedy_set(why, -EBUSY,
	                  "have it closed there, or end the clients",
	                  "%u client%s it open (%s%s)",
	                  pool->openers[cache - 1],
	                  pool->openers[cache - 1] == 1 ? " has" : "s have", who,
	                  pool->openers[cache - 1] == 1 ? "" : " and others");
}

/* Once any is found, so many slabs are enough to say so. False: there was no time
 * for all. */
static bool count_some(const struct pool *pool, struct ends *ends,
                       int64_t until_ns)
{
	const struct view *view = &pool->view;
	uint32_t n_objs = view->caches[ends->cache - 1].n_objs;
	struct ends_used *used = &ends->used;
	if (count_slabs(pool, ends->cache) == 0)
		return true;
	for (; next_slab(pool, &ends->unit); ends->unit++) {
		const uint16_t *tags;
		uint32_t n;
		if (WORD_CACHE(view->words[ends->unit]) != ends->cache)
			continue;
		used->more = used->looks++ >= USED_SLABS && used->objects > 0;
		if (used->more)
			break;
		tags = slab_tags(view, (uint32_t)ends->unit);
		n = n_objs - tags_count_free(tags, n_objs);
		for (uint32_t i = 0; n > 0 && used->owner == 0 && i < n_objs;
		     i++)
			used->owner = TAG_OWNER(atom_load(&tags[i]));
		used->objects += n;
		if (clock_ns() >= until_ns) {
			ends->unit++;
			return false;
		}
	}
	return true;
}

static int say_used(const struct pool *pool, const struct ends_used *used,
                    struct remedy *why)
{
	char who[64] = "";
	if (used->owner < CLIENT_IDS)
		name_client(pool, used->owner, who, sizeof(who));
	return remedy_set(why, -EBUSY,
	                  "have them freed, or end the clients that own them",
	                  "%llu%s of its objects %s in use (%s)",
	                  (unsigned long long)used->objects,
	                  used->more ? " or more" : "",
	                  used->objects == 1 ? "is" : "are", who);
}

/* ---- the end ------------------------------------------------------------ */

/* False: there was no time for all that there were as it began. */
static bool reclaim_some(struct pool *pool, struct ends *ends, int64_t until_ns)
{
	if (count_slabs(pool, ends->cache) == 0)
		return true;
	for (; next_slab(pool, &ends->unit); ends->unit++) {
		if (WORD_CACHE(pool->view.words[ends->unit]) != ends->cache)
			continue;
		ends->held |= slabs_reclaim(pool, (uint32_t)ends->unit) < 0;
		if (count_slabs(pool, ends->cache) == 0)
			return true;
		if (clock_ns() >= until_ns) {
			ends->unit++;
			return false;
		}
	}
	return true;
}

/* What clients that had it open may have left of a want, or a wrong list bit,
 * costs whoever has the row next a look. */
static void clear_wants(struct pool *pool, uint32_t cache)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t ix = (uint64_t)(cache - 1) * pool->view.geo.n_nodes +
		              node;
		/* pairs: view_want_any */
		atom_clear(&pool->view.wants[ix / 64],
		           UINT64_C(1) << (ix % 64));
	}
}

/* Each slice of a sweep has one granule looked at, at least. */
static bool sweep_some(struct pool *pool, uint64_t through, int64_t until_ns)
{
	while (!due_through(&pool->due, through)) {
		sweep_slice(pool, until_ns);
		if (clock_ns() >= until_ns)
			return due_through(&pool->due, through);
	}
	return true;
}

static void enter(struct ends *ends, enum ends_stage stage)
{
	ends->stage = stage;
	ends->unit = 0;
	ends->used = (struct ends_used){.objects = 0};
}

static enum ends_stage after_count(struct pool *pool, const struct ends *ends)
{
	if (ends->used.objects == 0)
		return ENDS_RECLAIM;
	return sweep_is_due(pool) ? ENDS_SWEEP : ENDS_BEGIN;
}

/* Until nothing of it is in use, which is 0, and all its slabs are gone. */
static int empty_some(struct pool *pool, struct ends *ends, int64_t until_ns,
                      struct remedy *why)
{
	while (ends->stage < ENDS_RECLAIM) {
		struct ends_used used;
		bool all = ends->stage == ENDS_SWEEP
		                   ? sweep_some(pool, ends->through, until_ns)
		                   : count_some(pool, ends, until_ns);
		enum ends_stage next = ENDS_RECOUNT;
		if (!all)
			return ENDS_E_LATER;
		used = ends->used;
		if (ends->stage == ENDS_COUNT)
			next = after_count(pool, ends);
		else if (ends->stage == ENDS_RECOUNT)
			next = used.objects > 0 ? ENDS_BEGIN : ENDS_RECLAIM;
		if (next == ENDS_BEGIN)
			return say_used(pool, &used, why);
		ends->through = due_until(&pool->due);
		enter(ends, next);
	}
	if (!reclaim_some(pool, ends, until_ns))
		return ENDS_E_LATER;
	/* Between two calls balance may make one behind where this one is. These are
	 * few, and none comes as long as nobody else is served. */
	ends->unit = 0;
	if (!ends->held)
		(void)reclaim_some(pool, ends, INT64_MAX);
	return !ends->held ? 0
	                   : remedy_set(why, -EBUSY,
	                                "try again; end a client that stands "
	                                "still",
	                                "a client stands in one of its slabs");
}

static void take_row(struct pool *pool, uint32_t cache)
{
	struct layout_cache *row = pool_cache(pool, cache);
	clear_wants(pool, cache);
	row->used_ns = clock_ns();
	/* pairs: view_cache; no unit word names it any more. */
	atom_store_release(&row->state, (uint32_t)CACHE_GONE);
	pool->counts.ended_caches++;
	log_info("pool %s: cache %s of size %u has ended", pool->name,
	         row->name, row->size);
}

/* Somebody had it open since the last call, and may have objects where it was
 * counted: whoever asks again begins anew. */
static bool was_used(const struct pool *pool, const struct ends *ends,
                     uint32_t cache)
{
	return ends->cache == cache && ends->stage != ENDS_BEGIN &&
	       ends->used_ns != pool->view.caches[cache - 1].used_ns;
}

int ends_some(struct pool *pool, struct ends *ends, uint32_t cache,
              int64_t until_ns, struct remedy *why)
{
	bool was = was_used(pool, ends, cache);
	int r;
	if (!holes_guard(pool))
		return ENDS_E_LATER;
	if (ends->cache != cache || ends->stage == ENDS_BEGIN || was) {
		*ends = (struct ends){
			.cache = cache,
			.used_ns = pool->view.caches[cache - 1].used_ns};
		enter(ends, ENDS_COUNT);
	}
	if (pool->openers[cache - 1] > 0)
		r = say_open(pool, cache, why);
	else if (was)
		r = remedy_set(why, -EBUSY, "try again",
		               "it was opened meanwhile");
	else
		r = empty_some(pool, ends, until_ns, why);
	if (r == 0)
		take_row(pool, cache);
	if (r != ENDS_E_LATER)
		*ends = (struct ends){.cache = 0};
	return r;
}

int ends_retire(struct pool *pool, uint32_t cache, struct remedy *why)
{
	struct ends ends = {.cache = 0};
	int r;
	do
		r = ends_some(pool, &ends, cache, INT64_MAX, why);
	while (r == ENDS_E_LATER);
	return r;
}

/* ---- the one that is missed least --------------------------------------- */

static uint64_t bit_of(uint32_t ix)
{
	return UINT64_C(1) << (ix % 64);
}

/* A bit for each cache, by its index, that is open or is none. */
static void begin_search(const struct pool *pool, struct ends_search *search)
{
	*search = (struct ends_search){.began = true,
	                               .through = due_until(&pool->due)};
	for (uint32_t ix = 0; ix < pool->n_caches; ix++)
		if (!pool_has_cache(pool, ix + 1) || pool->openers[ix] > 0)
			search->busy[ix / 64] |= bit_of(ix);
}

/* And for each that has an object in use. False: there was no time for all. */
static bool find_busy(const struct pool *pool, struct ends_search *search,
                      int64_t until_ns)
{
	const struct view *view = &pool->view;
	for (; next_slab(pool, &search->unit); search->unit++) {
		uint32_t head = (uint32_t)search->unit;
		uint32_t ix = WORD_CACHE(view->words[head]) - 1;
		uint32_t n_objs = view->caches[ix].n_objs;
		if ((search->busy[ix / 64] & bit_of(ix)) != 0)
			continue;
		if (tags_count_free(slab_tags(view, head), n_objs) < n_objs)
			search->busy[ix / 64] |= bit_of(ix);
		if (clock_ns() >= until_ns) {
			search->unit++;
			return false;
		}
	}
	return true;
}

/* 0: there is none. One that came meanwhile was used last. */
static uint32_t best_of(const struct pool *pool,
                        const struct ends_search *search)
{
	const struct layout_cache *rows = pool->view.caches;
	uint32_t best = 0;
	for (uint32_t ix = 0; ix < pool->n_caches; ix++)
		if ((search->busy[ix / 64] & bit_of(ix)) == 0 &&
		    pool_has_cache(pool, ix + 1) &&
		    (best == 0 || rows[ix].used_ns < rows[best - 1].used_ns))
			best = ix + 1;
	return best;
}

int ends_search(struct pool *pool, struct ends_search *search, int64_t until_ns,
                uint32_t *cache)
{
	struct remedy why;
	int r = -EBUSY;
	if (!holes_guard(pool))
		return ENDS_E_LATER;
	if (!search->began)
		begin_search(pool, search);
	if (!search->found &&
	    (!sweep_some(pool, search->through, until_ns) ||
	     !find_busy(pool, search, until_ns)))
		return ENDS_E_LATER;
	search->found = true;
	while (r < 0) {
		*cache = search->ends.cache != 0 ? search->ends.cache
		                                 : best_of(pool, search);
		if (*cache == 0 || !pool_has_cache(pool, *cache))
			break;
		r = ends_some(pool, &search->ends, *cache, until_ns, &why);
		if (r < 0)
			search->busy[(*cache - 1) / 64] |= bit_of(*cache - 1);
	}
	if (r == ENDS_E_LATER)
		return r;
	*search = (struct ends_search){.began = false};
	return 0;
}

uint32_t ends_oldest(struct pool *pool)
{
	struct ends_search search = {.began = false};
	uint32_t cache = 0;
	while (ends_search(pool, &search, INT64_MAX, &cache) == ENDS_E_LATER)
		continue;
	return cache;
}
