/* SPDX-License-Identifier: MIT */
/* Being told to stop while slabd starts: a thread waits for the signals then,
 * so that whoever faults memory in can end. */
#ifndef DAEMON_BASE_STOP_H
#define DAEMON_BASE_STOP_H

#include <stdbool.h>

/* Has SIGTERM and SIGINT, which the caller has blocked, noticed from now on.
 * Where no thread is to be had they wait as they do without it. */
void stop_watch(void);

/* Ends that. A signal that came is pending again, for the loop to serve. */
void stop_unwatch(void);

/* Told to stop; any thread may ask. */
bool stop_is_due(void);

/* Threads that fault memory in have to end: the loop has. */
void stop_set(void);

#endif
