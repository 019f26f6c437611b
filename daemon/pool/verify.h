/* SPDX-License-Identifier: MIT */
/*
 * Whether what was kept of a pool can be taken over: pool/adopt.c asks before it
 * touches any of it, and pool/takeover.c for a slabd that still runs.
 *
 *   verify_open -- ledger, parts --> verify_map -- versions, head --> verify_is_spent
 *                                                    '--> verify_tables -- the rest
 *
 * Nothing is written. A pool that is only looked at (pool.look) is mapped to be
 * read alone, and what would be logged stands in its look.
 */
#ifndef DAEMON_POOL_VERIFY_H
#define DAEMON_POOL_VERIFY_H

#include "daemon/pool/pool.h"

enum verify_result {
	VERIFY_SOUND,      /* it is taken over */
	VERIFY_NOTHING,    /* nothing was kept: it is made */
	VERIFY_PARTS,      /* not all was kept: it is let go, and made anew */
	VERIFY_UNFINISHED, /* slabd was killed while it made it: made anew */
	VERIFY_SPENT,      /* it was set aside, and nobody has it: made anew */
	VERIFY_REFUSED,    /* it is left as it is */
};

struct verify_look {
	struct remedy why;       /* it is refused */
	char note[REMEDY_BYTES]; /* what is said of it all the same, or "" */
};

/* Takes up the ledger of a pool that pool_init began, as far as there is one.
 * *error: of VERIFY_REFUSED, the -errno. */
enum verify_result verify_open(struct pool *pool, int *error);

/* Why it is made anew: of VERIFY_PARTS, VERIFY_UNFINISHED and VERIFY_SPENT; ""
 * of others. */
const char *verify_why(enum verify_result result);

/* Takes up control and shared. 0, or -errno as adopt_pool. */
int verify_map(struct pool *pool);

/* Whether it was set aside and its clients have ended. */
bool verify_is_spent(const struct pool *pool);

/* Checks the data's files and the tables of caches, nodes and pages. 0, or -errno
 * as adopt_pool. */
int verify_tables(struct pool *pool);

/* What was kept of each node, by its ledger; the descriptors stay where they
 * are. */
void verify_files(const struct pool *pool, struct backing_kept kept[]);

/* Logs, or notes, why it can't be taken over. error. */
int verify_refuse(const struct pool *pool, int error, const char *why, ...)
	__attribute__((format(printf, 3, 4)));

#endif
