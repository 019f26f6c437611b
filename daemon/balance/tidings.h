/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of memory that is lent between nodes by slabd itself, and of
 * nodes that are emptied: a line as it begins, with the reason, and one as it ends.
 * Where slabs go to and fro that is one pair of lines a minute, and the next says
 * how many were left out. Of memory that went back to the kernel it is one line as a
 * round of looks has given what there was, with the sum by node and why; the next for
 * that reason comes a minute later. Single steps stand in slabctl log.
 */
#ifndef DAEMON_BALANCE_TIDINGS_H
#define DAEMON_BALANCE_TIDINGS_H

#include <stdbool.h>
#include <stdint.h>

#define TIDINGS_NS (60 * CLOCK_S) /* from one begin that is said to the next */

struct balance_event;
struct pool;

/* A step was taken. */
void tidings_note(struct pool *pool, const struct balance_event *event);

/* After a look at the nodes; more: another follows at once. */
void tidings_settle(struct pool *pool, bool more);

/* How long until it has something to say; -1: it has not. */
int64_t tidings_left_ns(const struct pool *pool);

#endif
