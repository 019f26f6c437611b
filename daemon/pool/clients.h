/* SPDX-License-Identifier: MIT */
/*
 * Client ids: FREE -> LIVE -> DEAD -> FREE. An id is swept when its process
 * is dead, half a second later before it is FREE again, and a last time before
 * it is LIVE again: another client may have been giving it an object while it
 * died. The next id is always the one that has been unused for longest.
 */
#ifndef DAEMON_POOL_CLIENTS_H
#define DAEMON_POOL_CLIENTS_H

#include "daemon/pool/pool.h"

/* Makes an id live for a process. The id, or -EAGAIN when the pool has all the
 * clients it may have. */
int clients_take(struct pool *pool, int32_t pid, uint32_t uid,
                 const char *comm);

/* The process is dead (or said goodbye): frees all that carries the id. Call
 * clients_free a while later. */
void clients_reap(struct pool *pool, uint32_t id);

/* The second sweep; the id may be used again. */
void clients_free(struct pool *pool, uint32_t id);

/* Sets the list bit of every slab that has something free, without a sweep, if
 * enough time has passed since the last such look; false if not. A client that
 * became another program lives, and its threads ended wherever they were. */
bool clients_relist(struct pool *pool);

/* Bans a live client that lost its connection by a fault. The mark outlives
 * slabd. */
void clients_ban(struct pool *pool, uint32_t id);

static inline bool clients_is_banned(const struct pool *pool, uint32_t id)
{
	return (pool->view.clients[id].word & CLIENT_BANNED) != 0;
}

static inline enum client_state clients_state(const struct pool *pool,
                                              uint32_t id)
{
	return (enum client_state)(pool->view.clients[id].word & 0xff);
}

static inline uint32_t clients_epoch(const struct pool *pool, uint32_t id)
{
	return (uint32_t)(pool->view.clients[id].word >> 8);
}

#endif
