/* SPDX-License-Identifier: MIT */
/*
 * The way back of a pool that was set aside (holes.h): once no client is left
 * nothing of it is in use, whatever its tags say. All of its slabs are taken
 * apart, and it is as new, with the memory that it has.
 *
 * Nobody comes in before that: a kill on the way leaves a pool that is set aside
 * and has no client, which the next slabd makes anew.
 */
#ifndef DAEMON_POOL_RENEW_H
#define DAEMON_POOL_RENEW_H

#include "daemon/pool/pool.h"

/* Some of it, if it is due: whether there is more. */
bool renew_some(struct pool *pool);

#endif
