/* SPDX-License-Identifier: MIT */
/* Free: what a hit does not do, and many at once. */
#include <errno.h>

#include "client/cap.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/thread.h"
#include "client/tools.h"
#include "shm/atom.h"

#define BULK_RUN 32u /* objects that are looked at together */

/* Batches of no more than a magazine may hold: the larger, the fewer. */
static void free_remote(struct thread *self, struct attachment *att,
                        const struct cache *cache, uint32_t node, void *object)
{
	struct remote *remote = &att->remote[node];
	struct slabd_pool *pool = att->pool;
	atom_store(&remote->obj[remote->n], object);
	atom_store(&remote->n, remote->n + 1);
	remote->bytes += cache->row->stride;
	att->remote_bytes += cache->row->stride;
	magazine_gave(att, cache, 1);
	view_count(&pool->view, pool->user.id, STAT_REMOTE_FREES, 1);
	if (att->remote_bytes > REMOTE_BYTES)
		magazine_drop_remote(att);
	else if (remote->n == REMOTE_MAX || remote->n >= cache->cap_max)
		magazine_send_remote(att, remote);
	else
		return;
	cap_settle(self, att);
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
	if (WORD_HOME(word) == att->node)
		free_local(self, att, cache, object);
	else
		free_remote(self, att, cache, WORD_HOME(word), object);
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

/* As alloc_seen. What a forked child has is the parent's, and so are the
 * counts. Told before another thread can have it. */
__attribute__((cold, noinline)) static void free_seen(struct cache *cache,
                                                      void *object)
{
	const struct slabd_pool *pool = cache->pool;
	uint64_t off = (uint64_t)((char *)object - pool->user.data);
	int saved = errno;
	if (pool_alive(pool)) {
		if (word_of(cache, object) != 0 &&
		    slab_tag_of(&pool->view, off) != NULL)
			tools_free(object, cache->row->size);
		free_one(cache, object);
	}
	errno = saved;
}

void slabd_free_slow_(slabd_cache *head, void *object)
{
	struct cache *cache = (struct cache *)head;
	if (object == NULL)
		return;
	if (cache_is_plain(cache))
		free_one(cache, object);
	else
		free_seen(cache, object);
}

/* Two pointers at a time, wherever they lie. */
typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));

/* Whether any is no address that the map has: bits of theirs are enough. */
static bool any_beyond(size_t n, void *const *objects)
{
	pair both = {0, 0};
	uint64_t bits;
	size_t i = 0;
	for (; i + 4 <= n; i += 4)
		both |= *(const pair *)(objects + i) |
		        *(const pair *)(objects + i + 2);
	bits = both[0] | both[1];
	for (; i < n; i++)
		bits |= (uintptr_t)objects[i];
	return bits >> UNIT_SHIFT >= SLABD_UNITS_;
}

/* Copies objects to the top of a magazine, to be kept only if each is of its
 * cache and node: what the keys of any have other than its own, 0 for
 * nothing. */
static uint32_t copy_in(const slabd_cache *cache, struct slabd_mag_ *mag,
                        size_t n, void *const *objects)
{
	void **top = mag->obj + mag->n;
	uint32_t key = mag->key;
	uint32_t other = 0;
	if (any_beyond(n, objects))
		return 1;
	for (size_t i = 0; i < n; i++) {
		uintptr_t unit = (uintptr_t)objects[i] >> UNIT_SHIFT;
		other |= WORD_KEY(atom_load(&cache->map_[unit])) ^ key;
		top[i] = objects[i];
	}
	return other;
}

void slabd_free_bulk(slabd_cache *cache, size_t n, void *const *objects)
{
	while (n > 0) {
		struct slabd_mag_ *mag = slabd_mag_of_(cache);
		size_t run = n < BULK_RUN ? n : BULK_RUN;
		if (mag->n + run <= mag->cap &&
		    copy_in(cache, mag, run, objects) == 0) {
			magazine_set_n(mag, mag->n + run);
		} else {
			for (size_t i = 0; i < run; i++)
				slabd_free(cache, objects[i]);
		}
		objects += run;
		n -= run;
	}
}
