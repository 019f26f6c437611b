/* SPDX-License-Identifier: MIT */
/* Runs of pointers, against one at a time. */
#include <criterion/criterion.h>

#include "shm/run.h"

#define MOST 70u

static char *place(ptrdiff_t at)
{
	static char here[2 * MOST * 64];
	return here + (ptrdiff_t)(MOST * 64) + at;
}

Test(run, spreads_up_and_down)
{
	void *out[MOST + 1];
	for (uint32_t n = 0; n <= MOST; n++)
		for (ptrdiff_t step = -48; step <= 48; step += 16) {
			out[n] = place(7);
			run_spread(place(0), step, n, out);
			for (uint32_t i = 0; i < n; i++)
				cr_assert_eq(out[i], place((ptrdiff_t)i * step));
			cr_assert_eq(out[n], place(7), "one more was written");
		}
}

Test(run, ends_where_one_is_elsewhere)
{
	void *objects[MOST];
	for (uint32_t n = 1; n <= MOST; n++)
		for (uint32_t other = 1; other <= n; other++) {
			run_spread(place(0), -32, n, objects);
			if (other < n)
				objects[other] = place(8);
			cr_assert_eq(run_length(objects, n, -32), other);
		}
}

Test(run, is_one_where_the_second_is_elsewhere)
{
	void *objects[16];
	for (uint32_t i = 0; i < 16; i++)
		objects[i] = place((ptrdiff_t)i * 160 % 64);
	cr_assert_eq(run_length(objects, 16, 16), 1);
	cr_assert_eq(run_length(objects, 1, 16), 1);
}
