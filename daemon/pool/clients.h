/* SPDX-License-Identifier: MIT */
/*
 * Client ids: FREE -> LIVE -> DEAD -> FREE. An id is swept when its process is
 * dead, and once more half a second later, before it is FREE again: another
 * client may have been giving it an object while it died. Should that one have
 * stood still for longer, its note is found as the id is about to be LIVE again:
 * then another is taken, and this one is swept. The next id is always the one
 * that has been unused for longest.
 */
#ifndef DAEMON_POOL_CLIENTS_H
#define DAEMON_POOL_CLIENTS_H

#include "daemon/base/remedy.h"
#include "daemon/pool/pool.h"

/* Makes an id live for a process. The id; -EAGAIN when the pool has all the
 * clients it may have, -EBUSY when no id is free. */
int clients_take(struct pool *pool, int32_t pid, uint32_t uid,
                 const char *comm);

/* An id for a root, as a client asked: it has no process, and lives until it is
 * reaped. Its row says who asked. The id, or -EBUSY. */
int clients_take_root(struct pool *pool, uint32_t client);
/* An id for a channel, which has no process and lives until it is reaped. */
int clients_take_channel(struct pool *pool);

/* The process is dead (or said goodbye): the row says so, and the sweep of all
 * that carries the id is due. When it is through, see due_through. Sweep it
 * again (sweep_join) a while later, and then call clients_free. */
uint64_t clients_reap(struct pool *pool, uint32_t id);

/* The second sweep is through; the id may be used again. */
void clients_free(struct pool *pool, uint32_t id);

/* Has the list bits set that a client, which lives, was about to set: it became
 * another program, and its threads ended wherever they were. False: a look so
 * soon after the last would cost too much. */
bool clients_relist(struct pool *pool, uint32_t id);

/* Counts the living of a pool that was taken over: nothing may be swept
 * before. */
void clients_adopt(struct pool *pool);

/*
 * The client's own open file of the shared file, for its welcome, or -1; the
 * caller closes its number. It holds a lock of its own, for as long as anybody
 * has it open or mapped, and the kernel tells of that lock: once it is gone, no
 * process can write there as this client, whatever lives on. A client that was
 * lent none is known to have ended by its process alone.
 */
int clients_lend_shared(const struct pool *pool, uint32_t id);
bool clients_has_shared(const struct pool *pool, uint32_t id);

/* Bans a live client that lost its connection by a fault. The mark outlives
 * slabd. */
void clients_ban(struct pool *pool, uint32_t id);

/* Gives a live client another name, "" the one of its process. name need not end in
 * zero. 0, or -EINVAL with why set. */
int clients_rename(struct pool *pool, uint32_t id, const char name[NAME_BYTES],
                   struct remedy *why);

/* The name that it gave itself, or its process's. */
void clients_name(const struct pool *pool, uint32_t id, char name[NAME_BYTES]);

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
