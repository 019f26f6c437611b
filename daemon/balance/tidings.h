/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of memory that is lent between nodes by slabd itself, and of
 * nodes that are emptied: a line as it begins, with the reason, and one as it ends.
 * Where slabs go to and fro that is one pair of lines a minute, and the next says
 * how many were left out. Single steps stand in slabctl log.
 */
#ifndef DAEMON_BALANCE_TIDINGS_H
#define DAEMON_BALANCE_TIDINGS_H

#define TIDINGS_NS (60 * CLOCK_S) /* from one begin that is said to the next */

struct pool;

/* After a look at the nodes. */
void tidings_settle(struct pool *pool);

#endif
