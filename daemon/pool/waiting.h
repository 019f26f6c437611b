/* SPDX-License-Identifier: MIT */
/*
 * Settings of slabd.conf that memory which was taken over can't follow: its
 * files have their size, their pages and their tables for good. What can be
 * applied is: users and groups, max_clients and those of a process and
 * a user, floor, [balance], a lower max or
 * max_caches, and a higher start. The rest waits for a pool made anew.
 */
#ifndef DAEMON_POOL_WAITING_H
#define DAEMON_POOL_WAITING_H

#include "daemon/pool/pool.h"

#define WAITING_TEXT 32u

struct waiting {
	const char *key;
	char file[WAITING_TEXT];    /* its value in slabd.conf */
	char running[WAITING_TEXT]; /* what the pool runs with */
};

/* max, page, max_caches */
#define WAITING_MAX 3u

/* How many there are, in out. */
unsigned waiting_list(const struct pool *pool, struct waiting out[WAITING_MAX]);

/* Notes in the ledger of a new pool what it was made of. */
void waiting_note(const struct pool *pool);

/* Applies a file to a pool that was taken over, and logs what waits. */
void waiting_apply(struct pool *pool);

#endif
