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

#define DUO_RING 4096u
#define DUO_GROUP 32u
#define DUO_BALLS 15u
#define DUO_LINES 128 /* two lines: what is fetched together */

struct duo {
	pthread_barrier_t meet; /* sleeping; between samples */
	uint64_t n;             /* of the sample; 0: the end */
	double began_ns[WORK_SIDES], ended_ns[WORK_SIDES];
	double probe_ns[2];
	uint64_t over; /* a side failed: nobody waits for it */
	uint64_t here __attribute__((aligned(DUO_LINES)));
	/* How far a line travels depends on its address too, so there are
	 * many, an odd number of lines apart. */
	struct {
		uint64_t at;
		char apart[9 * DUO_LINES - 8];
	} ball[DUO_BALLS] __attribute__((aligned(DUO_LINES)));
	/* Objects put so far, by side 0, and taken so far, by side 1. */
	uint64_t put __attribute__((aligned(DUO_LINES)));
	uint64_t taken __attribute__((aligned(DUO_LINES)));
	uint64_t ring[DUO_RING] __attribute__((aligned(DUO_LINES)));
};

/* One side of a sample; false after a message. */
typedef bool (*duo_side)(struct duo *duo, unsigned side, uint64_t n);

/* Made before a fork. NULL after a message. */
struct duo *duo_make(void);

/* Side 0: one sample. 0, or 1 after a message. */
int duo_sample(struct duo *duo, duo_side run, uint64_t n,
               struct work_result *result);

/* Side 1: samples until the end. */
void duo_serve(struct duo *duo, duo_side run);

/* Side 0: ends the other. */
void duo_end(struct duo *duo);

/* Between two tries of what the other side must do first. */
static inline void duo_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

#endif
