/* SPDX-License-Identifier: MIT */
/* The clock of numa/, and the one place where a test sets its time. */
#ifndef NUMA_TICK_H
#define NUMA_TICK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t tick_ns(void);

#endif
