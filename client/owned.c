/* SPDX-License-Identifier: MIT */
#include "client/closed.h"
#include "client/owned.h"

#include <errno.h>
#include <stdlib.h>

#include "client/held.h"
#include "client/reach.h"
#include "client/tools.h"
#include "shm/tags.h"

/* ---- what one client has -------------------------------------------------- */

bool owned_begin(struct owned *walk, struct cache *cache, uint32_t id)
{
	struct slabd_pool *pool = cache->pool;
	if (!reach_touched(pool, id))
		return false;
	*walk = (struct owned){.cache = cache,
	                       .touched = view_touched(&pool->view, id),
	                       .id = (uint16_t)id,
	                       .root = root_row_word(&pool->view, id) != 0};
	return true;
}

/* The next granule that the client has noted, from one on. */
static bool next_granule(struct owned *walk)
{
	const struct layout_geometry *geo = &walk->cache->pool->view.geo;
	uint64_t at = walk->granule;
	while (at < geo->n_granules) {
		uint64_t bits = atom_load(&walk->touched[at / 64]) >> (at % 64);
		if (bits != 0) {
			at += (uint64_t)__builtin_ctzll(bits);
			break;
		}
		at = (at / 64 + 1) * 64;
	}
	walk->granule = at;
	return at < geo->n_granules;
}

/* The first units of a granule that may be a slab's. */
static void enter_granule(struct owned *walk)
{
	const struct view *view = &walk->cache->pool->view;
	uint64_t first = walk->granule << GRANULE_SHIFT;
	uint64_t last = first + (1u << GRANULE_SHIFT);
	uint32_t stop;
	walk->unit = view_next_unit(view, (uint32_t)first, &stop);
	walk->end = (uint32_t)(stop < last ? stop : last);
	walk->granule++;
}

static bool is_slab_of(const struct cache *cache, uint32_t unit)
{
	/* pairs: put_words; the slab's tags are there before its word. */
	uint64_t word = atom_load_acquire(&cache->pool->view.words[unit]);
	return WORD_CACHE(word) == cache->id && WORD_BACK(word) == 0;
}

/* The next slab of the cache, the one that it stands on among them. */
static bool find_slab(struct owned *walk)
{
	for (;;) {
		for (; walk->unit < walk->end; walk->unit++, walk->ix = 0)
			if (is_slab_of(walk->cache, walk->unit))
				return true;
		if (!next_granule(walk))
			return false;
		enter_granule(walk);
		walk->ix = 0;
	}
}

/* A root takes nothing: what was given to it is its. */
static bool is_owned(const struct owned *walk, const uint16_t *tag)
{
	const struct view *view = &walk->cache->pool->view;
	return walk->root ? atom_load(tag) == (walk->id | TAG_KNOWN)
	                  : tags_has_own(tag, slab_gen_of(view, tag), walk->id);
}

bool owned_next(struct owned *walk, uint64_t *off)
{
	const struct layout_cache *row = walk->cache->row;
	const struct view *view = &walk->cache->pool->view;
	while (find_slab(walk)) {
		const uint16_t *tags = slab_tags(view, walk->unit);
		while (tags != NULL && walk->ix < row->n_objs) {
			uint32_t ix = walk->ix++;
			if (!is_owned(walk, &tags[ix]))
				continue;
			*off = ((uint64_t)walk->unit << UNIT_SHIFT) +
			       slab_colour(row, walk->unit) +
			       (uint64_t)ix * row->stride;
			return true;
		}
		walk->unit++;
		walk->ix = 0;
	}
	return false;
}

/* The id that is meant: one's own, a living client's, or a root's. 0 with errno. */
static uint32_t meant(const struct slabd_pool *pool, unsigned client_id)
{
	if (client_id == 0)
		return pool->user.id;
	if (view_owner_lives(&pool->view, client_id))
		return client_id;
	error_set(ESRCH, "pool %s has no client %u", pool->view.head->name,
	          client_id);
	return 0;
}

static int no_mapping(void)
{
	return error_set(ENOMEM, "the kernel gives this process no access to "
	                         "more of the pool: raise vm.max_map_count");
}

int slabd_cache_each(slabd_cache *head, unsigned client_id,
                     int (*call)(void *object, void *arg), void *arg)
{
	struct cache *cache = cache_of(closed_or(head));
	struct slabd_pool *pool = cache->pool;
	struct owned walk;
	uint32_t id;
	uint64_t off;
	if (!pool_alive(pool))
		return -1;
	if (call == NULL)
		return error_set(EINVAL, "slabd_cache_each calls nobody");
	id = meant(pool, client_id);
	if (id == 0)
		return -1;
	if (!owned_begin(&walk, cache, id))
		return no_mapping();
	while (owned_next(&walk, &off)) {
		if (!reach_offset(pool, off))
			return no_mapping();
		/* Of this client's own it is known which may be touched. */
		if (id != pool->user.id)
			tools_look(pool->user.data + off, cache->row->size);
		if (call(pool->user.data + off, arg) != 0)
			break;
	}
	return 0;
}

/* ---- counted -------------------------------------------------------------- */

/* Of this process, in magazines and depot. */
static int sum_held(const struct cache *cache, uint64_t *sum)
{
	struct slabd_pool *pool = cache->pool;
	const struct layout_geometry *geo = &pool->view.geo;
	uint32_t *objects = calloc((uint64_t)geo->n_caches * geo->n_nodes,
	                           sizeof(*objects));
	const uint32_t *row =
		objects + (uint64_t)(cache->id - 1) * geo->n_nodes;
	if (objects == NULL)
		return error_set(ENOMEM, "no memory to count objects");
	held_sum(pool, objects);
	for (uint32_t node = 0; node < geo->n_nodes; node++)
		*sum += row[node];
	free(objects);
	return 0;
}

static void set_out(uint64_t *out, uint64_t value)
{
	if (out == NULL)
		return;
	*out = value;
	tools_wrote(out, sizeof(*out));
}

int slabd_cache_counts(slabd_cache *head, uint64_t *in_use, uint64_t *held)
{
	struct cache *cache = cache_of(closed_or(head));
	struct slabd_pool *pool = cache->pool;
	uint64_t owned = 0;
	uint64_t sum = 0;
	struct owned walk;
	uint64_t off;
	int cancel;
	int r;
	if (!pool_alive(pool))
		return -1;
	if (!owned_begin(&walk, cache, pool->user.id))
		return no_mapping();
	cancel = link_hold();
	r = sum_held(cache, &sum);
	while (r == 0 && owned_next(&walk, &off))
		owned++;
	link_let_go(cancel);
	if (r < 0)
		return -1;
	sum = sum < owned ? sum : owned;
	set_out(held, sum);
	set_out(in_use, owned - sum);
	return 0;
}

int slabd_cache_totals(slabd_cache *head, uint64_t *owned, uint64_t *unowned)
{
	struct cache *cache = cache_of(closed_or(head));
	const struct view *view = &cache->pool->view;
	uint64_t all = 0;
	uint64_t n_free = 0;
	uint32_t unit = 0;
	uint32_t end;
	if (!pool_alive(cache->pool))
		return -1;
	while ((unit = view_next_unit(view, unit, &end)) < view->geo.n_units)
		for (; unit < end; unit++) {
			const uint16_t *tags;
			uint32_t n;
			if (!is_slab_of(cache, unit))
				continue;
			tags = slab_tags(view, unit);
			if (tags == NULL)
				continue;
			n = tags_count_free(tags, cache->row->n_objs);
			/* Not what was emptied meanwhile. */
			if (!is_slab_of(cache, unit))
				continue;
			all += cache->row->n_objs;
			n_free += n;
		}
	set_out(owned, all - n_free);
	set_out(unowned, n_free);
	return 0;
}
