/* SPDX-License-Identifier: MIT */
/*
 * What /proc/PID says of another process. A number and the time at which its
 * process began name a process for all time.
 */
#ifndef DAEMON_BASE_PROC_H
#define DAEMON_BASE_PROC_H

#include <stddef.h>
#include <stdint.h>

/* When it began, in the kernel's ticks since the machine did. 0, -ESRCH there
 * is no such process, or -errno: it can't be seen from here. */
int proc_ticks(int32_t pid, uint64_t *ticks);

/* A descriptor of the process of that number that began then, or at any time
 * if ticks is 0. -ESRCH: it is surely gone; another -errno: can't say. */
int proc_open(int32_t pid, uint64_t ticks);

/* The CPU on which its first thread last ran. 0, or as proc_ticks. */
int proc_cpu(int32_t pid, unsigned *cpu);

/* Its name, cut to bytes with the terminating zero. 0, or as proc_ticks with
 * out as it was. */
int proc_name(int32_t pid, char *out, size_t bytes);

#endif
