/* SPDX-License-Identifier: MIT */
/* Allocation: what a hit does not do, on a named node, and many at once. */
#include <errno.h>
#include <string.h>

#include "client/cap.h"
#include "client/checked.h"
#include "client/depot.h"
#include "client/error.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/prefill.h"
#include "client/reach.h"
#include "client/seen.h"
#include "client/shortage.h"
#include "client/thread.h"
#include "client/tools.h"
#include "client/want.h"
#include "shm/atom.h"

/* Two pointers at a time, wherever they lie. */
typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));

static inline void swap_pairs(void **low, void **high)
{
	pair first = *(const pair *)low;
	pair last = *(const pair *)high;
	*(pair *)low = (pair){last[1], last[0]};
	*(pair *)high = (pair){first[1], first[0]};
}

/* The lowest on top, so that they go out, are written and come home in
 * ascending order: hardware prefetches that, and home takes four at a time. */
static void turn_over(size_t n, void **objects)
{
	void **low = objects;
	void **high = objects + n;
	while (high - low >= 8) {
		high -= 4;
		swap_pairs(low, high + 2);
		swap_pairs(low + 2, high);
		low += 4;
	}
	while (low < --high) {
		void *swap = *low;
		*low++ = *high;
		*high = swap;
	}
}

/* Fills from the depot. */
static bool refill_back(struct attachment *att, struct cache *cache,
                        bool oldest, struct slabd_mag_ *mag)
{
	uint32_t n = home_get_back(cache, att->node, oldest,
	                           magazine_part(mag->cap), mag->obj);
	magazine_set_n(mag, n);
	magazine_took(att, cache, n);
	return n > 0;
}

/* Fills half a magazine from the node's list. */
static bool refill_claim(struct attachment *att, struct cache *cache,
                         struct slabd_mag_ *mag)
{
	struct slabd_pool *pool = cache->pool;
	bool ring = false;
	uint32_t n = slab_claim_any(&pool->user, cache->id, att->node,
	                            magazine_part(mag->cap), mag->obj, &ring);
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
	home_note_claim(cache, n, mag->obj);
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
		object =
			home_take_one(cache, att->node, att->node, false, true);
	if (object == NULL)
		return take_short(cache, att);
	magazine_took(att, cache, 1);
	return object;
}

/* The calling thread in the cache's pool; NULL with errno. */
static inline struct attachment *attach(const struct cache *cache,
                                        struct thread **self)
{
	struct attachment *att;
	*self = thread_self();
	att = *self != NULL ? thread_attachment(*self, cache->pool) : NULL;
	if (att == NULL)
		thread_no_memory();
	return att;
}

/* The first lines of what the depot gave are fetched all at once: one by one
 * they would be waited for, as each is written when it is allocated. Objects that
 * are asked for together are not. */
static void fetch_all(const struct slabd_mag_ *mag)
{
	for (size_t i = mag->n; i-- > 0;)
		atom_fetch_line(mag->obj[i]);
}

/* Fills a magazine that is empty, by a part. False: it has no room, or neither
 * the process nor the node's list has anything. */
static bool refill(struct thread *self, struct attachment *att,
                   struct cache *cache, bool fetch, struct slabd_mag_ *mag)
{
	if (cache->cap_max > 0)
		cap_grow(self, att, cache, mag);
	if (mag->cap == 0)
		return false;
	if (!refill_back(att, cache, false, mag)) {
		if (refill_claim(att, cache, mag))
			return true;
		if (!refill_back(att, cache, true, mag))
			return false;
	}
	if (fetch)
		fetch_all(mag);
	return true;
}

/* One object after a refill in vain. */
static void *take_one(struct attachment *att, struct cache *cache,
                      const struct slabd_mag_ *mag)
{
	return mag->cap == 0 ? take_bare(cache, att) : take_short(cache, att);
}

__attribute__((noinline)) static void *alloc_one(struct cache *cache)
{
	struct slabd_mag_ *mag;
	struct thread *self;
	struct attachment *att = attach(cache, &self);
	if (att == NULL)
		return NULL;
	thread_settle(self, att);
	mag = magazine_of(self, cache);
	if (mag->n == 0) {
		void *object = prefill_take(self, cache);
		if (object != NULL)
			return object;
		if (!refill(self, att, cache, true, mag))
			return take_one(att, cache, mag);
	}
	magazine_set_n(mag, mag->n - 1);
	return mag->obj[mag->n];
}

/* What was allocated, where somebody is to know. */
static void *show(const struct cache *cache, void *object, const void *site)
{
	if (object == NULL)
		return NULL;
	if (cache->checked)
		checked_note_alloc(cache, object, site);
	tools_alloc(object, cache->row->size);
	return object;
}

/* Unless this call is slabd_alloc_nowait. */
static bool may_wait(const struct slabd_pool *pool)
{
	struct thread *self = thread_there();
	const struct attachment *att =
		self != NULL ? thread_attached(self, pool) : NULL;
	return att == NULL || !att->no_wait;
}

/* Where a tool watches a magazine may have some. */
__attribute__((cold, noinline)) void *alloc_seen(struct cache *cache,
                                                 const void *site)
{
	struct slabd_pool *pool = cache->pool;
	bool alive = pool_alive(pool);
	uint64_t gone = alive && cache->checked ? checked_gone(pool) : 0;
	void *object = alive ? alloc_one(cache) : NULL;
	while (object == NULL && cache->checked && pool_alive(pool) &&
	       checked_is_more(pool, gone, may_wait(pool))) {
		gone = checked_gone(pool);
		object = alloc_one(cache);
	}
	return show(cache, object, site);
}

void *slabd_alloc_slow_(slabd_cache *head)
{
	struct cache *cache = cache_of(head);
	return cache_is_plain(cache) ? alloc_one(cache)
	                             : alloc_seen(cache, CHECKED_SITE());
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

/* Own node: from the magazine, which is filled like any. */
static void *take_own(struct thread *self, struct attachment *att,
                      struct cache *cache)
{
	struct slabd_mag_ *mag = magazine_of(self, cache);
	if (mag->n == 0)
		refill(self, att, cache, true, mag);
	return take_home(cache, mag, att->node);
}

static void *alloc_on(struct cache *cache, int node)
{
	struct slabd_pool *pool = cache->pool;
	int ix = view_node_index(&pool->view, node);
	void *object = NULL;
	struct thread *self;
	struct attachment *att = attach(cache, &self);
	if (att == NULL)
		return NULL;
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node),
		       NULL;
	thread_settle(self, att);
	if ((uint32_t)ix == att->node)
		object = take_own(self, att, cache);
	if (object != NULL)
		return object;
	object = home_take_one(cache, (uint32_t)ix, (uint32_t)ix, true, true);
	if (object == NULL)
		object = shortage_alloc_on(cache, att, (uint32_t)ix);
	magazine_took(att, cache, object != NULL);
	return object;
}

/* Where the thread's magazine has nothing on top that lies there. */
__attribute__((noinline)) static void *alloc_far(struct cache *cache, int node,
                                                 const void *site)
{
	void *object = pool_alive(cache->pool) ? alloc_on(cache, node) : NULL;
	return cache_is_plain(cache) ? object : show(cache, object, site);
}

/* Whether a unit lies on the node of the kernel's id. */
static bool is_on(const struct view *view, uint64_t word, int node)
{
	return view->nodes[WORD_HOME(word)].os_id == (uint32_t)node;
}

/* What lies on top of a magazine is taken wherever the thread runs by now. */
void *slabd_alloc_node(slabd_cache *head, int node)
{
	struct cache *cache = cache_of(head);
	struct slabd_mag_ *mag = slabd_mag_of_(head);
	size_t n = mag->n;
	void *object;
	if (n == 0)
		return alloc_far(cache, node, CHECKED_SITE());
	object = mag->obj[n - 1];
	if (!is_on(&cache->pool->view,
	           atom_load(&head->map_[(uintptr_t)object >> UNIT_SHIFT]),
	           node))
		return alloc_far(cache, node, CHECKED_SITE());
	magazine_set_n(mag, n - 1);
	return object;
}

/* What a magazine has, from its top down, in the order in which it lies there. */
static size_t take_top(struct slabd_mag_ *mag, size_t n, void **out)
{
	size_t run = mag->n < n ? mag->n : n;
	/* All threads share the table that they have at first. */
	if (run == 0)
		return 0;
	magazine_set_n(mag, mag->n - run);
	memcpy(out, mag->obj + mag->n, run * sizeof(*out));
	return run;
}

/* One by one. */
__attribute__((cold, noinline)) static size_t
alloc_bulk_seen(struct cache *cache, size_t n, void **out, const void *site)
{
	size_t got = 0;
	while (got < n) {
		out[got] = alloc_seen(cache, site);
		tools_wrote(&out[got], sizeof(out[got]));
		if (out[got] == NULL)
			break;
		got++;
	}
	return got;
}

size_t slabd_alloc_bulk_slow_(slabd_cache *head, size_t n, void **out)
{
	struct cache *cache = cache_of(head);
	size_t got = take_top(slabd_mag_of_(head), n, out);
	struct slabd_mag_ *mag;
	struct thread *self;
	struct attachment *att;
	if (got == n)
		return n;
	if (!cache_is_plain(cache))
		return alloc_bulk_seen(cache, n, out, CHECKED_SITE());
	att = attach(cache, &self);
	if (att == NULL)
		return got;
	mag = magazine_of(self, cache);
	for (; got < n; got += take_top(mag, n - got, out + got)) {
		thread_settle(self, att);
		if (mag->n > 0)
			continue;
		out[got] = prefill_take(self, cache);
		if (out[got] == NULL) {
			if (refill(self, att, cache, false, mag))
				continue;
			out[got] = take_one(att, cache, mag);
		}
		if (out[got] == NULL)
			break;
		got++;
	}
	return got;
}
