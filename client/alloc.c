/* SPDX-License-Identifier: MIT */
/* Allocation beyond the single hit: on a named node, and many at once. */
#include <errno.h>

#include "client/error.h"
#include "client/magazine.h"
#include "client/pool.h"
#include "client/shortage.h"

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
	while (got < n) {
		struct slabd_mag_ *mag = slabd_mag_of_(cache);
		size_t run = mag->n < n - got ? mag->n : n - got;
		for (size_t i = 0; i < run; i++)
			out[got + i] = mag->obj[mag->n - 1 - i];
		/* All threads share the table that they have at first. */
		if (run > 0)
			mag->n -= (uint32_t)run;
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

void slabd_free_bulk(slabd_cache *cache, size_t n, void *const *objects)
{
	for (size_t i = 0; i < n; i++)
		slabd_free(cache, objects[i]);
}
