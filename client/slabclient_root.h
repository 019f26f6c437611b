/* SPDX-License-Identifier: MIT */
/*
 * Memory that outlives its process: part of slabclient.h, which includes it. What is
 * said there of returned values and threads holds here.
 *
 * A root is a name in the pool, and an owner: what is given to it is nobody's else,
 * and no death frees it. It names one object, from which the next life of a process
 * finds the others. All of it stays until the root is removed (by slabd_root_set with
 * SLABD_NO_HANDLE, or by slabctl root remove), the pool ends, or it is taken out.
 *
 *     unsigned root = slabd_root_open(pool, "book");      an owner, as clients are
 *     slabd_handle at = slabd_root_get(pool, "book");
 *     if (at == SLABD_NO_HANDLE)                           the first life
 *             slabd_root_set(pool, "book", at = slabd_handle_of(pool, new_book()));
 *     book = slabd_pointer(pool, at);
 *     ...
 *     slabd_handle order = slabd_handle_of(pool, slabd_alloc(cache));
 *     slabd_give(pool, slabd_pointer(pool, order), root);  first it is the root's,
 *     book->last = order;                                  then the book leads to it
 *     ...
 *     book->last = order->next;                            out of the book, and then
 *     slabd_free(cache, slabd_take(pool, order));          out of the root
 *
 * So who is killed anywhere leaves at most objects of the root that the book does not
 * lead to, which slabd_cache_each lists by the root's id.
 */
#ifndef SLABCLIENT_ROOT_H
#define SLABCLIENT_ROOT_H

#include "slabclient_give.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Anchors an object under a name of 1 to SLABD_NAME_MAX bytes: it is the root's, which
 * is made where there is none of that name.
 *
 * The caller owns the object, or the root does already, and no longer owns it on
 * success; a pointer to it stays good, and any client may use it, and take it. What
 * the root named before is a gift to the caller, whom slabd_take makes its owner:
 * nobody frees what others may be reading. With SLABD_NO_HANDLE the root ends: what it
 * named is a gift to the caller, and all else that was given to it is freed. Killed at
 * any instruction, the caller or slabd, the root names either, and each object has
 * one owner. Waits for slabd's answer, and for one that is started anew.
 * Errors: EINVAL no name, no object's handle, or one that was freed, ENAMETOOLONG,
 * EPERM the object is not the caller's, or this thread has freed it, ENOENT no root is
 * there to end, ENOSPC the pool has max_roots of them, EBUSY it has no id left, EAGAIN
 * others set it all the time, ETIMEDOUT slabd did not answer within five seconds, and
 * does not do it later either, EINPROGRESS slabd was stopped, or ended, as it had begun
 * it: the object may be the root's, is to be left alone, and the same call tells,
 * ENOTCONN slabd is gone, or this is a forked child.
 */
int slabd_root_set(slabd_pool *pool, const char *name, slabd_handle handle);

/* The same; former, unless NULL, is what it named before, SLABD_NO_HANDLE: nothing.
 * Errors: EINVAL, ENAMETOOLONG, EPERM, ENOENT, ENOSPC, EBUSY, EAGAIN, ETIMEDOUT,
 * EINPROGRESS, ENOTCONN. */
int slabd_root_swap(slabd_pool *pool, const char *name, slabd_handle handle,
                    slabd_handle *former);

/*
 * The handle of the object that a root names, for slabd_pointer, or for slabd_take,
 * which takes it out: then the root names nothing. Lock-free; slabd is not needed.
 * Errors (returns SLABD_NO_HANDLE): ENOENT no root has the name, or it names nothing,
 * EINVAL no name, ENAMETOOLONG, ENOTCONN in a forked child.
 */
slabd_handle slabd_root_get(slabd_pool *pool, const char *name);

/*
 * The id of a root, which is made where there is none: for slabd_give and
 * slabd_arena_give, by which more is the root's, and slabd_cache_each, which lists it.
 *
 * It is the same until the root ends. What a root has any client takes by slabd_take,
 * which asks slabd then, or many at once by slabd_take_bulk. Errors (returns 0): EINVAL, ENAMETOOLONG, ENOSPC, EBUSY,
 * ETIMEDOUT, ENOTCONN as slabd_root_set.
 */
unsigned slabd_root_open(slabd_pool *pool, const char *name);

#ifdef __cplusplus
}
#endif
#endif
