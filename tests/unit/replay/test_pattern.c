/* SPDX-License-Identifier: MIT */
#include "tests/replay/pattern.h"

#include <criterion/criterion.h>
#include <string.h>

#define BYTES_MAX 300u

Test(pattern, holds_what_was_written)
{
	struct pattern_fault fault;
	unsigned char obj[BYTES_MAX];

	for (size_t bytes = 0; bytes <= BYTES_MAX; bytes++) {
		pattern_fill(obj, bytes, bytes);
		cr_assert_eq(pattern_check(obj, bytes, bytes, &fault), 0,
		             "%zu bytes", bytes);
	}
}

Test(pattern, writes_nothing_behind_the_object)
{
	unsigned char obj[BYTES_MAX + 1];

	for (size_t bytes = 0; bytes <= BYTES_MAX; bytes++) {
		obj[bytes] = 0xa5;
		pattern_fill(obj, bytes, 1);
		cr_assert_eq(obj[bytes], 0xa5, "%zu bytes", bytes);
	}
}

Test(pattern, finds_every_byte_that_changed)
{
	struct pattern_fault fault;
	unsigned char obj[BYTES_MAX];

	for (size_t bytes = 1; bytes <= BYTES_MAX; bytes++) {
		pattern_fill(obj, bytes, 7);
		for (size_t off = 0; off < bytes; off++) {
			obj[off] ^= 0x10;
			cr_assert_eq(pattern_check(obj, bytes, 7, &fault), 1,
			             "byte %zu of %zu", off, bytes);
			cr_assert_eq(fault.off, off & ~(size_t)7);
			cr_assert_neq(fault.expected, fault.found);
			obj[off] ^= 0x10;
		}
	}
}

Test(pattern, seeds_tell_objects_apart)
{
	struct pattern_fault fault;
	unsigned char obj[64];

	for (uint64_t i = 0; i < 1000; i++) {
		pattern_fill(obj, sizeof(obj), pattern_mix(3, i));
		cr_assert_eq(pattern_check(obj, sizeof(obj),
		                           pattern_mix(3, i + 1), &fault),
		             1);
		cr_assert_eq(fault.off, 0u);
	}
}
