/* SPDX-License-Identifier: MIT */
/*
 * How long the turns of the event loop take: a histogram, and the longest.
 *
 *   epoll_wait returns --> callbacks, ours and those inside libevent --> epoll_wait
 *   '------------------------- one turn -----------------------------'
 *
 * Nothing is served while a turn lasts. libevent 2.1 tells nobody when it begins
 * to wait and when it ends, so the epoll_wait that it calls is the one defined
 * here, which goes on to the kernel's. So all that is between two waits counts,
 * whoever did it.
 *
 * A turn took the time between, less what the thread was ready to run and had no
 * processor (from the kernel's schedstat): that is the machine's doing. It
 * counts to the piece of it that took longest; who calls turn_at begins another.
 */
#ifndef DAEMON_BASE_TURN_H
#define DAEMON_BASE_TURN_H

#include <stddef.h>
#include <stdint.h>

/* Eight for each doubling of a microsecond, up to 33 s and what is longer. */
#define TURN_BUCKETS 192u

struct turns {
	uint64_t count;
	int64_t total_ns;
	int64_t waited_ns; /* for a processor, in turns of a millisecond or more */
	int64_t longest_ns;
	int64_t longest_at_ns;    /* when it ended, by clock_ns */
	const char *longest_what; /* "" */
	int64_t longest_part_ns;  /* of that what */
	int64_t silent_ns; /* the longest with the wait for a processor */
	uint64_t bucket[TURN_BUCKETS];
};

/* The next epoll_wait is the loop's, and ends nothing. */
void turn_open(void);

/* What comes next is this, by a text that stays. */
void turn_at(const char *what);

const struct turns *turn_counts(void);

/* For how long this thread has been ready to run without a processor, from some
 * time on; 0 where the kernel does not tell. */
int64_t turn_delay_ns(void);

static inline unsigned turn_bucket(int64_t ns)
{
	uint64_t us = ns < 0 ? 0 : (uint64_t)ns / 1000;
	unsigned e, i;
	if (us < 8)
		return (unsigned)us;
	e = 63u - (unsigned)__builtin_clzll(us);
	i = (e - 2) * 8 + (unsigned)(us >> (e - 3) & 7);
	return i < TURN_BUCKETS ? i : TURN_BUCKETS - 1;
}

/* The first microsecond that is in the next bucket. */
static inline uint64_t turn_below_us(unsigned bucket)
{
	unsigned e = bucket / 8 + 2;
	if (bucket < 8)
		return bucket + 1;
	return (UINT64_C(8) + bucket % 8 + 1) << (e - 3);
}

/* Below which so many of 1,000,000 turns are, in microseconds; 0 without any. */
static inline uint64_t turn_quantile_us(const struct turns *t, uint64_t ppm)
{
	uint64_t n = 0;
	uint64_t sum = 0;
	for (unsigned i = 0; i < TURN_BUCKETS; i++)
		n += t->bucket[i];
	n = n - n / 1000000 * (1000000 - ppm) -
	    n % 1000000 * (1000000 - ppm) / 1000000;
	for (unsigned i = 0; i < TURN_BUCKETS && n > 0; i++) {
		sum += t->bucket[i];
		if (sum >= n)
			return turn_below_us(i);
	}
	return 0;
}

#endif
