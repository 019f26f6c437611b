/* SPDX-License-Identifier: MIT */
/* The cache table of a pool: caches are made at run time, and stay. */
#ifndef DAEMON_POOL_CACHES_H
#define DAEMON_POOL_CACHES_H

#include "daemon/base/remedy.h"
#include "daemon/pool/pool.h"

/* Finds the cache, or makes it. Its id, or -errno with the reason and the
 * remedy in why: EINVAL, EEXIST, ENOSPC. name need not end in zero. */
int caches_create(struct pool *pool, const char name[NAME_BYTES], uint64_t size,
                  uint64_t align, uint32_t flags, struct remedy *why);

/* The id of a cache by name, or 0. */
uint32_t caches_find(const struct pool *pool, const char *name);

#endif
