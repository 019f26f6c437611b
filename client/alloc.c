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

void *slabd_alloc_node(slabd_cache *head, int node)
{
	struct cache *cache = (struct cache *)head;
	struct slabd_pool *pool = cache->pool;
	struct thread *self = pool_alive(pool) ? process_self() : NULL;
	struct seat *seat = self != NULL ? thread_seat(self, pool) : NULL;
	int ix = view_node_index(&pool->view, node);
	void *object;
	if (seat == NULL)
		return NULL;
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node), NULL;
	thread_settle(self, seat);
	if ((uint32_t)ix == seat->node && magazine_of(self, cache)->n > 0)
		return slabd_alloc(head);
	object = magazine_take_one(cache, (uint32_t)ix, true);
	return object != NULL ? object : shortage_alloc_on(cache, (uint32_t)ix);
}

size_t slabd_alloc_bulk(slabd_cache *cache, size_t n, void **out)
{
	size_t got = 0;
	for (;;) {
		struct slabd_mag_ *mag = slabd_mag_of_(cache);
		size_t run = mag->n < n - got ? mag->n : n - got;
		memcpy(out + got, mag->obj + mag->n - run, run * sizeof(*out));
		/* All threads share the table that they have at first. */
		if (run > 0)
			mag->n -= run;
		got += run;
		if (got == n)
			return got;
		out[got] = slabd_alloc_slow_(cache);
		if (out[got] == NULL)
			return got;
		got++;
	}
}

/* How many objects from the first on surely lie in its unit: all or one. */
static size_t same_unit(size_t n, void *const *objects)
{
	uintptr_t first = (uintptr_t)objects[0];
	uintptr_t apart = 0;
	for (size_t i = 1; i < n; i++)
		apart |= (uintptr_t)objects[i] ^ first;
	return apart >> UNIT_SHIFT == 0 ? n : 1;
}

void slabd_free_bulk(slabd_cache *cache, size_t n, void *const *objects)
{
	while (n > 0) {
		struct slabd_mag_ *mag = slabd_mag_of_(cache);
		size_t few = n < BULK_RUN ? n : BULK_RUN;
		size_t run = same_unit(few, objects);
		uintptr_t unit = (uintptr_t)objects[0] >> UNIT_SHIFT;
		uint32_t key = WORD_KEY(atom_peek(&cache->map_[unit]));
		if (run > 1 && key == mag->key && mag->n + run <= mag->cap) {
			memcpy(mag->obj + mag->n, objects,
			       run * sizeof(*objects));
			mag->n += run;
		} else {
			run = few;
			for (size_t i = 0; i < run; i++)
				slabd_free(cache, objects[i]);
		}
		objects += run;
		n -= run;
	}
}
