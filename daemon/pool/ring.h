/* SPDX-License-Identifier: MIT */
/*
 * The rings of channels: a memfd each, which the manager keeps. Clients write them,
 * so slabd looks that the memory is there before it reads one, as a read of what a
 * client has punched is SIGBUS where the kernel has none.
 */
#ifndef DAEMON_POOL_RING_H
#define DAEMON_POOL_RING_H

#include <stdbool.h>

#include "daemon/pool/pool.h"
#include "shm/channel.h"

struct ring {
	struct channel ring; /* head NULL: there is none */
	int fd;
	uint32_t peers; /* clients that have the channel open */
	bool punched;   /* some of it is not what it was */
};

/* As a client that waits for it is to look again. */
void ring_wake(const struct channel *ring);

/* An empty one for a channel that owns by an id, not kept yet. 0 or -errno. */
int ring_make(const struct pool *pool, struct ring *ring, uint32_t capacity,
              uint32_t owner);
void ring_end(struct ring *ring);

/* The one that the manager has for a row, if it is that of the channel there: it
 * may have read of one that is older, and of no end of it. 0, -ENOENT it has none,
 * -ESTALE it is another, or -errno. */
int ring_adopt(const struct pool *pool, struct ring *ring, uint32_t ix);

/* Has the manager keep it, or no longer. */
void ring_keep(const struct pool *pool, const struct ring *ring, uint32_t ix,
               bool kept);

/* Whether all of its memory is there: what was taken away is zeroes again then. */
bool ring_is_whole(const struct pool *pool, struct ring *ring, uint32_t ix);

#endif
