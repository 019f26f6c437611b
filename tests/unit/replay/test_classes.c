/* SPDX-License-Identifier: MIT */
#include "tests/replay/classes.h"

#include <criterion/criterion.h>
#include <stdint.h>

Test(classes, start_and_end)
{
	cr_assert_eq(classes_bytes(0), 16u);
	cr_assert_eq(classes_bytes(7), 128u);
	cr_assert_eq(classes_bytes(8), 160u);
	cr_assert_eq(classes_bytes(11), 256u);
	cr_assert_eq(classes_bytes(12), 320u);
	cr_assert_eq(classes_bytes(CLASSES_N - 1), CLASSES_MAX_BYTES);
}

Test(classes, ascend_in_steps_of_16)
{
	for (unsigned i = 1; i < CLASSES_N; i++) {
		cr_assert_lt(classes_bytes(i - 1), classes_bytes(i));
		cr_assert_eq(classes_bytes(i) % 16, 0u);
	}
}

Test(classes, every_size_gets_the_smallest_that_holds_it)
{
	unsigned class_ix = 0;

	for (size_t bytes = 0; bytes <= CLASSES_MAX_BYTES; bytes++) {
		if (bytes > classes_bytes(class_ix))
			class_ix++;
		cr_assert_eq(classes_of(bytes), class_ix, "%zu bytes", bytes);
	}
}

Test(classes, waste_stays_below_a_quarter)
{
	for (size_t bytes = 65; bytes <= CLASSES_MAX_BYTES; bytes += 7) {
		size_t room = classes_bytes(classes_of(bytes));

		cr_assert_lt((room - bytes) * 4, room, "%zu bytes", bytes);
	}
}

Test(classes, no_class_beyond_the_largest)
{
	cr_assert_eq(classes_of(CLASSES_MAX_BYTES + 1), CLASSES_N);
	cr_assert_eq(classes_of(UINT32_MAX), CLASSES_N);
	cr_assert_eq(classes_of(SIZE_MAX), CLASSES_N);
}
