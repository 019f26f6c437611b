/* SPDX-License-Identifier: MIT */
/*
 * The channels of a pool: a row, an id that owns what is under way, and a file with
 * the ring, which clients write and slabd does not trust (shm/channel.h).
 *
 *   join     the first of a name makes it: id, file, row, in this order
 *   leave    a client closed it, or has ended: what it was at work with in the ring is
 *            settled, and the others hear of it
 *   end      nobody has it open and the ring is empty, or it is removed: the row
 *            goes, then its id is reaped like a dead client's
 *
 * A channel in which something is under way stays, whoever ended: who opens it next
 * has that. The manager keeps its file, so that it outlives slabd; where that is lost
 * all the same, those that have the channel open are told so by each call, and once
 * they have left another ring is made by the tags.
 */
#ifndef DAEMON_POOL_CHANNELS_H
#define DAEMON_POOL_CHANNELS_H

#include "daemon/base/remedy.h"
#include "daemon/pool/pool.h"
#include "shm/channel.h"

/* For a new pool, or one that is taken over: then those that it has. */
int channels_make(struct pool *pool);
void channels_adopt(struct pool *pool);

/* Has the manager keep all files, or none. */
void channels_keep(const struct pool *pool);
void channels_forget(const struct pool *pool);

/* A live client opens one, which is made where there is none and capacity > 0. Its
 * row, an index, with *fd the file, which stays slabd's; or -errno with why set:
 * EINVAL, EEXIST, ENOENT, ENOSPC, ENOMEM, EAGAIN. */
int channels_join(struct pool *pool, uint32_t id, const char name[NAME_BYTES],
                  uint64_t capacity, int *fd, struct remedy *why);

/* A client has it open no longer, which others hear of if it died; or none of them,
 * as it ended. */
void channels_leave(struct pool *pool, uint32_t id, uint32_t ix, bool died);
void channels_leave_all(struct pool *pool, uint32_t id);

/* One that nobody has open ends with what is under way in it, which is freed: for who
 * knows that nobody comes for that. 0, or -ENOENT or -EBUSY with why set. */
int channels_remove(struct pool *pool, const char *name, struct remedy *why);

/* The id of a channel that is to end, or 0; its row is free after channels_end, and
 * then the id is to be reaped. */
uint32_t channels_over(struct pool *pool);
void channels_end(struct pool *pool, uint32_t owner);

/* Whether an id is that of a channel which there is. */
bool channels_has_owner(const struct pool *pool, uint32_t id);

/* A channel's ring; NULL: there is none of that row. And clients that have it open. */
const struct channel *channels_ring(const struct pool *pool, uint32_t ix);

/* Whether it may be read: before each look at a ring. */
bool channels_is_whole(const struct pool *pool, uint32_t ix);
uint32_t channels_peers(const struct pool *pool, uint32_t ix);

/* Whether a client is one of them. */
bool channels_has_joined(const struct pool *pool, uint32_t id, uint32_t ix);

/* Rates are told by a window of 0.2 to 10 s, which the first look begins: how long
 * until there is one, 0 at once. Then, of a channel that may be read, objects a
 * second. At the end of a look another window begins, once it is a second long. */
int64_t channels_window(struct pool *pool);
void channels_rates(const struct pool *pool, uint32_t ix, uint64_t *sent,
                    uint64_t *received);
void channels_window_next(struct pool *pool);

#endif
