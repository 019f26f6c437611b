/* SPDX-License-Identifier: MIT */
/*
 * The one clock of slabd. A time is an int64 of nanoseconds, and so is a span;
 * what people or the kernel want in other units is converted where it is handed
 * over. Nothing else in daemon/ asks the kernel for the time, so that a test
 * sets it: it links with -Wl,--wrap=clock_ns (tests/lib/clock.h).
 */
#ifndef DAEMON_BASE_CLOCK_H
#define DAEMON_BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

#define CLOCK_US INT64_C(1000)
#define CLOCK_MS INT64_C(1000000)
#define CLOCK_S INT64_C(1000000000)

/* CLOCK_MONOTONIC: for spans. Never 0 or less on a running system. */
int64_t clock_ns(void);

/* CLOCK_REALTIME, since 1970: for people to read. It may be set at any time, so
 * that nothing is compared with it or waited for. */
int64_t clock_wall_ns(void);

/* What CLOCK_REALTIME, as it is set now, calls a time of clock_ns. */
static inline int64_t clock_wall_at_ns(int64_t at_ns)
{
	return clock_wall_ns() - (clock_ns() - at_ns);
}

/* A span as libevent takes it, in microseconds, rounded up. */
struct timeval clock_timeval(int64_t ns);

#endif
