/* SPDX-License-Identifier: MIT */
/*
 * A barrier that the kernel puts into all threads of the process (membarrier): so
 * what one thread does again and again needs none, and who is seldom about it pays.
 */
#ifndef CLIENT_BARRIER_H
#define CLIENT_BARRIER_H

#include <stdbool.h>

/* Asks for them, once a process. Whether they are to be had. */
bool barrier_start(void);

/* Each other thread of the process has a full barrier between what it did before
 * and what it does after this. False: the kernel refuses, or nobody asked. */
bool barrier_all(void);

#endif
