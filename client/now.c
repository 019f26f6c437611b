/* SPDX-License-Identifier: MIT */
/* Allocation that waits for nothing. */
#include "client/checked.h"
#include "client/magazine.h"
#include "client/seen.h"
#include "client/thread.h"

static void *alloc_slow(slabd_cache *head, const void *site)
{
	struct slabd_pool *pool = cache_of(head)->pool;
	struct thread *self;
	struct attachment *att;
	void *object;
	if (!pool_alive(pool))
		return NULL;
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return thread_no_memory(), NULL;
	att->no_wait = true;
	object = cache_is_plain(cache_of(head))
	                 ? slabd_alloc_slow_(head)
	                 : alloc_seen(cache_of(head), site);
	att->no_wait = false;
	return object;
}

void *slabd_alloc_nowait(slabd_cache *cache)
{
	struct slabd_mag_ *mag = slabd_mag_of_(cache);
	if (mag->n == 0)
		return alloc_slow(cache, CHECKED_SITE());
	magazine_set_n(mag, mag->n - 1);
	return mag->obj[mag->n];
}
