/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "daemon/manager/backoff.h"

Test(backoff, doubles_up_to_a_limit)
{
	static const int64_t ms[] = {0,    100,  200,  400, 800,
	                             1600, 3200, 5000, 5000};
	struct backoff backoff = {0};
	for (unsigned i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		cr_assert_eq(backoff_after(&backoff, CLOCK_S),
		             ms[i] * CLOCK_MS, "end %u", i + 1);
}

Test(backoff, a_steady_life_forgets)
{
	struct backoff backoff = {0};
	for (unsigned i = 0; i < 3; i++)
		backoff_after(&backoff, 0);
	cr_assert_eq(backoff_after(&backoff, BACKOFF_STEADY_NS - 1),
	             400 * CLOCK_MS);
	cr_assert_eq(backoff_after(&backoff, BACKOFF_STEADY_NS), 0);
	cr_assert_eq(backoff_after(&backoff, 0), BACKOFF_MIN_NS);
}
