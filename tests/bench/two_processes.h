/* SPDX-License-Identifier: MIT */
/*
 * Two sides at work together, two threads or two processes: what they share,
 * how they begin at one instant, and the probe of how far apart their CPUs are.
 * The host moves them about: the same program then gives a third or a
 * fifteenth, so each sample carries a round trip before and one after it.
 */
#ifndef TESTS_BENCH_TWO_PROCESSES_H
#define TESTS_BENCH_TWO_PROCESSES_H

#include "tests/bench/work.h"

#include <pthread.h>

#define TWO_PROCESSES_RING 4096u
#define TWO_PROCESSES_GROUP 32u
#define TWO_PROCESSES_BALLS 15u
#define TWO_PROCESSES_LINES 128 /* two lines: what is fetched together */

struct two_processes {
	pthread_barrier_t meet; /* sleeping; between samples */
	uint64_t n;             /* of the sample; 0: the end */
	double began_ns[WORK_SIDES], ended_ns[WORK_SIDES];
	double probe_ns[2];
	uint64_t over; /* a side failed: nobody waits for it */
	uint64_t here __attribute__((aligned(TWO_PROCESSES_LINES)));
	/* How far a line travels depends on its address too, so there are
	 * many, an odd number of lines apart. */
	struct {
		uint64_t at;
		char apart[9 * TWO_PROCESSES_LINES - 8];
	} ball[TWO_PROCESSES_BALLS]
		__attribute__((aligned(TWO_PROCESSES_LINES)));
	/* Objects put so far, by side 0, and taken so far, by side 1. */
	uint64_t put __attribute__((aligned(TWO_PROCESSES_LINES)));
	uint64_t taken __attribute__((aligned(TWO_PROCESSES_LINES)));
	uint64_t ring[TWO_PROCESSES_RING]
		__attribute__((aligned(TWO_PROCESSES_LINES)));
};

/* One side of a sample; false after a message. */
typedef bool (*two_processes_side)(struct two_processes *two, unsigned side,
                                   uint64_t n);

/* Made before a fork. NULL after a message. */
struct two_processes *two_processes_make(void);

/* Side 0: one sample. 0, or 1 after a message. */
int two_processes_sample(struct two_processes *two, two_processes_side run,
                         uint64_t n, struct work_result *result);

/* Side 1: samples until the end. */
void two_processes_serve(struct two_processes *two, two_processes_side run);

/* Side 0: ends the other. */
void two_processes_end(struct two_processes *two);

/* Between two tries of what the other side must do first. */
static inline void two_processes_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

#endif
