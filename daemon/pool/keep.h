/* SPDX-License-Identifier: MIT */
/*
 * What of a pool the service manager keeps: its files and its journal, by name,
 * so that the next slabd adopts them (pool/adopt.c).
 */
#ifndef DAEMON_POOL_KEEP_H
#define DAEMON_POOL_KEEP_H

#include "daemon/pool/pool.h"

/* The name in the descriptor store of a pool's file: "ledger", "control",
 * "shared", or "node" with its index. */
#define KEEP_NAME 160
void keep_name(char name[KEEP_NAME], const char *pool, const char *what);
void keep_node_name(char name[KEEP_NAME], const char *pool, unsigned node);

/* Has the manager keep one file, by -1 none of that name. */
void keep_fd(const struct pool *pool, const char *what, int fd);

/* Has the manager keep all of the pool's files, or no longer keep any. */
void keep_pool(const struct pool *pool);
void keep_forget(const struct pool *pool);

/* The end of a slabd that does not go on, and was not told to stop: a pool that
 * clients may have is left to the next one, where it is kept; of another the
 * manager keeps nothing. */
void keep_or_destroy(struct pool *pool, bool has_clients);

#endif
