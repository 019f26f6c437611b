/* SPDX-License-Identifier: MIT */
/* The end of a cache: who holds it, and its slabs reclaimed. */
#ifndef DAEMON_POOL_ENDS_H
#define DAEMON_POOL_ENDS_H

#include "daemon/base/remedy.h"
#include "daemon/pool/pool.h"

/* Ends a cache that is live. 0; -EBUSY with why saying who has it open, or
 * whose objects are in use, with nothing or some empty slabs gone. */
int ends_retire(struct pool *pool, uint32_t cache, struct remedy *why);

/* Ends the cache, of those that no client has open and that have no object in
 * use, which was last used longest ago. Its id, or 0: there is none. */
uint32_t ends_oldest(struct pool *pool);

#endif
