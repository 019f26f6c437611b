/* SPDX-License-Identifier: MIT */
/*
 * What slabd was started with by shells, containers and job managers, beyond
 * arguments and environment: what harms is set right, what can't be is named.
 *
 *   set right  standard streams that are closed, signals that are ignored or
 *              blocked, soft limits, umask, alarms, personality, huge pages
 *              switched off, timer slack, I/O of reclaim, memory policy, children
 *              that are not ours
 *   named      hard limits, priority and scheduling class, few processors, the
 *              first to be killed when memory is short, the end together with a
 *              parent, libraries that are put before ours
 */
#ifndef DAEMON_BASE_INHERIT_H
#define DAEMON_BASE_INHERIT_H

#include <stdbool.h>

/* First of all in main. 0; -errno: a standard stream is closed, and nothing can
 * be put in its place. */
int inherit_reset(void);

/* Of a process that starts none itself: children that it was given end without
 * being asked for. Who is the first of its container is given all orphans. */
void inherit_no_children(void);

/* Says in the log what was set right that somebody may have meant. */
void inherit_say_reset(void);

/* Says what slabd runs under: once, by the process that serves. */
void inherit_say_named(void);

#endif
