/* SPDX-License-Identifier: MIT */
#include "client/prefill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/checked.h"
#include "client/error.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/process.h"
#include "client/thread.h"
#include "client/tools.h"
#include "shm/atom.h"

typedef unsigned long long number;

/* Once another thread could see them. */
static struct reserves *reserves_of(const struct thread *thread)
{
	/* pairs: make_reserves */
	return atom_load_acquire(&thread->reserves);
}

static struct reserves *make_reserves(struct thread *self)
{
	struct reserves *all = self->reserves;
	if (all != NULL)
		return all;
	all = calloc(1, sizeof(*all));
	/* pairs: reserves_of */
	atom_store_release(&self->reserves, all);
	return all;
}

void *prefill_pop(struct reserve *reserve)
{
	uint32_t n = reserve != NULL ? atom_load(&reserve->n) : 0;
	if (n == 0)
		return NULL;
	atom_store(&reserve->n, n - 1);
	return reserve->obj[n - 1];
}

uint32_t prefill_count(const struct thread *thread, uint32_t slot)
{
	const struct reserves *all = reserves_of(thread);
	const struct reserve *reserve = all != NULL ? all->of[slot] : NULL;
	return reserve != NULL ? atom_load(&reserve->n) : 0;
}

bool prefill_any(const struct thread *thread)
{
	return reserves_of(thread) != NULL;
}

void *prefill_at(const struct thread *thread, uint32_t slot, uint32_t i)
{
	return reserves_of(thread)->of[slot]->obj[i];
}

/* Takes a reserve out of the thread's books. NULL: there is none. */
static struct reserve *detach(struct thread *thread, uint32_t slot)
{
	struct reserves *all = reserves_of(thread);
	struct reserve *reserve;
	if (all == NULL)
		return NULL;
	pthread_mutex_lock(&thread->lock);
	reserve = all->of[slot];
	all->of[slot] = NULL;
	pthread_mutex_unlock(&thread->lock);
	return reserve;
}

static void attach(struct thread *self, uint32_t slot, struct reserve *reserve)
{
	pthread_mutex_lock(&self->lock);
	self->reserves->of[slot] = reserve;
	pthread_mutex_unlock(&self->lock);
}

static void send_home(struct attachment *att, struct cache *cache,
                      struct reserve *reserve)
{
	home_send(cache, reserve->n, reserve->obj);
	magazine_gave(att, cache, reserve->n);
	free(reserve);
}

void prefill_drop(struct thread *thread, struct attachment *att,
                  struct cache *cache)
{
	struct reserve *reserve = detach(thread, cache->slot);
	if (reserve != NULL)
		send_home(att, cache, reserve);
}

void prefill_drop_pool(struct thread *thread, struct attachment *att)
{
	struct reserves *all = reserves_of(thread);
	for (uint32_t slot = 0; all != NULL && slot < SLABD_CACHES_MAX;
	     slot++) {
		struct cache *cache;
		if (prefill_count(thread, slot) == 0)
			continue;
		cache = process_cache_of(slot);
		if (cache->pool == att->pool)
			prefill_drop(thread, att, cache);
	}
}

void prefill_forget(struct thread *thread)
{
	for (uint32_t slot = 0;
	     thread->reserves != NULL && slot < SLABD_CACHES_MAX; slot++)
		free(thread->reserves->of[slot]);
	free(thread->reserves);
	thread->reserves = NULL;
}

/* ---- put by ---------------------------------------------------------------- */

static int too_many(const struct slabd_pool *pool, const struct cache *cache,
                    size_t n)
{
	return error_set(EINVAL,
	                 "%zu objects of cache %s are more than the %llu KiB "
	                 "that a process may hold free of pool %s: see "
	                 "slabd_options.process_bytes",
	                 n, cache->row->name, (number)pool->process_bytes >> 10,
	                 pool->view.head->name);
}

/* Where somebody is to know: it is not the program's yet. */
static void hide(const struct cache *cache, void *object, const void *site)
{
	if (cache->checked)
		checked_note_put_by(cache, object, site);
	tools_free(object, cache->row->size);
}

/* With what the thread had put by; that goes back where there is no more. */
static int fill(struct attachment *att, struct cache *cache, uint32_t n,
                const void *site, struct reserve **at)
{
	struct reserve *before = *at;
	uint32_t had = before != NULL ? before->n : 0;
	struct reserve *made =
		realloc(before, sizeof(*made) + n * sizeof(made->obj[0]));
	uint32_t got;
	if (made == NULL)
		return thread_no_memory();
	made->n = had;
	*at = made;
	got = (uint32_t)slabd_alloc_bulk_slow_(&cache->head, n - had,
	                                       made->obj + had);
	for (uint32_t i = had; i < had + got && !cache_is_plain(cache); i++)
		hide(cache, made->obj[i], site);
	made->n = had + got;
	if (made->n == n)
		return 0;
	home_send(cache, got, made->obj + had);
	magazine_gave(att, cache, got);
	made->n = had;
	return -1;
}

/* A bulk takes of the reserve, too: so that is out of the books meanwhile. */
static int put_by(struct thread *self, struct attachment *att,
                  struct cache *cache, uint32_t n, const void *site)
{
	struct reserve *reserve;
	int r;
	int saved;
	if (make_reserves(self) == NULL)
		return thread_no_memory();
	reserve = detach(self, cache->slot);
	r = fill(att, cache, n, site, &reserve);
	saved = errno;
	attach(self, cache->slot, reserve);
	errno = saved;
	return r;
}

int slabd_prefill(slabd_cache *head, size_t n)
{
	struct cache *cache = cache_of(head);
	struct slabd_pool *pool = head != NULL ? cache->pool : NULL;
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return -1;
	if (n > UINT32_MAX / 2 || n > pool->process_bytes / cache->row->stride)
		return too_many(pool, cache, n);
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return thread_no_memory();
	thread_settle(self, att);
	if (n == 0)
		prefill_drop(self, att, cache);
	if (n <= prefill_count(self, cache->slot))
		return 0;
	return put_by(self, att, cache, (uint32_t)n, CHECKED_SITE());
}
