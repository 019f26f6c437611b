/* SPDX-License-Identifier: MIT */
/*
 * Settings of slabd.conf that a pool can't follow: its files have their size,
 * their pages and their tables for good. What can be applied, to a pool that was
 * taken over and while it is served, is: users and groups, max_clients and those
 * of a process and a user, floor, [balance], limits of roots, channels and arenas,
 * and max and max_caches as far as the files go. A higher start is for the next
 * start; the rest waits for a pool made anew.
 */
#ifndef DAEMON_POOL_WAITING_H
#define DAEMON_POOL_WAITING_H

#include "daemon/pool/pool.h"

#define WAITING_TEXT 32u

struct waiting {
	const char *key;
	char file[WAITING_TEXT];    /* its value in slabd.conf */
	char running[WAITING_TEXT]; /* what the pool runs with */
	bool restart; /* one of slabd is enough; else the pool is to be made anew */
};

/* max, page, max_caches, start */
#define WAITING_MAX 4u

/* How many there are, in out. */
unsigned waiting_list(const struct pool *pool, struct waiting out[WAITING_MAX]);

/* Notes in the ledger of a new pool what it was made of. */
void waiting_note(const struct pool *pool);

/* Applies a file to a pool that was taken over, and logs what waits. */
void waiting_apply(struct pool *pool);

/* The same for one that is served, whose configuration is another by now: what
 * waits is the caller's to say. */
void waiting_follow(struct pool *pool);

#endif
