/* SPDX-License-Identifier: MIT */
/* A pool that gets more pages of a node from the kernel. */
#ifndef DAEMON_POOL_GROW_H
#define DAEMON_POOL_GROW_H

#include "daemon/pool/pool.h"

/* Faults in an eighth more pages than the node has, within bounds. 0 if that
 * gave any; -ENOSPC: the pool has all that it may have of the node, the node is
 * drained or offline, or the kernel has none, which is logged. */
int grow_node(struct pool *pool, uint32_t node);

#endif
