/* SPDX-License-Identifier: MIT */
/* Free: what a hit does not do, and many at once. */
#include <errno.h>

#include "client/cap.h"
#include "client/checked.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/seen.h"
#include "client/thread.h"
#include "client/tools.h"
#include "shm/atom.h"

/* Units that are looked at all, where some of them are a bulk's: a page's. */
#define NEAR_UNITS 32u

/* Holds an object for its own node; batches of no more than a magazine may
 * hold: the larger, the fewer. True when it sent some home. */
static bool hold_remote(struct attachment *att, const struct cache *cache,
                        uint32_t node, void *object)
{
	struct remote *remote = &att->remote[node];
	uint32_t n = remote->n + 1;
	atom_store(&remote->obj[n - 1], object);
	atom_store(&remote->n, n);
	remote->bytes += cache->row->stride;
	att->remote_bytes += cache->row->stride;
	if (att->remote_bytes > REMOTE_BYTES)
		magazine_drop_remote(att);
	else if (n == REMOTE_MAX || n >= cache->cap_max)
		magazine_send_remote(att, remote);
	else
		return false;
	return true;
}

static void free_local(struct thread *self, struct attachment *att,
                       struct cache *cache, void *object)
{
	struct slabd_mag_ *mag = magazine_of(self, cache);
	if (mag->n >= mag->cap && cache->cap_max > 0)
		cap_grow(self, att, cache, mag);
	if (mag->cap == 0) {
		magazine_gave(att, cache, 1);
		home_put_away(cache, att->node, 1, &object);
		return;
	}
	if (mag->n >= mag->cap)
		magazine_halve(att, cache, mag);
	mag->obj[mag->n] = object;
	magazine_set_n(mag, mag->n + 1);
}

/* The unit word of an object of this cache, or 0. */
static uint64_t word_of(const struct cache *cache, const void *object)
{
	const struct view *view = &cache->pool->view;
	uint64_t unit =
		(uint64_t)((const char *)object - cache->pool->user.data) >>
		UNIT_SHIFT;
	uint64_t word =
		unit < view->geo.n_units ? atom_load(&view->words[unit]) : 0;
	return WORD_CACHE(word) == cache->id ? word : 0;
}

__attribute__((cold, noinline)) static void refuse(const struct cache *cache,
                                                   const void *object)
{
	const struct slabd_pool *pool = cache->pool;
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	error_set(EINVAL, "slabd_free of %p, which lies in no slab of cache %s",
	          object, cache->row->name);
}

/* Where there is no memory for a magazine the object goes home at once. */
static void free_here(struct cache *cache, uint64_t word, void *object)
{
	struct thread *self = thread_self();
	struct attachment *att =
		self != NULL ? thread_attachment(self, cache->pool) : NULL;
	if (att == NULL) {
		home_send(cache, 1, &object);
		return;
	}
	thread_settle(self, att);
	if (WORD_HOME(word) == att->node) {
		free_local(self, att, cache, object);
		return;
	}
	self->last = att;
	if (hold_remote(att, cache, WORD_HOME(word), object))
		cap_settle(self, att);
}

__attribute__((noinline)) static void free_one(struct cache *cache,
                                               void *object)
{
	int saved = errno;
	uint64_t word = word_of(cache, object);
	if (word != 0)
		free_here(cache, word, object);
	else
		refuse(cache, object);
	errno = saved;
}

/* What a forked child has is the parent's, and so are the counts. Tools are told
 * before another thread can have it. */
__attribute__((cold, noinline)) void free_seen(struct cache *cache, void *object,
                                               const void *site)
{
	const struct slabd_pool *pool = cache->pool;
	uint64_t off = (uint64_t)((char *)object - pool->user.data);
	int saved = errno;
	if (pool_alive(pool) && cache->checked) {
		checked_free(cache, object, site);
	} else if (pool_alive(pool)) {
		if (word_of(cache, object) != 0 &&
		    slab_tag_of(&pool->view, off) != NULL)
			tools_free(object, cache->row->size);
		free_one(cache, object);
	}
	errno = saved;
}

/* A batch went home: where the thread runs, and what it may hold, is looked at
 * again. */
__attribute__((noinline)) static void settle(struct thread *self,
                                             struct attachment *att)
{
	int saved = errno;
	thread_settle(self, att);
	cap_settle(self, att);
	errno = saved;
}

/* Whether a thread is at work with a pool, where it freed for another node
 * before, and a unit is that of a cache on another node. */
static bool is_far(const struct thread *self, const struct attachment *att,
                   const struct cache *cache, uint64_t word)
{
	return att != NULL && !self->idle &&
	       /* pairs: attach, thread_leave */
	       atom_load_acquire(&att->pool) == cache->pool &&
	       WORD_CACHE(word) == cache->id && WORD_HOME(word) != att->node;
}

/* What another node has, first: it is all that comes here again and again. */
void slabd_free_slow_(slabd_cache *head, void *object)
{
	struct cache *cache = cache_of(head);
	struct thread *self = thread_there();
	struct attachment *att = self != NULL ? self->last : NULL;
	uintptr_t unit = (uintptr_t)object >> UNIT_SHIFT;
	uint64_t word = unit < SLABD_UNITS_ ? atom_load(&head->map_[unit]) : 0;
	if (object == NULL)
		return;
	if (!cache_is_plain(cache))
		free_seen(cache, object, CHECKED_SITE());
	else if (!is_far(self, att, cache, word))
		free_one(cache, object);
	else if (hold_remote(att, cache, WORD_HOME(word), object))
		settle(self, att);
}

/* Neighbours lie in few units: all from the first to the last that it may be are
 * looked at, and each object alone only where one of these is another's. */
int slabd_fit_(const slabd_cache *cache, uint32_t key, size_t n,
               void *const *objects, uintptr_t apart)
{
	uintptr_t unit = slabd_unit_(objects[0]);
	uintptr_t mask = apart | apart >> 1;
	uint32_t other = 0;
	if (apart >= SLABD_UNITS_)
		return 0;
	mask |= mask >> 2 | mask >> 4;
	if (mask < NEAR_UNITS) {
		uintptr_t at = unit & ~mask;
		uintptr_t end = at + mask + 1;
		while (at < end && slabd_key_(cache->map_, at) == key)
			at++;
		if (at == end)
			return 1;
	}
	for (size_t i = 0; i < n; i++)
		other |= slabd_key_(cache->map_, slabd_unit_(objects[i])) ^ key;
	return other == 0;
}

/* Copies objects to the top of a magazine, to be kept only if each is of its
 * cache and node: whether that is so. */
static bool copy_in(const slabd_cache *cache, struct slabd_mag_ *mag, size_t n,
                    void *const *objects)
{
	uintptr_t apart =
		slabd_copy_(mag->obj + mag->n, objects, n) >> UNIT_SHIFT;
	return slabd_unit_(objects[0]) < SLABD_UNITS_ &&
	       slabd_fit_(cache, mag->key, n, objects, apart) != 0;
}

/* Room for so many more: a miss, and where that gives none, the older half goes
 * away. False: one by one, then. */
static bool make_space(struct cache *cache, size_t more)
{
	struct thread *self = thread_there();
	struct attachment *att =
		self != NULL ? thread_attached(self, cache->pool) : NULL;
	struct slabd_mag_ *mag;
	if (att == NULL)
		return false;
	thread_settle(self, att);
	mag = magazine_of(self, cache);
	if (mag->cap == 0)
		return false;
	if (mag->n + more > mag->cap)
		cap_grow(self, att, cache, mag);
	if (mag->n + more > mag->cap && mag->n > 0)
		magazine_halve(att, cache, mag);
	return mag->n + more <= mag->cap;
}

/* Frees objects into the magazine if all are its own. */
static bool put_run(struct cache *cache, size_t n, void *const *objects)
{
	struct slabd_mag_ *mag = slabd_mag_of_(&cache->head);
	if (mag->n + n > mag->cap) {
		if (!make_space(cache, n))
			return false;
		mag = slabd_mag_of_(&cache->head);
	}
	if (!copy_in(&cache->head, mag, n, objects))
		return false;
	magazine_set_n(mag, mag->n + n);
	return true;
}

__attribute__((cold, noinline)) static void
free_bulk_seen(struct cache *cache, size_t n, void *const *objects,
               const void *site)
{
	for (size_t i = 0; i < n; i++)
		if (objects[i] != NULL)
			free_seen(cache, objects[i], site);
}

void slabd_free_bulk_slow_(slabd_cache *cache, size_t n, void *const *objects)
{
	int saved = errno;
	if (!cache_is_plain(cache_of(cache))) {
		free_bulk_seen(cache_of(cache), n, objects, CHECKED_SITE());
		n = 0;
	}
	while (n > 0) {
		size_t run = n < SLABD_BULK_MAX_ ? n : SLABD_BULK_MAX_;
		if (!put_run(cache_of(cache), run, objects))
			for (size_t i = 0; i < run; i++)
				slabd_free(cache, objects[i]);
		objects += run;
		n -= run;
	}
	errno = saved;
}
