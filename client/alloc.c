/* SPDX-License-Identifier: MIT */
/* Allocation: what a hit does not do, on a named node, and many at once. */
#include <errno.h>
#include <string.h>

#include "client/cap.h"
#include "client/depot.h"
#include "client/error.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/reach.h"
#include "client/shortage.h"
#include "client/thread.h"
#include "client/tools.h"
#include "client/want.h"
#include "shm/atom.h"

/* The lowest on top, so that they go out, are written and come home in
 * ascending order: hardware prefetches that, and home takes four at a time. */
static void turn_over(size_t n, void **objects)
{
	void **low = objects;
	void **high = objects + n;
	while (high - low >= 4) {
		void *first = low[0];
		void *second = low[1];
		high -= 2;
		low[0] = high[1];
		low[1] = high[0];
		high[1] = first;
		high[0] = second;
		low += 2;
	}
	while (low < --high) {
		void *swap = *low;
		*low++ = *high;
		*high = swap;
	}
}

/* Fills from the depot. The objects' first lines are fetched all at once: one
 * by one they would be waited for, as each is written when it is allocated. */
static bool refill_back(struct attachment *att, struct cache *cache,
                        bool oldest, struct slabd_mag_ *mag)
{
	uint32_t n = home_get_back(cache, att->node, oldest,
	                           (uint32_t)(mag->cap + 1) / 2, mag->obj);
	magazine_set_n(mag, n);
	magazine_took(att, cache, n);
	for (uint32_t i = n; i-- > 0;)
		atom_fetch_line(mag->obj[i]);
	return n > 0;
}

/* Fills half a magazine from the node's list. */
static bool refill_claim(struct attachment *att, struct cache *cache,
                         struct slabd_mag_ *mag)
{
	struct slabd_pool *pool = cache->pool;
	bool ring = false;
	uint32_t n =
		slab_claim_any(&pool->user, cache->id, att->node,
	                       (uint32_t)(mag->cap + 1) / 2, mag->obj, &ring);
	if (ring)
		want_tell(pool, cache->id, att->node);
	if (n == 0)
		return false;
	if (ring)
		shortage_pace(cache, att);
	if (!reach_objects(pool, n, mag->obj)) {
		slab_release_any(&pool->user, n, mag->obj);
		return false;
	}
	turn_over(n, mag->obj);
	magazine_set_n(mag, n);
	home_note_claim(cache, n);
	magazine_took(att, cache, n);
	return true;
}

/* What nothing else has. */
static void *take_short(struct cache *cache, struct attachment *att)
{
	void *object = shortage_alloc(cache, att);
	magazine_took(att, cache, object != NULL);
	return object;
}

/* Where there is no magazine: one of the depot, or of the list. */
static void *take_bare(struct cache *cache, struct attachment *att)
{
	void *object = NULL;
	if (home_get_back(cache, att->node, false, 1, &object) == 0 &&
	    home_get_back(cache, att->node, true, 1, &object) == 0)
		object = home_take_one(cache, att->node, att->node, false,
		                       true);
	if (object == NULL)
		return take_short(cache, att);
	magazine_took(att, cache, 1);
	return object;
}

__attribute__((noinline)) static void *alloc_one(struct cache *cache)
{
	struct slabd_mag_ *mag;
	struct thread *self = thread_self();
	struct attachment *att =
		self != NULL ? thread_attachment(self, cache->pool) : NULL;
	if (att == NULL)
		return thread_no_memory(), NULL;
	thread_settle(self, att);
	mag = magazine_of(self, cache);
	if (mag->n == 0) {
		if (cache->cap_max > 0)
			cap_grow(self, att, cache, mag);
		if (mag->cap == 0)
			return take_bare(cache, att);
		if (!refill_back(att, cache, false, mag) &&
		    !refill_claim(att, cache, mag) &&
		    !refill_back(att, cache, true, mag))
			return take_short(cache, att);
	}
	magazine_set_n(mag, mag->n - 1);
	return mag->obj[mag->n];
}

/* In a forked child, or where a tool watches: then a magazine may have some. */
__attribute__((cold, noinline)) static void *alloc_seen(struct cache *cache)
{
	void *object = pool_alive(cache->pool) ? alloc_one(cache) : NULL;
	if (object != NULL)
		tools_alloc(object, cache->row->size);
	return object;
}

void *slabd_alloc_slow_(slabd_cache *head)
{
	struct cache *cache = (struct cache *)head;
	return cache_is_plain(cache) ? alloc_one(cache)
	                                  : alloc_seen(cache);
}

/* The newest object of a magazine that is at home on a node: among them may be
 * some of slabs that are lent to it, or whose page was moved. NULL: none. */
static void *take_home(struct cache *cache, struct slabd_mag_ *mag,
                       uint32_t node)
{
	const uint64_t *map = cache->head.map_;
	for (size_t i = mag->n; i-- > 0;) {
		void *object = mag->obj[i];
		uint64_t word =
			atom_load(&map[(uintptr_t)object >> UNIT_SHIFT]);
		if (WORD_HOME(word) != node)
			continue;
		magazine_set_n(mag, mag->n - 1);
		mag->obj[i] = mag->obj[mag->n];
		return object;
	}
	return NULL;
}

static void *alloc_on(struct cache *cache, int node)
{
	struct slabd_pool *pool = cache->pool;
	int ix = view_node_index(&pool->view, node);
	void *object = NULL;
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return NULL;
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return thread_no_memory(), NULL;
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node),
		       NULL;
	thread_settle(self, att);
	if ((uint32_t)ix == att->node)
		object = take_home(cache, magazine_of(self, cache), att->node);
	if (object != NULL)
		return object;
	object = home_take_one(cache, (uint32_t)ix, (uint32_t)ix, true, true);
	if (object == NULL)
		object = shortage_alloc_on(cache, att, (uint32_t)ix);
	magazine_took(att, cache, object != NULL);
	return object;
}

void *slabd_alloc_node(slabd_cache *head, int node)
{
	struct cache *cache = (struct cache *)head;
	void *object = alloc_on(cache, node);
	if (object != NULL && !cache_is_plain(cache))
		tools_alloc(object, cache->row->size);
	return object;
}

/* One that misses. */
static bool alloc_into(slabd_cache *head, void **out)
{
	const struct cache *cache = (struct cache *)head;
	*out = slabd_alloc_slow_(head);
	if (!cache_is_plain(cache))
		tools_wrote(out, sizeof(*out));
	return *out != NULL;
}

size_t slabd_alloc_bulk(slabd_cache *cache, size_t n, void **out)
{
	size_t got = 0;
	while (got < n) {
		struct slabd_mag_ *mag = slabd_mag_of_(cache);
		size_t run = mag->n < n - got ? mag->n : n - got;
		memcpy(out + got, mag->obj + mag->n - run, run * sizeof(*out));
		/* All threads share the table that they have at first. */
		if (run > 0)
			magazine_set_n(mag, mag->n - run);
		got += run;
		if (got == n)
			break;
		if (!alloc_into(cache, &out[got]))
			break;
		got++;
	}
	return got;
}
