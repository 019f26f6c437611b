/* SPDX-License-Identifier: MIT */
#include "daemon/base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_S + now.tv_nsec;
}

int64_t clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

struct timeval clock_timeval(int64_t ns)
{
	int64_t us = (ns + CLOCK_US - 1) / CLOCK_US;
	return (struct timeval){.tv_sec = us / 1000000,
	                        .tv_usec = us % 1000000};
}
