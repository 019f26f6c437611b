/* SPDX-License-Identifier: MIT */
/*
 * Empty slabs that caches no longer need, as room for another before the pool
 * grows. They are found on the lists, a few hundred looks at a time: nothing
 * tells slabd when a slab falls empty.
 */
#ifndef DAEMON_BALANCE_REUSE_H
#define DAEMON_BALANCE_REUSE_H

#include "daemon/pool/pool.h"

/* Frees units of a node by taking empty slabs of other caches apart, for slabs
 * of a cache; 0: for any. How many were freed, which is up to about n.
 *
 * A list that was rung for in the last seconds keeps its low mark, and an eighth
 * of what stands there if that was just now: what it had to give it would ring
 * for at once. A node where a look found nothing is left alone for some
 * milliseconds. */
uint64_t reuse_empties(struct pool *pool, uint32_t cache, uint32_t node,
                       uint64_t n);

#endif
