/* SPDX-License-Identifier: MIT */
#include "daemon/pool/ends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
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

/* What of a cache is in use. */
struct ends_used {
	uint64_t objects;
	uint32_t owner; /* one that owns some */
	bool more;      /* perhaps */
};

/* Once any is found, so many slabs are enough to say so. */
static struct ends_used count_used(const struct pool *pool, uint32_t cache)
{
	const struct view *view = &pool->view;
	uint32_t n_objs = view->caches[cache - 1].n_objs;
	struct ends_used used = {0, 0, false};
	uint32_t looks = 0;
	if (count_slabs(pool, cache) == 0)
		return used;
	for (uint64_t unit = 0; next_slab(pool, &unit); unit++) {
		const uint16_t *tags = slab_tags(view, (uint32_t)unit);
		uint32_t n;
		if (WORD_CACHE(view->words[unit]) != cache)
			continue;
		used.more = looks++ >= USED_SLABS && used.objects > 0;
		if (used.more)
			break;
		n = n_objs - tags_count_free(tags, n_objs);
		for (uint32_t i = 0; n > 0 && used.owner == 0 && i < n_objs;
		     i++)
			used.owner = atom_load(&tags[i]);
		used.objects += n;
	}
	return used;
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

static int reclaim_all(struct pool *pool, uint32_t cache)
{
	int r = 0;
	if (count_slabs(pool, cache) == 0)
		return 0;
	for (uint64_t unit = 0; next_slab(pool, &unit); unit++)
		if (WORD_CACHE(pool->view.words[unit]) == cache &&
		    slabs_reclaim(pool, (uint32_t)unit) < 0)
			r = -EBUSY;
	return r;
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

int ends_retire(struct pool *pool, uint32_t cache, struct remedy *why)
{
	struct layout_cache *row = pool_cache(pool, cache);
	struct ends_used used;
	if (pool->openers[cache - 1] > 0)
		return say_open(pool, cache, why);
	used = count_used(pool, cache);
	if (used.objects > 0 && sweep_is_due(pool)) {
		/* What the dead had in it is on its way back. */
		sweep_rest(pool);
		used = count_used(pool, cache);
	}
	if (used.objects > 0)
		return say_used(pool, &used, why);
	if (reclaim_all(pool, cache) < 0)
		return remedy_set(why, -EBUSY,
		                  "try again; end a client that stands still",
		                  "a client stands in one of its slabs");
	clear_wants(pool, cache);
	row->used_ns = clock_ns();
	/* pairs: view_cache; no unit word names it any more. */
	atom_store_release(&row->state, (uint32_t)CACHE_GONE);
	pool->counts.ended_caches++;
	log_info("pool %s: cache %s of size %u has ended", pool->name,
	         row->name, row->size);
	return 0;
}

/* ---- the one that is missed least --------------------------------------- */

#define SET_WORDS (CACHES_MAX / 64)

/* Sets a bit for each cache, by its index, that is open, has an object in use,
 * or is none. */
static void find_busy(const struct pool *pool, uint64_t busy[SET_WORDS])
{
	const struct view *view = &pool->view;
	memset(busy, 0, SET_WORDS * sizeof(*busy));
	for (uint32_t ix = 0; ix < pool->n_caches; ix++)
		if (!pool_has_cache(pool, ix + 1) || pool->openers[ix] > 0)
			busy[ix / 64] |= UINT64_C(1) << (ix % 64);
	for (uint64_t unit = 0; next_slab(pool, &unit); unit++) {
		uint32_t ix = WORD_CACHE(view->words[unit]) - 1;
		uint32_t n_objs = view->caches[ix].n_objs;
		if ((busy[ix / 64] >> (ix % 64) & 1) == 0 &&
		    tags_count_free(slab_tags(view, (uint32_t)unit), n_objs) <
		            n_objs)
			busy[ix / 64] |= UINT64_C(1) << (ix % 64);
	}
}

uint32_t ends_oldest(struct pool *pool)
{
	uint64_t busy[SET_WORDS];
	struct remedy why;
	sweep_rest(pool);
	find_busy(pool, busy);
	for (;;) {
		const struct layout_cache *rows = pool->view.caches;
		uint32_t best = 0;
		for (uint32_t ix = 0; ix < pool->n_caches; ix++)
			if ((busy[ix / 64] >> (ix % 64) & 1) == 0 &&
			    (best == 0 ||
			     rows[ix].used_ns < rows[best - 1].used_ns))
				best = ix + 1;
		if (best == 0 || ends_retire(pool, best, &why) == 0)
			return best;
		busy[(best - 1) / 64] |= UINT64_C(1) << ((best - 1) % 64);
	}
}
