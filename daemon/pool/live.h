/* SPDX-License-Identifier: MIT */
/* What clients say of what they have, in the first bytes of objects that they own
 * (shm/arena_live.h, shm/objpool_live.h): read out of the file, so that nothing a
 * client does to its pages matters here. */
#ifndef DAEMON_POOL_LIVE_H
#define DAEMON_POOL_LIVE_H

#include "daemon/base/clock.h"
#include "daemon/pool/usage.h"

/* The next object of a slab that a living client owns, *at or a later one: whose it
 * is, and its offset; *at is behind it then. False: there is none. */
bool live_next(const struct pool *pool, const struct usage_slab *slab,
               uint32_t *at, uint32_t *client, uint64_t *off);

/* Bytes at an offset. False: they could not be read. They may be anything. */
bool live_read(const struct pool *pool, uint64_t off, void *out, size_t bytes);

/* Since then, by a client's clock, which is ours; 0 for what is to come. */
int64_t live_age_ns(uint64_t since_ns);

#endif
