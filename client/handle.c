/* SPDX-License-Identifier: MIT */
/* Handles: what they lead to, and whose that is. */
#include "client/handle.h"

#include <errno.h>

#include "client/closed.h"
#include "client/error.h"
#include "client/give.h"
#include "client/plain.h"
#include "client/reach.h"
#include "client/tools.h"
#include "client/types.h"
#include "shm/atom.h"
#include "shm/tags.h"

typedef unsigned long long number;

/* A forked child's, too. */
static bool is_there(const struct slabd_pool *pool)
{
	return !closed_is_pool(pool) || closed_why(pool);
}

int handle_no_object(const slabd_pool *pool, uint64_t off)
{
	if (!is_there(pool))
		return -1;
	if (off >= pool->data_bytes)
		return error_set(EINVAL, "this is no handle of pool %s",
		                 pool->view.head->name);
	return error_set(EINVAL, "no object of pool %s starts at 0x%llx",
	                 pool->view.head->name, (number)off);
}

int handle_no_pointer(const slabd_pool *pool, const void *object)
{
	uint64_t off = (uint64_t)((const char *)object - pool->user.data);
	if (off < pool->data_bytes)
		return handle_no_object(pool, off);
	return error_set(EINVAL, "%p is not in pool %s", object,
	                 pool->view.head->name);
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

void handle_look(const struct slabd_pool *pool, uint64_t off)
{
	tools_look(pool->user.data + off, size_at(&pool->view, off));
}

int handle_was_freed(int err, uint64_t off)
{
	return error_set(err, "the object of this handle was freed: another "
	                 "may be at 0x%llx now", (number)off);
}

__attribute__((noinline)) static slabd_handle handle_of(slabd_pool *pool,
                                                        const void *object)
{
	uint16_t *tag;
	uint64_t off;
	if (!is_there(pool))
		return SLABD_NO_HANDLE;
	off = (uint64_t)((const char *)object - pool->user.data);
	tag = slab_tag_of(&pool->view, off);
	if (tag == NULL)
		return handle_no_pointer(pool, object), SLABD_NO_HANDLE;
	if (atom_load(pool->alive) == 0)
		return handle_make(off, atom_load(slab_gen_of(&pool->view,
		                                              tag)));
	return handle_make(off, tags_know_any(tag, slab_gen_of(&pool->view,
	                                                       tag)));
}

slabd_handle slabd_handle_of(slabd_pool *pool, const void *object)
{
	slabd_handle given = plain_handle_of(pool, object);
	return given != SLABD_NO_HANDLE ? given : handle_of(pool, object);
}

static bool is_waiting(const slabd_pool *pool, const uint16_t *tag)
{
	return (atom_load(slab_gen_of(&pool->view, tag)) & GEN_WAITING) != 0;
}

void *slabd_pointer(slabd_pool *pool, slabd_handle handle)
{
	uint64_t off = handle_off(handle);
	const uint16_t *tag =
		is_there(pool) ? slab_tag_of(&pool->view, off) : NULL;
	if (tag == NULL)
		return handle_no_object(pool, off), NULL;
	if (!handle_is_same(pool, tag, handle))
		return handle_was_freed(EINVAL, off), NULL;
	if (!reach_offset(pool, off))
		return give_no_mapping(), NULL;
	return give_show(pool, off);
}

unsigned slabd_owner(slabd_pool *pool, slabd_handle handle, int *given)
{
	uint64_t off = handle_off(handle);
	const uint16_t *at =
		is_there(pool) ? slab_tag_of(&pool->view, off) : NULL;
	uint16_t tag;
	if (at == NULL)
		return handle_no_object(pool, off), 0;
	tag = atom_load(at);
	if (tag == TAG_FREE || TAG_OWNER(tag) > CLIENT_ID_MAX ||
	    !handle_is_same(pool, at, handle))
		return handle_was_freed(ENOENT, off), 0;
	if (given != NULL) {
		*given = (tag & TAG_KNOWN) != 0 &&
		         is_waiting(pool, at);
		if (atom_load(&tools_on))
			tools_wrote(given, sizeof(*given));
	}
	return TAG_OWNER(tag);
}
