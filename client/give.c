/* SPDX-License-Identifier: MIT */
/* Handles, and ownership that passes from client to client by retagging. */
#include <errno.h>

#include "client/error.h"
#include "client/magazine.h"
#include "client/pool.h"
#include "client/shortage.h"
#include "shm/atom.h"
#include "shm/tags.h"

slabd_handle slabd_handle_of(slabd_pool *pool, const void *object)
{
	uint64_t off = (uint64_t)((const char *)object - pool->user.data);
	if (off < pool->data_bytes)
		return off;
	error_set(EINVAL, "%p is not in pool %s", object, pool->view.head->name);
	return SLABD_NO_HANDLE;
}

static int locate(slabd_pool *pool, slabd_handle handle,
                  struct slab_place *place)
{
	if (slab_locate(&pool->view, handle, place) == 0)
		return 0;
	return error_set(EINVAL, "no object of pool %s starts at 0x%llx",
	                 pool->view.head->name, (unsigned long long)handle);
}

void *slabd_pointer(slabd_pool *pool, slabd_handle handle)
{
	struct slab_place place;
	if (locate(pool, handle, &place) < 0)
		return NULL;
	return pool->user.data + handle;
}

int slabd_give(slabd_pool *pool, void *object, unsigned client_id)
{
	uint16_t own = (uint16_t)pool->user.id;
	struct slab_place place;
	uint64_t off = (uint64_t)((char *)object - pool->user.data);
	if (!pool_alive(pool) || locate(pool, off, &place) < 0)
		return -1;
	if (!view_client_live(&pool->view, client_id))
		return error_set(ESRCH, "pool %s has no client %u",
		                 pool->view.head->name, client_id);
	if (tags_give_own(place.tag, own, (uint16_t)client_id))
		return 0;
	view_count(&pool->view, own, STAT_REFUSED, 1);
	return error_set(EPERM, "object 0x%llx is not this client's to give",
	                 (unsigned long long)off);
}

void *slabd_take(slabd_pool *pool, slabd_handle handle)
{
	struct slab_place place;
	if (!pool_alive(pool) || locate(pool, handle, &place) < 0)
		return NULL;
	/* pairs: tags_give_own; what the giver wrote is there. */
	if (atom_get(place.tag) == pool->user.id)
		return pool->user.data + handle;
	error_set(EPERM, "object 0x%llx was not given to this client",
	          (unsigned long long)handle);
	return NULL;
}

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
	object = magazine_take_one(cache, (uint32_t)ix);
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
