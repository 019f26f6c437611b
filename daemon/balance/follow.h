/* SPDX-License-Identifier: MIT */
/* What the machine gains and loses while slabd runs, entered in a pool. */
#ifndef DAEMON_BALANCE_FOLLOW_H
#define DAEMON_BALANCE_FOLLOW_H

#include "daemon/pool/pool.h"

/* What has changed, as bits. */
enum follow_what {
	FOLLOW_NOTHING = 0,
	FOLLOW_CPUS = 1,
	FOLLOW_MEMORY = 2,
};

/*
 * Enters what the machine is like now. A CPU that came counts for the node that
 * it is near; one that went needs nothing. A node whose memory went is out of
 * the plans' reach until it is back. Says all of it in the log. What has
 * changed.
 */
unsigned follow_nodes(struct pool *pool, const struct topo *now);

/* Looks up where the kernel has up to n pages, from *page on, and follows those
 * that it moved with all their slabs. False once *page is past the last. */
bool follow_pages(struct pool *pool, uint64_t *page, uint64_t n);

#endif
