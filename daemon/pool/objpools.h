/* SPDX-License-Identifier: MIT */
/* Object pools of clients, as each says of itself (shm/objpool_live.h): its client's
 * word, which is shown, and nothing is done because of it. */
#ifndef DAEMON_POOL_OBJPOOLS_H
#define DAEMON_POOL_OBJPOOLS_H

#include "daemon/pool/live.h"
#include "shm/objpool_live.h"

struct objpools_seen {
	uint64_t off;
	uint32_t client;
	struct objpool_live live; /* the name ends; all else may be anything */
};

/* The next object pool whose record is object *at or a later one of a slab; *at is
 * behind it then. False: there is none. */
bool objpools_next(const struct pool *pool, const struct usage_slab *slab,
                   uint32_t *at, struct objpools_seen *seen);

#endif
