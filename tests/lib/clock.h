/* SPDX-License-Identifier: MIT */
/*
 * The test's own clock. A test that links with $(clock_wrap) as its LDFLAGS
 * says what clock_ns() returns; until it first does, that is the kernel's time.
 * Any thread may set it, and a forked child goes on from a copy.
 */
#ifndef TESTS_LIB_CLOCK_H
#define TESTS_LIB_CLOCK_H

#include <stdint.h>

/* From now on it is ns, more than 0, until it is set or advanced. */
void test_clock_set(int64_t ns);

/* By so much later than it is, which stops the kernel's time. */
void test_clock_advance(int64_t ns);

/* From now on each look at it is by so much later than the one before, as where
 * slabd is stopped again and again; 0: no longer. Every slice does something even
 * so. */
void test_clock_jump(int64_t ns);

/* Back to the kernel's time. */
void test_clock_run(void);

#endif
