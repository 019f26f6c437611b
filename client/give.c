/* SPDX-License-Identifier: MIT */
/* Handles, and ownership that passes from client to client by retagging. */
#include <errno.h>

#include "client/error.h"
#include "client/reach.h"
#include "client/tools.h"
#include "client/types.h"
#include "shm/atom.h"
#include "shm/tags.h"

slabd_handle slabd_handle_of(slabd_pool *pool, const void *object)
{
	uint64_t off = (uint64_t)((const char *)object - pool->user.data);
	if (off < pool->data_bytes)
		return off;
	error_set(EINVAL, "%p is not in pool %s", object,
	          pool->view.head->name);
	return SLABD_NO_HANDLE;
}

__attribute__((cold, noinline)) static int no_object(const slabd_pool *pool,
                                                     uint64_t off)
{
	return error_set(EINVAL, "no object of pool %s starts at 0x%llx",
	                 pool->view.head->name, (unsigned long long)off);
}

__attribute__((cold, noinline)) static int no_mapping(void)
{
	return error_set(ENOMEM, "the kernel gives this process no access to "
	                 "more of the pool: raise vm.max_map_count");
}

/* Of an object that somebody has, or nothing. */
static size_t size_at(const struct view *view, uint64_t off)
{
	uint64_t word = atom_load(&view->words[off >> UNIT_SHIFT]);
	const struct layout_cache *row =
		WORD_CACHE(word) != 0 ? view_cache(view, WORD_CACHE(word))
	                              : NULL;
	return row != NULL ? row->size : 0;
}

/* The object at an offset where one starts, accessible from now on. */
static void *show(const struct slabd_pool *pool, uint64_t off)
{
	const struct view *view = &pool->view;
	void *object = pool->user.data + off;
	if (atom_load(&tools_on))
		tools_look(object, size_at(view, off));
	return object;
}

void *slabd_pointer(slabd_pool *pool, slabd_handle handle)
{
	if (slab_tag_of(&pool->view, handle) == NULL)
		return no_object(pool, handle), NULL;
	if (!reach_offset(pool, handle))
		return no_mapping(), NULL;
	return show(pool, handle);
}

__attribute__((cold, noinline)) static int no_receiver(const slabd_pool *pool,
                                                       unsigned client_id)
{
	return error_set(ESRCH, "pool %s has no client %u",
	                 pool->view.head->name, client_id);
}

__attribute__((cold, noinline)) static int not_own(const slabd_pool *pool,
                                                   uint64_t off)
{
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	return error_set(EPERM, "object 0x%llx is not this client's to give",
	                 (unsigned long long)off);
}

/*
 * A receiver may die between our look and our store. If it died long enough
 * ago for both sweeps to be over, the second look sees it, and the object is
 * taken back; if it is dying right now, the second sweep, half a second after
 * the death, finds the tag. So no fence is needed between store and look.
 *
 * If we stood still for so long that its id is another client's, the tag may be
 * ours from before or that one's from after a claim of the object: we leave it,
 * say once more where it lies, and it is free at the latest when that client
 * ends. A standstill as long just before the cas is the one that would take
 * another's object: ARCHITECTURE.md has the bound.
 */
int slabd_give(slabd_pool *pool, void *object, unsigned client_id)
{
	uint16_t own = (uint16_t)pool->user.id;
	uint16_t other = (uint16_t)client_id;
	uint64_t off = (uint64_t)((char *)object - pool->user.data);
	const struct view *view = &pool->view;
	uint32_t head;
	uint64_t receiver;
	uint16_t *tag;
	if (!pool_alive(pool))
		return -1;
	tag = slab_tag_of(view, off);
	if (tag == NULL)
		return no_object(pool, off);
	receiver = view_client_word(view, client_id);
	if (receiver == 0)
		return no_receiver(pool, client_id);
	/* Its slab stays, as the object is ours. */
	if (atom_load(tag) != own)
		return not_own(pool, off);
	head = slab_head_of(view, off);
	if (!reach_touched(pool, client_id))
		return no_mapping();
	view_touch_any(view, client_id, head);
	if (atom_load(&tools_on))
		tools_give(object);
	if (!tags_give_own(tag, own, other))
		return not_own(pool, off);
	if (view_client_word(view, client_id) == receiver)
		return 0;
	if (!view_client_live(view, client_id) &&
	    tags_ungive_own(tag, own, other))
		return no_receiver(pool, client_id);
	view_touch_any(view, client_id, head);
	return 0;
}

__attribute__((cold, noinline)) static int not_given(uint64_t off)
{
	return error_set(EPERM, "object 0x%llx was not given to this client",
	                 (unsigned long long)off);
}

void *slabd_take(slabd_pool *pool, slabd_handle handle)
{
	uint16_t *tag;
	if (!pool_alive(pool))
		return NULL;
	tag = slab_tag_of(&pool->view, handle);
	if (tag == NULL)
		return no_object(pool, handle), NULL;
	/* pairs: tags_give_own; what the giver wrote is there. */
	if (atom_load_acquire(tag) == pool->user.id) {
		if (!reach_offset(pool, handle))
			return no_mapping(), NULL;
		return show(pool, handle);
	}
	return not_given(handle), NULL;
}
