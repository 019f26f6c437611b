/* SPDX-License-Identifier: MIT */
/*
 * What of a pool the service manager keeps: its files and its journal, by name,
 * so that the next slabd adopts them (pool/adopt.c).
 */
#ifndef DAEMON_POOL_KEEP_H
#define DAEMON_POOL_KEEP_H

#include "daemon/pool/pool.h"

/* A file of a pool; that of node n is KEEP_NODES + n. Its past (pool/past.h) is
 * none that a pool needs: it goes on without. */
enum {
	KEEP_JOURNAL,
	KEEP_CONTROL,
	KEEP_SHARED,
	KEEP_NODES,
	KEEP_PAST = KEEP_NODES + NODES_MAX,
};

/* Has the manager keep one file, by -1 none of that name. */
void keep_fd(const struct pool *pool, unsigned file, int fd);

/* The same of the past, as long as there is much room; again: by another manager
 * than has it. */
void keep_past(const struct pool *pool, int fd, bool again);

/* A file that was kept, which is the caller's from now on; or as
 * fdstore_take. */
int keep_take(const struct pool *pool, unsigned file);

/* The same of a pool by name, without taking it. */
int keep_peek(const char *pool, unsigned file);

/* Whether each file of a pool was passed beside its journal: what the manager was
 * given and has not is gone for good. */
bool keep_has_all(const struct pool *pool);

/* The files that a restart needs of a pool that runs, file by file from 0 on: its
 * name in the manager's store, good until the next one is asked for, and its
 * descriptor, which stays the pool's. NULL: no more. */
const char *keep_file(const struct pool *pool, unsigned file, int *fd);

/* Whether the manager keeps each of these, as far as is known. */
bool keep_is_whole(const struct pool *pool);

/* The configuration that it keeps, by name alike; *fd is -1 where it has none. */
const char *keep_config(int *fd);

/* Has the manager keep all of the pool's files, or no longer keep any. */
void keep_pool(const struct pool *pool);
/* The same for another manager, which is not waited for. */
void keep_again(const struct pool *pool);
void keep_forget(const struct pool *pool);

/* Ends what was kept of a pool, of which the manager has not all. Clients may
 * have that still, and keep it: their memory is not touched. */
void keep_let_go(struct pool *pool);

/* The end of a slabd that does not go on, and was not told to stop: a pool that
 * clients may have is left to the next one, where it is kept; of another the
 * manager keeps nothing. */
void keep_or_destroy(struct pool *pool, bool has_clients);

#endif
