/* SPDX-License-Identifier: MIT */
/* How long single operations take: a histogram of clock ticks whose buckets
 * are 1/32 wide, and the clock. */
#ifndef BENCH_TAIL_H
#define BENCH_TAIL_H

#include <stddef.h>
#include <stdint.h>

#define TAIL_SUB 32u
#define TAIL_BUCKETS (TAIL_SUB * 60u)

struct tail {
	uint64_t n, most;
	uint64_t bucket[TAIL_BUCKETS];
};

/* The time-stamp counter, after all that came before it. */
static inline uint64_t tail_now(void)
{
#ifdef __x86_64__
	unsigned unused;
	return __builtin_ia32_rdtscp(&unused);
#else
	return (uint64_t)work_now_ns();
#endif
}

static inline void tail_add(struct tail *tail, uint64_t ticks)
{
	unsigned log = ticks < TAIL_SUB
	                       ? 0
	                       : 59u - (unsigned)__builtin_clzll(ticks);
	/* log is 0 below 32, and above it one more for each doubling. */
	uint64_t ix = log == 0 ? ticks
	                       : log * TAIL_SUB +
	                                 ((ticks >> (log - 1)) & (TAIL_SUB - 1));
	tail->bucket[ix]++;
	tail->n++;
	if (ticks > tail->most)
		tail->most = ticks;
}

/* Ticks in a nanosecond, measured over some milliseconds. */
double tail_rate(void);

/* The smallest step of the clock, in ticks. */
uint64_t tail_step(void);

/* Writes "name":{"p50":..,"p99":..,"p999":..,"max":..,"n":..} in ns, less what
 * reading the clock costs, and forgets the operations. */
int tail_tell(struct tail *tail, const char *name, double rate, char *out,
              size_t size);

#endif
