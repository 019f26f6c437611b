/* SPDX-License-Identifier: MIT */
/*
 * How long a call of the library waited, as it asked the kernel for it: what a
 * bound on a call is about, and the same on a machine that has other work.
 *
 * From asked_begin to asked_end the calling thread's monotonic clock stands
 * still but for its waits. One that ran out moves it on by just what was asked
 * for; one that was ended earlier lets it catch up, by no more than was asked
 * for. So a call with a limit gives up after its limit to the slice, however
 * late the thread wakes.
 *
 * A program that names asked.c among its sources links the library's own code,
 * with $(asked_ldflags).
 */
#ifndef TESTS_LIB_ASKED_H
#define TESTS_LIB_ASKED_H

#include <stdint.h>

#include "client/slabclient.h"

/* From here on, for this thread. */
void asked_begin(void);

/* Back to the clock; what this thread has waited since asked_begin, in ms. */
double asked_end(void);

/* The times that threads of this process began to wait in poll. */
uint64_t asked_polls(void);

/* The tries that this loss of slabd has cost so far: the library's own count,
 * read under its lock. */
uint32_t asked_tries(slabd_pool *pool);

/* The calls on sockets of slabd's that could have waited for it. */
uint64_t asked_blocking(void);

#endif
