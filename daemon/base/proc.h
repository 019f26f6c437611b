/* SPDX-License-Identifier: MIT */
/* When a process began: with its number, that names it for all time. */
#ifndef DAEMON_BASE_PROC_H
#define DAEMON_BASE_PROC_H

#include <stdint.h>

/* In the kernel's ticks since the machine began. 0, -ESRCH there is no such
 * process, or -errno: it can't be seen from here. */
int proc_ticks(int32_t pid, uint64_t *ticks);

/* A descriptor of the process of that number that began then, or at any time
 * if ticks is 0. -ESRCH: it is surely gone; another -errno: can't say. */
int proc_open(int32_t pid, uint64_t ticks);

#endif
