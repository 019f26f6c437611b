/* SPDX-License-Identifier: MIT */
#include "daemon/base/ran.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define NOHZ_FULL "/sys/devices/system/cpu/nohz_full"
#define TICKS 2           /* the next one may be late */
#define LOOKS 1000000u    /* at our own time, until it goes on */
#define TRIES 3
#define FINE_NS (100 * INT64_C(1000)) /* no thread runs for less and for nothing */

/* CPUCLOCK_SCHED of all of a process, as clock_getcpuclockid(3) makes it, without
 * asking whether there is one. */
static clockid_t clock_of(int32_t pid)
{
	return (clockid_t)(~(unsigned)pid << 3 | 2u);
}

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;
	if (clock_gettime(id, &ts) < 0)
		return -1;
	return ts.tv_sec * CLOCK_S + ts.tv_nsec;
}

/* The text of a small file; "" where it can't be read. */
static void read_text(const char *path, char *out, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, bytes - 1) : 0;
	out[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* CPUs that may run one thread for a second without a tick. */
static bool has_tickless(void)
{
	char text[128];
	read_text(NOHZ_FULL, text, sizeof(text));
	return strpbrk(text, "0123456789") != NULL;
}

/* By what our own time goes on, at the least. */
static bool is_fine(void)
{
	for (unsigned i = 0; i < TRIES; i++) {
		int64_t began_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
		int64_t ns = began_ns;
		for (unsigned n = 0; n < LOOKS && ns == began_ns; n++)
			ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
		if (ns > began_ns && ns - began_ns < FINE_NS)
			return true;
	}
	return false;
}

int64_t ran_tick_ns(void)
{
	static int64_t tick_ns = -1;
	struct timespec ts;
	if (tick_ns >= 0)
		return tick_ns;
	tick_ns = 0;
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &ts) == 0 && !has_tickless() &&
	    is_fine())
		tick_ns = TICKS * (ts.tv_sec * CLOCK_S + ts.tv_nsec);
	return tick_ns;
}

int64_t ran_ns(int32_t pid)
{
	/* 0 would be ourselves. */
	return pid > 0 ? read_clock(clock_of(pid)) : -1;
}

bool ran_thread_get(int32_t pid, int32_t tid, struct ran_thread *thread)
{
	char path[64];
	char text[128];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	read_text(path, text, sizeof(text));
	/* All of them are 0 where the kernel does not count. */
	return sscanf(text, "%" SCNd64 " %*u %" SCNu64, &thread->ns,
	              &thread->turns) == 2 &&
	       thread->turns > 0;
}
