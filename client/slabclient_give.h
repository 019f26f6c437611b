/* SPDX-License-Identifier: MIT */
/*
 * Handles, and objects that pass from client to client: part of slabclient.h, which
 * includes it. What is said there of returned values and threads holds here.
 */
#ifndef SLABCLIENT_GIVE_H
#define SLABCLIENT_GIVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The handle of an object: valid in every process, and never 0.
 *
 * It is the object's as long as that lives, whoever owns it; once the object was
 * freed and left the magazine that it was freed to, the next one in its place
 * has another handle, and the same again after 32,768 of them. Any client can ask
 * for it; who does not own the object must know that it is not freed meanwhile.
 * Errors: EINVAL for a pointer outside the pool, or one that is no object's first
 * byte (returns SLABD_NO_HANDLE).
 */
slabd_handle slabd_handle_of(slabd_pool *pool, const void *object);
#define SLABD_NO_HANDLE UINT64_C(0)

/* The address of a handle here; the object is accessible from then on, as what
 * slabd_alloc and slabd_take return. Errors: EINVAL for no object's handle, also
 * of one that was freed, ENOMEM this process has no mapping left. Says nothing
 * of who owns it: see slabd_take and slabd_owner. */
void *slabd_pointer(slabd_pool *pool, slabd_handle handle);

/* The id of the client that owns the object of a handle; the answer may be old
 * before it is read. given, unless NULL, is set to 1 where it is a gift that this
 * client has not taken yet, else to 0. Wait-free. Errors (returns 0): EINVAL no
 * object's handle, ENOENT the object was freed. */
unsigned slabd_owner(slabd_pool *pool, slabd_handle handle, int *given);

/*
 * Makes another client, or this one, the owner of an object: a gift, which it
 * takes by its handle, once.
 *
 * On success the caller no longer owns it; tell the other its handle by any
 * means. Should the receiver die before it takes the object, slabd frees it;
 * should the caller die before it has told, the receiver finds it by
 * slabd_gifts. Waits for no client. Errors: EPERM the caller does not own it,
 * or it is one of the last 8 of its cache that this thread has freed (checked
 * mode knows of all), EINVAL no object there, ESRCH no such client,
 * EAGAIN the receiver has an eighth of the pool in gifts that it has not taken,
 * or a thread of this process was stopped in the middle of a hand-over, ENOMEM
 * this process has no mapping left (in all cases the object stays whose it was),
 * ENOTCONN in a forked child.
 */
int slabd_give(slabd_pool *pool, void *object, unsigned client_id);

/*
 * Takes an object that was given to this client, by its handle.
 *
 * A gift is taken once: of threads that try at the same time one has it. A
 * handle of an object that was freed is refused even where a new gift lies in
 * its place. Only who has taken an object may free it or give it on. Waits
 * for no client.
 * Errors: EPERM it was not given to this client, was taken already, or was
 * freed, EINVAL no object there, EAGAIN a thread of this process was stopped in
 * the middle of a hand-over, ENOMEM this process has no mapping left (the gift
 * stays with both), ETIMEDOUT a root has it, and slabd, which is asked for it, does
 * not answer (nor does it later what it was asked), ENOTCONN.
 */
void *slabd_take(slabd_pool *pool, slabd_handle handle);

/* Gives n objects, in order, and stops at the first that can't be given. Returns
 * how many were, fewer than n with the errno of slabd_give for the next one,
 * which like all that follow stays whose it was. Each waits for no client. */
size_t slabd_give_bulk(slabd_pool *pool, void *const *objects, size_t n,
                       unsigned client_id);

/* Takes n gifts, in order, and stops at the first that can't be taken. Returns
 * how many were, fewer than n with the errno of slabd_take for the next one: to
 * go on behind it, pass it over. Each waits for no client. What roots have is asked of
 * slabd, nine objects at a time: what the call does not come to may be a gift then, in
 * slabd_gifts. */
size_t slabd_take_bulk(slabd_pool *pool, const slabd_handle *handles, size_t n,
                       void **objects);

/*
 * Lists the gifts to this client that it has not taken, in the order of their
 * places.
 *
 * after is SLABD_NO_HANDLE, or the last handle of the call before. Returns how
 * many handles it wrote: fewer than n where there are no more. So what somebody
 * gave who died before telling is found, and slabd_take has it. What is given
 * meanwhile may be missed. Takes time by the slabs in which this client has
 * objects. Errors (returns 0): ENOTCONN in a forked child.
 */
size_t slabd_gifts(slabd_pool *pool, slabd_handle after, size_t n,
                   slabd_handle *handles);

#ifdef __cplusplus
}
#endif
#endif
