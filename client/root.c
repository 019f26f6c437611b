/* SPDX-License-Identifier: MIT */
/*
 * Roots: objects of the pool's own, by name. The table is slabd's, and read here
 * without it; each change is asked for, with what was named at the look, so that one
 * that is asked anew is done once. What the library has asked for and not heard of is
 * asked again of the next slabd (request.c).
 */
#include "client/root.h"

#include <errno.h>
#include <string.h>

#include "client/checked.h"
#include "client/error.h"
#include "client/handle.h"
#include "client/request.h"
#include "client/silent.h"
#include "shm/slab.h"
#include "shm/wire_root.h"

_Static_assert(ROOT_RELEASE_MOST == WIRE_ROOT_MORE + 1, "what a message has");

#define TRIES 64u /* while others set the same root */

static int check_name(const char *name)
{
	if (name == NULL || name[0] == '\0')
		return error_set(EINVAL, "a root without a name");
	if (strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "root name over %d bytes",
		                 SLABD_NAME_MAX);
	return 0;
}

static int no_root(const struct slabd_pool *pool, const char *name)
{
	return error_set(ENOENT, "pool %s has no root %s",
	                 pool->view.head->name, name);
}

/* The reply's error line is said here. */
static int ask(struct slabd_pool *pool, struct wire_root *msg,
               struct wire_reply *reply)
{
	char why[LINK_WHY];
	int r;
	msg->head = (struct wire_head){.type = WIRE_ROOT};
	r = msg->op == WIRE_ROOT_SET
	            ? request_change(&pool->link, &msg->head, sizeof(*msg), reply)
	            : request_call(&pool->link, &msg->head, sizeof(*msg), reply);
	if (r == -EINPROGRESS)
		return error_set(-r, "a root: slabd had begun to set it, and stands "
		                 "still or is gone: leave the object alone, and "
		                 "call again");
	if (r < 0)
		return error_set(-r, "a root: %s",
		                 silent_why(&pool->link, r, why));
	if (reply->error != 0)
		return error_set(reply->error > 0 ? reply->error : EPROTO, "%s",
		                 reply->text);
	return 0;
}

/* ---- look ------------------------------------------------------------------ */

static bool look(struct slabd_pool *pool, const char *name,
                 struct root_seen *seen)
{
	return root_row_find_any(&pool->view, name, seen);
}

slabd_handle slabd_root_get(slabd_pool *pool, const char *name)
{
	struct root_seen seen;
	if (!pool_alive(pool) || check_name(name) < 0)
		return SLABD_NO_HANDLE;
	if (!look(pool, name, &seen))
		return no_root(pool, name), SLABD_NO_HANDLE;
	if (seen.handle == SLABD_NO_HANDLE)
		error_set(ENOENT, "root %s names nothing: set it", name);
	return seen.handle;
}

unsigned slabd_root_open(slabd_pool *pool, const char *name)
{
	struct wire_root msg = {.op = WIRE_ROOT_OPEN};
	struct wire_reply reply;
	struct root_seen seen;
	if (!pool_alive(pool) || check_name(name) < 0)
		return 0;
	if (look(pool, name, &seen))
		return seen.owner;
	strcpy(msg.name, name);
	return ask(pool, &msg, &reply) < 0 ? 0 : reply.cache;
}

/* ---- set ------------------------------------------------------------------- */

/* What it is to name is this client's to give, or the root's already. */
static int check_object(struct slabd_pool *pool, slabd_handle handle,
                        uint32_t owner, const void *site)
{
	const struct view *view = &pool->view;
	uint64_t off = handle_off(handle);
	const uint16_t *tag = slab_tag_of(view, off);
	const void *object = pool->user.data + off;
	if (tag == NULL)
		return error_set(EINVAL, "this is no handle of pool %s",
		                 view->head->name);
	if (GEN_OBJECT(atom_load(slab_gen_of(view, tag))) !=
	    handle_object(handle))
		return error_set(EINVAL, "the object of this handle was freed: "
		                 "another may be at 0x%llx now",
		                 (unsigned long long)off);
	if (owner != 0 && TAG_OWNER(atom_load(tag)) == owner)
		return 0;
	if (pool->checked != NULL && checked_root(pool, object, site) < 0)
		return -1;
	return give_check(pool, object);
}

static int set(struct slabd_pool *pool, const char *name, slabd_handle handle,
               slabd_handle *former, const void *site)
{
	struct root_seen seen = {0};
	struct wire_reply reply;
	int r = -1;
	for (unsigned i = 0; i < TRIES; i++) {
		struct wire_root msg = {.op = handle != SLABD_NO_HANDLE
		                                      ? WIRE_ROOT_SET
		                                      : WIRE_ROOT_END,
		                        .handle = handle};
		if (!look(pool, name, &seen)) {
			if (handle == SLABD_NO_HANDLE)
				return no_root(pool, name);
			seen = (struct root_seen){0};
		}
		if (handle != SLABD_NO_HANDLE &&
		    check_object(pool, handle, seen.owner, site) < 0)
			return -1;
		msg.former = seen.handle;
		strcpy(msg.name, name);
		r = ask(pool, &msg, &reply);
		if (r == 0 || errno != EAGAIN)
			break;
	}
	if (r == 0 && former != NULL)
		*former = seen.handle != handle ? seen.handle : SLABD_NO_HANDLE;
	return r;
}

int slabd_root_set(slabd_pool *pool, const char *name, slabd_handle handle)
{
	if (!pool_alive(pool) || check_name(name) < 0)
		return -1;
	return set(pool, name, handle, NULL, CHECKED_SITE());
}

int slabd_root_swap(slabd_pool *pool, const char *name, slabd_handle handle,
                    slabd_handle *former)
{
	if (!pool_alive(pool) || check_name(name) < 0)
		return -1;
	return set(pool, name, handle, former, CHECKED_SITE());
}

/* ---- take ------------------------------------------------------------------ */

int root_release(struct slabd_pool *pool, slabd_handle handle)
{
	struct wire_root msg = {.op = WIRE_ROOT_TAKE, .handle = handle};
	struct wire_reply reply;
	return ask(pool, &msg, &reply);
}

void root_release_more(struct slabd_pool *pool, const slabd_handle *handles,
                       uint32_t n)
{
	struct wire_root msg = {.op = WIRE_ROOT_TAKE_MORE,
	                        .handle = handles[0],
	                        .n_more = n - 1};
	struct wire_reply reply;
	memcpy(msg.more, handles + 1, (n - 1) * sizeof(*handles));
	(void)ask(pool, &msg, &reply);
}
