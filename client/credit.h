/* SPDX-License-Identifier: MIT */
/*
 * What a process may keep in its depots. Bytes are taken for a depot before
 * objects go there, and given back when they leave it. So that threads do not
 * meet in one line for each half, those of a shard take some ahead of need:
 *
 *   depot_bytes = what the depots hold + what the shards have left
 *
 * The latter is what is called credit. Any thread of the process may call these.
 */
#ifndef CLIENT_CREDIT_H
#define CLIENT_CREDIT_H

#include "client/types.h"

/* The most that the process may hold free, in depots and magazines. */
uint64_t credit_limit(const struct slabd_pool *pool);

/* Whether a depot may have so many bytes more; they are taken for it. */
bool credit_take(struct slabd_pool *pool, uint64_t bytes);

/* Objects left a depot, or did not get there. */
void credit_back(struct slabd_pool *pool, uint64_t bytes);

/* Gives back what nobody uses but the shards' owners, and what the calling thread
 * has. */
void credit_trim(struct slabd_pool *pool);

/* Of depot_bytes what no depot holds. Looks at what other threads write. */
uint64_t credit_unused(const struct slabd_pool *pool);

/* A thread that was one of a shard, of process_enter_shard, leaves a pool: what it
 * had of that is the others'. By the thread, or whoever knows that it is at work
 * with it no more. */
void credit_leave(struct slabd_pool *pool, uint32_t shard);

#endif
