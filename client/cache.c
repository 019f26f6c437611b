/* SPDX-License-Identifier: MIT */
#include "client/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cap.h"
#include "client/closed.h"
#include "client/checked.h"
#include "client/error.h"
#include "client/home.h"
#include "client/local.h"
#include "client/magazine.h"
#include "client/opens.h"
#include "client/prefill.h"
#include "client/process.h"
#include "client/request.h"
#include "client/silent.h"
#include "client/thread.h"
#include "client/tools.h"

_Static_assert(SLABD_CACHE_STRICT == CACHE_STRICT &&
                       SLABD_CACHE_FIND == CACHE_FIND &&
                       SLABD_CACHE_NEW == CACHE_NEW &&
                       SLABD_CACHE_BESIDE == CACHE_BESIDE,
               "flags of the layout");
_Static_assert(SLABD_NAME_MAX + 1 == NAME_BYTES, "names of the layout");

static int check_name(const char *name)
{
	if (name == NULL || name[0] == '\0')
		return error_set(EINVAL, "a cache needs a name");
	if (strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "cache name over %d bytes",
		                 SLABD_NAME_MAX);
	return 0;
}

/* Asks slabd for the cache. Its id, or -1 with errno. */
static int ask(struct slabd_pool *pool, const char *name, size_t size,
               size_t align, unsigned flags)
{
	struct wire_create create = {.head = {.type = WIRE_CREATE},
	                             .size = size,
	                             .align = align,
	                             .flags = flags};
	struct thread *self = thread_self();
	struct attachment *att =
		self != NULL ? thread_attachment(self, pool) : NULL;
	struct wire_reply reply;
	char why[LINK_WHY];
	int r;
	if (att == NULL)
		return thread_no_memory();
	create.node = att->node;
	strcpy(create.name, name);
	r = request_call(&pool->link, &create.head, sizeof(create), &reply);
	if (r < 0)
		return error_set(-r, "cache %s: %s", name,
		                 silent_why(&pool->link, r, why));
	if (reply.error != 0)
		return error_set(reply.error > 0 ? reply.error : EPROTO, "%s",
		                 reply.text);
	if (view_cache(&pool->view, reply.cache) == NULL)
		return error_set(EPROTO, "slabd named cache %u, which is not",
		                 reply.cache);
	return (int)reply.cache;
}

/* What cache.plain points at where it is checked. */
static const uint64_t not_plain;

static void fill_in(struct cache *cache, struct slabd_pool *pool, uint32_t id)
{
	const struct view *view = &pool->view;
	cache->head.map_ = pool->map;
	cache->pool = pool;
	cache->plain = &pool->wiped->plain;
	cache->row = &view->caches[id - 1];
	cache->id = id;
	cache->strict = pool->strict || (cache->row->flags & CACHE_STRICT) != 0;
	cache->cap_max = cap_most(pool, cache->row->stride);
	cache->checked = pool->checked != NULL;
	if (cache->checked) {
		cache->plain = &not_plain;
		cache->cap_max = 0;
	}
}

static int too_many(void)
{
	return error_set(EMFILE,
	                 "this process has %d caches open already: "
	                 "close one",
	                 SLABD_CACHES_MAX);
}

/* Looks for a slot, or the open cache, before slabd is asked; then the request
 * is under way. */
static int begin(struct slabd_pool *pool, const char *name)
{
	bool room;
	process_lock();
	room = process_has_slot();
	for (uint32_t id = 0; !room && id < pool->view.geo.n_caches; id++)
		room = pool->caches[id] != NULL &&
		       strcmp(pool->caches[id]->row->name, name) == 0;
	if (room)
		opens_begin(pool);
	process_unlock();
	return room ? 0 : too_many();
}

/* Under the lock: the open cache, or a new one. NULL with errno. */
static struct cache *open_locked(struct slabd_pool *pool, uint32_t id)
{
	struct cache *cache = pool->caches[id - 1];
	int slot;
	if (cache != NULL)
		return cache;
	cache = aligned_alloc(_Alignof(struct cache), sizeof(*cache));
	if (cache == NULL)
		return error_set(ENOMEM, "no memory for a cache"), NULL;
	memset(cache, 0, sizeof(*cache));
	tools_wrote(cache, sizeof(*cache));
	slot = process_take_slot(cache);
	if (slot < 0) {
		free(cache);
		return too_many(), NULL;
	}
	fill_in(cache, pool, id);
	cache->slot = (uint32_t)slot;
	cache->head.mag_ = (size_t)slot * sizeof(struct slabd_mag_);
	pool->caches[id - 1] = cache;
	return cache;
}

static bool is_alike(const struct layout_cache *a, const struct layout_cache *b)
{
	return a->size == b->size && a->align == b->align &&
	       a->flags == b->flags && strcmp(a->name, b->name) == 0;
}

/* One that this process has open already, opened once more: slabd is asked for
 * what it may answer otherwise. NULL: none. */
static struct cache *open_again(struct slabd_pool *pool, const char *name,
                                size_t size, size_t align, unsigned flags)
{
	struct layout_cache want = {.flags = flags & CACHE_STRICT};
	struct cache *found = NULL;
	if ((flags & ~(CACHE_STRICT | CACHE_FIND | CACHE_BESIDE)) != 0 ||
	    (flags & (CACHE_FIND | CACHE_BESIDE)) ==
	            (CACHE_FIND | CACHE_BESIDE) ||
	    layout_fit_cache(pool->view.geo.page_shift, size, align, &want) < 0)
		return NULL;
	strcpy(want.name, name);
	process_lock();
	for (uint32_t id = 0; found == NULL && id < pool->view.geo.n_caches;
	     id++)
		if (pool->caches[id] != NULL &&
		    is_alike(pool->caches[id]->row, &want))
			found = pool->caches[id];
	if (found != NULL)
		found->refs++;
	process_unlock();
	return found;
}

slabd_cache *slabd_cache_create(slabd_pool *pool, const char *name, size_t size,
                                size_t align, unsigned flags)
{
	struct cache *cache;
	int held;
	int id;
	if (!pool_alive(pool) || check_name(name) < 0)
		return NULL;
	cache = open_again(pool, name, size, align, flags);
	if (cache != NULL)
		return &cache->head;
	if (begin(pool, name) < 0)
		return NULL;
	id = ask(pool, name, size, align, flags);
	held = link_hold();
	process_lock();
	cache = id < 0 ? NULL : open_locked(pool, (uint32_t)id);
	if (cache != NULL)
		cache->refs++;
	opens_end(pool, id);
	process_unlock();
	link_let_go(held);
	return cache == NULL ? NULL : &cache->head;
}

slabd_cache *slabd_cache_open(slabd_pool *pool, const char *name)
{
	return slabd_cache_create(pool, name, 0, 0, SLABD_CACHE_FIND);
}

void cache_destroy(struct cache *cache)
{
	home_drop_depots(cache);
	local_end(cache);
	process_drop_slot(cache->slot);
	closed_bury(cache);
}

/* Of all threads; and what waits to go home to other nodes, where it may be
 * touched: of the caller, and of those who sleep. */
static void drop_magazines(struct cache *cache)
{
	const struct thread *self = thread_there();
	for (struct thread *t = thread_first(); t != NULL; t = t->next) {
		struct attachment *att = thread_attached(t, cache->pool);
		if (att == NULL)
			continue;
		prefill_drop(t, att, cache);
		pthread_mutex_lock(&t->lock);
		magazine_drop(t, att, cache, true);
		if (t == self || att->idle)
			magazine_drop_remote(att);
		pthread_mutex_unlock(&t->lock);
	}
}

/* One that nobody finds any more. */
static void finish(struct cache *cache)
{
	checked_flush(cache->pool);
	home_drain(cache);
	process_lock();
	cache_destroy(cache);
	process_unlock();
}

static bool is_open(const struct cache *cache)
{
	bool open;
	process_lock();
	open = process_has_cache(cache);
	process_unlock();
	return open;
}

int slabd_cache_close(slabd_cache *head)
{
	struct cache *cache = cache_of(head);
	struct slabd_pool *pool;
	uint32_t id;
	bool last;
	int held;
	if (head == NULL)
		return error_set(EINVAL, "slabd_cache_close of no cache");
	if (!is_open(cache))
		return error_set(EINVAL, "slabd_cache_close of %p, which is no "
		                 "open cache: it was closed already",
		                 (void *)head);
	if (!pool_alive(cache->pool))
		return -1;
	pool = cache->pool;
	id = cache->id;
	held = link_hold();
	process_lock();
	last = --cache->refs == 0;
	if (last) {
		drop_magazines(cache);
		pool->caches[id - 1] = NULL;
		opens_closed(pool, id);
	}
	process_unlock();
	if (last)
		finish(cache);
	link_let_go(held);
	return 0;
}

int slabd_cache_remove(slabd_pool *pool, const char *name)
{
	struct wire_remove remove = {.head = {.type = WIRE_REMOVE}};
	struct wire_reply reply;
	char why[LINK_WHY];
	int r;
	if (!pool_alive(pool) || check_name(name) < 0)
		return -1;
	opens_tell(pool);
	strcpy(remove.name, name);
	r = request_call(&pool->link, &remove.head, sizeof(remove), &reply);
	if (r < 0)
		return error_set(-r, "cache %s: %s", name,
		                 silent_why(&pool->link, r, why));
	/* Asked for twice, it may have been done the first time. */
	if (reply.error == ENOENT && reply.head.spare > 0)
		return 0;
	if (reply.error != 0)
		return error_set(reply.error > 0 ? reply.error : EPROTO, "%s",
		                 reply.text);
	return 0;
}

/* ---- what it is ---------------------------------------------------------- */

static const struct layout_cache *row_of(const slabd_cache *head)
{
	return cache_of(head)->row;
}

const char *slabd_cache_name(const slabd_cache *cache)
{
	return row_of(cache)->name;
}

size_t slabd_cache_size(const slabd_cache *cache)
{
	return row_of(cache)->size;
}

size_t slabd_cache_align(const slabd_cache *cache)
{
	return row_of(cache)->align;
}

size_t slabd_cache_stride(const slabd_cache *cache)
{
	return row_of(cache)->stride;
}

unsigned slabd_cache_flags(const slabd_cache *cache)
{
	return row_of(cache)->flags & SLABD_CACHE_STRICT;
}

slabd_pool *slabd_cache_pool(const slabd_cache *cache)
{
	return cache_of(cache)->pool;
}
