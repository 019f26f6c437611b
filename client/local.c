/* SPDX-License-Identifier: MIT */
/* A thread's magazine of a cache as a handle: what a hit does not do. */
#include "client/local.h"

#include <errno.h>
#include <stdlib.h>

#include "client/checked.h"
#include "client/closed.h"
#include "client/error.h"
#include "client/magazine.h"
#include "client/process.h"
#include "client/seen.h"
#include "client/thread.h"

/* Where a tool watches, or the cache is checked, every call goes out of line: all
 * threads have one that is empty and takes nothing. */
static slabd_local *local_seen(struct cache *cache)
{
	struct slabd_mag_ *none = NULL;
	/* pairs: local_seen, of whoever made it. */
	struct slabd_mag_ *made = atom_load_acquire(&cache->local);
	if (made != NULL)
		return made;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return thread_no_memory(), NULL;
	made->cache_ = &cache->head;
	/* pairs: local_seen, of another thread; it is whole. */
	if (atom_publish(&cache->local, &none, made))
		return made;
	free(made);
	return none;
}

slabd_local *slabd_local_of(slabd_cache *head)
{
	struct cache *cache = cache_of(closed_or(head));
	struct slabd_mag_ *mag;
	struct thread *self;
	struct attachment *att;
	uint64_t *bits;
	if (!pool_alive(cache->pool))
		return NULL;
	if (!cache_is_plain(cache))
		return local_seen(cache);
	self = thread_self();
	att = self != NULL ? thread_attachment(self, cache->pool) : NULL;
	if (att == NULL || !thread_open_slot(self, cache->slot))
		return thread_no_memory(), NULL;
	thread_settle(self, att);
	mag = magazine_of(self, cache);
	bits = &self->local[cache->slot / 64];
	mag->map_ = head->map_;
	mag->cache_ = head;
	process_note_handle(cache->slot);
	atom_store(bits, atom_load(bits) | UINT64_C(1) << (cache->slot % 64));
	return mag;
}

void local_end(struct cache *cache)
{
	uint64_t bit = UINT64_C(1) << (cache->slot % 64);
	if (cache->local != NULL)
		cache->local->cache_ = closed_head();
	/* In a forked child the tables are wiped. */
	if (atom_load(cache->pool->alive) == 0)
		return;
	for (struct thread *t = thread_first(); t != NULL; t = t->next)
		if ((atom_load(&t->local[cache->slot / 64]) & bit) != 0)
			magazine_of(t, cache)->cache_ = closed_head();
}

/* The kernel wipes the table in a forked child, and the cache with it. */
void *slabd_local_alloc_slow_(slabd_local *local)
{
	slabd_cache *head = local->cache_;
	if (head == NULL)
		return error_forked(), NULL;
	return cache_is_plain(cache_of(head))
	               ? slabd_alloc_slow_(head)
	               : alloc_seen(cache_of(head), CHECKED_SITE());
}

void slabd_local_free_slow_(slabd_local *local, void *object)
{
	slabd_cache *head = local->cache_;
	int saved = errno;
	if (head == NULL)
		error_forked();
	else if (cache_is_plain(cache_of(head)))
		slabd_free_slow_(head, object);
	else if (object != NULL)
		free_seen(cache_of(head), object, CHECKED_SITE());
	errno = saved;
}
