/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of another process. A number and the time at which its
 * process began name a process for all time, as far as a number is seen from
 * here; a pidfd names one wherever it lives.
 */
#ifndef DAEMON_BASE_PROC_H
#define DAEMON_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When it began, in the kernel's ticks since the machine did. 0, -ESRCH there
 * is no such process, or -errno: it can't be seen from here. */
int proc_ticks(int32_t pid, uint64_t *ticks);

/* A descriptor of the process of that number that began then, or at any time
 * if ticks is 0. -ESRCH: it is surely gone; another -errno: can't say. */
int proc_open(int32_t pid, uint64_t ticks);

/* A descriptor of the process at the other end of a Unix socket, as it was when
 * that connected. -ENOPROTOOPT: the kernel does not know (before Linux 6.5);
 * -ESRCH: it is gone; another -errno. */
int proc_of_peer(int sock);

/* Whether two descriptors are of one process: 1, 0, or -ENOTSUP: the kernel
 * does not say, as is so for one of another PID namespace before Linux 6.9. */
int proc_is_same(int a, int b);

/* The CPU on which its first thread last ran. 0, or as proc_ticks. */
int proc_cpu(int32_t pid, unsigned *cpu);

/* How many threads it has, or as proc_ticks; calls with the CPU on which each of
 * them last ran, of most at the most. */
int proc_threads(int32_t pid, unsigned most,
                 void (*call)(void *arg, unsigned cpu), void *arg);

/* Whether it is stopped: by a signal, or by who traces it. */
bool proc_is_stopped(int32_t pid);

/* Whether somebody traces it, as a debugger does. */
bool proc_is_traced(int32_t pid);

/* Its name, cut to bytes with the terminating zero. 0, or as proc_ticks with
 * out as it was. */
int proc_name(int32_t pid, char *out, size_t bytes);

#endif
