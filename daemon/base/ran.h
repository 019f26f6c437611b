/* SPDX-License-Identifier: MIT */
/*
 * Whether another process has run, by the CPU time that it has had: who has not is
 * as it was.
 *
 * The kernel adds to a thread's time when it sleeps, and while it runs at each tick
 * of its CPU. So a process whose time at ran_tick_ns() or more after an instant is
 * what it was before it has not run at that instant either.
 */
#ifndef DAEMON_BASE_RAN_H
#define DAEMON_BASE_RAN_H

#include <stdbool.h>
#include <stdint.h>

/* For how long the time of a thread that runs may stand still, and some more; 0
 * where that has no bound (CPUs without a tick), or times are coarse. */
int64_t ran_tick_ns(void);

/* What all threads of a process have had, those too that ended; -1: it can't be
 * seen from here. */
int64_t ran_ns(int32_t pid);

/* What one thread has had, and how many times it was given a CPU. False: it can't
 * be seen. */
struct ran_thread {
	int64_t ns;
	uint64_t turns;
};
bool ran_thread_get(int32_t pid, int32_t tid, struct ran_thread *thread);

#endif
