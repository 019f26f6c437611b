/* SPDX-License-Identifier: MIT */
/* The clock, and that a test can set it. */
#include <criterion/criterion.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "tests/lib/clock.h"

static int64_t kernel_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * CLOCK_S + ts.tv_nsec;
}

Test(clock, is_the_kernels)
{
	int64_t before = kernel_ns(CLOCK_MONOTONIC);
	int64_t now = clock_ns();
	cr_assert(before <= now && now <= kernel_ns(CLOCK_MONOTONIC));
	before = kernel_ns(CLOCK_REALTIME);
	now = clock_wall_ns();
	cr_assert(before <= now && now <= kernel_ns(CLOCK_REALTIME));
}

/* A time of the test's clock, by the kernel's time of day. */
Test(clock, has_a_time_of_day)
{
	int64_t before = kernel_ns(CLOCK_REALTIME);
	int64_t at;
	test_clock_set(5 * CLOCK_S);
	at = clock_wall_at_ns(3 * CLOCK_S) + 2 * CLOCK_S;
	cr_expect(before <= at && at <= kernel_ns(CLOCK_REALTIME));
	test_clock_run();
}

Test(clock, is_set)
{
	int64_t now;
	test_clock_set(5 * CLOCK_S);
	cr_assert_eq(clock_ns(), 5 * CLOCK_S);
	test_clock_advance(CLOCK_MS);
	cr_assert_eq(clock_ns(), 5 * CLOCK_S + CLOCK_MS);
	test_clock_run();
	now = clock_ns();
	cr_assert_geq(now, kernel_ns(CLOCK_MONOTONIC) - 3600 * CLOCK_S);
	test_clock_advance(CLOCK_S);
	cr_assert_geq(clock_ns(), now + CLOCK_S);
	now = clock_ns();
	cr_assert_eq(clock_ns(), now, "it stands still");
}
