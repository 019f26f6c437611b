/* SPDX-License-Identifier: MIT */
/*
 * A trace played again, by malloc or in a pool, in a process of its own: its heap
 * is as a program's, and what it may meet ends nobody else. One thread plays the
 * trace in its order, and writes to each object as it gets it; what was still live
 * at the end is freed then.
 */
#ifndef DAEMON_ADVICE_PLAY_H
#define DAEMON_ADVICE_PLAY_H

#include "daemon/advice/choose.h"

#define PLAY_NAME "advise" /* caches are called so, with - and their bytes */

struct play {
	bool is_done;
	double event_ns;      /* of an event, the best of some rounds */
	uint64_t heap_bytes;  /* that malloc has of the system, at most */
	char what[256];       /* why it is not done */
};

/* 0, or -errno where it could not even be tried. */
int play_malloc(struct play *play, const struct trace *trace);

/* In a pool (NULL: the default one) of the slabd that the library finds, by a
 * cache for each chosen one; what is in none is malloc's. */
int play_slabd(struct play *play, const struct trace *trace,
               const struct profile *profile, const struct choose *choose,
               const char *pool);

#endif
