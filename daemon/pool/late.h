/* SPDX-License-Identifier: MIT */
/* Hugepages of a pool's that are to go back to the system, beside the loop. */
#ifndef DAEMON_POOL_LATE_H
#define DAEMON_POOL_LATE_H

#include <stdbool.h>

struct pool;

/* Those that could not, as another slabd was changing the system's counts. False:
 * some are left, and a moment later it may be done. */
bool late_give(struct pool *pool);

/* The books of nodes say what lies there, however that came: hugepages beyond go
 * back. */
void late_settle(struct pool *pool);

#endif
