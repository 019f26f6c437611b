/* SPDX-License-Identifier: MIT */
/* What handles, single gifts and whole arenas are refused for. */
#ifndef CLIENT_GIVE_H
#define CLIENT_GIVE_H

#include "client/handle.h"
#include "client/tools.h"
#include "client/types.h"

/* Of what a pool may have, what one client may have been given and not taken. */
#define GIFTS_SHARE 8u
#define TAKEN_PARTS 32u /* of that share, which are counted together */

static inline uint64_t give_taken_batch(const struct slabd_pool *pool)
{
	return pool->max_bytes / GIFTS_SHARE / TAKEN_PARTS;
}

/* Whether a client may be given so many bytes more: one gift at least, whatever its
 * size. False with EAGAIN. */
bool give_has_room(const struct slabd_pool *pool, unsigned client_id,
                   uint64_t bytes);

/* ESRCH; returns -1. */
int give_no_receiver(const struct slabd_pool *pool, unsigned client_id)
	__attribute__((cold, noinline));

/* In the turn, after the tag is the receiver's: its word has changed. 0, or -1 with
 * ESRCH, and the object is this client's again. */
int give_receiver_went(const struct slabd_pool *pool,
                       const struct slab_place *place, unsigned client_id)
	__attribute__((cold, noinline));

/* Counts what was given and is not counted yet, as the pool is closed. */
void give_settle(slabd_pool *pool);

/* EINVAL; returns -1. */
int handle_no_object(const slabd_pool *pool, uint64_t off)
	__attribute__((cold, noinline));
int handle_no_pointer(const slabd_pool *pool, const void *object)
	__attribute__((cold, noinline));

/* err: the handle's object is gone; returns -1. */
int handle_was_freed(int err, uint64_t off) __attribute__((cold, noinline));

/* ENOMEM; returns -1. */
int give_no_mapping(void) __attribute__((cold, noinline));

/* Whether a handle is that of what lies at its place now. */
static inline bool handle_is_same(const slabd_pool *pool, const uint16_t *tag,
                                  slabd_handle handle)
{
	return GEN_OBJECT(atom_load(slab_gen_of(&pool->view, tag))) ==
	       handle_object(handle);
}

/* The object at an offset where one starts, accessible from now on; tools are told. */
void handle_look(const struct slabd_pool *pool, uint64_t off)
	__attribute__((cold, noinline));

static inline void *give_show(const struct slabd_pool *pool, uint64_t off)
{
	if (__builtin_expect(atom_load(&tools_on), 0))
		handle_look(pool, off);
	return pool->user.data + off;
}

#endif
