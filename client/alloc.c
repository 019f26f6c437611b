/* SPDX-License-Identifier: MIT */
/* Allocation beyond the single hit: on a named node, and many at once. */
#include <errno.h>
#include <string.h>

#include "client/error.h"
#include "client/magazine.h"
#include "client/pool.h"
#include "client/shortage.h"
#include "shm/atom.h"

#define BULK_RUN 32u /* objects that are looked at together */

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
		mag->obj[i] = mag->obj[--mag->n];
		return object;
	}
	return NULL;
}

void *slabd_alloc_node(slabd_cache *head, int node)
{
	struct cache *cache = (struct cache *)head;
	struct slabd_pool *pool = cache->pool;
	int ix = view_node_index(&pool->view, node);
	void *object = NULL;
	struct thread *self;
	struct seat *seat;
	if (!pool_alive(pool))
		return NULL;
	self = process_self();
	seat = self != NULL ? thread_seat(self, pool) : NULL;
	if (seat == NULL)
		return error_set(ENOMEM, "no memory for a thread's magazines"),
		       NULL;
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node), NULL;
	thread_settle(self, seat);
	if ((uint32_t)ix == seat->node)
		object = take_home(cache, magazine_of(self, cache), seat->node);
	if (object == NULL)
		object = magazine_take_one(cache, (uint32_t)ix, true, true);
	return object != NULL ? object
	                      : shortage_alloc_on(cache, seat, (uint32_t)ix);
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
			mag->n -= run;
		got += run;
		if (got == n)
			break;
		out[got] = slabd_alloc_slow_(cache);
		if (out[got] == NULL)
			break;
		got++;
	}
	return got;
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
			mag->n += run;
		} else {
			for (size_t i = 0; i < run; i++)
				slabd_free(cache, objects[i]);
		}
		objects += run;
		n -= run;
	}
}
