/* SPDX-License-Identifier: MIT */
/*
 * What the service manager kept and no pool of the configuration took over:
 * pools that are configured no longer, pools that were refused.
 */
#ifndef DAEMON_POOL_REST_H
#define DAEMON_POOL_REST_H

#include "daemon/pool/pool.h"

/* The kept pools that none of the configuration has taken: *at is 0 at first.
 * False at the end. */
bool rest_next(unsigned *at, char pool[NAME_BYTES]);

/* Whether such a one is whole and of this layout. */
bool rest_may(const char *pool);

/* Leaves what was kept of a pool that was refused, and of its clients, to the
 * next slabd. After all pools were taken over. */
void rest_leave(const char *pool);

/* A pool's journal, for rest_pay: before it is taken over or refused. -1: there
 * is none. */
int rest_journal(const char *pool);

/* Gives back the hugepages that were added for a pool that was refused, those in use as soon
 * as they are free: its memory stays as it is, and may be taken over still. Closes
 * the journal. */
void rest_pay(const char *pool, int fd, const struct topo *topo);

/* Closes what no pool of the configuration has taken. Hugepages that a slabd
 * which was killed had added for such a pool go back to the system. */
void rest_close(const struct topo *topo);

#endif
