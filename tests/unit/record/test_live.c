/* SPDX-License-Identifier: MIT */
#include "record/live.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib/rng.h"

#define OBJECTS 3000u

static struct live live;

static void drop(void)
{
	live_drop(&live);
}

TestSuite(live, .fini = drop);

Test(live, nothing_is_in_an_empty_one)
{
	struct live_object obj;
	cr_assert_not(live_take(&live, 64, &obj));
}

/* Beside a plain array: what is added is found with its number until it is taken,
 * in any order, over many doublings and holes. */
Test(live, any_order)
{
	static uint32_t number_of[OBJECTS]; /* 0: not in it */
	struct rng rng = rng_start("live");
	struct live_object obj;
	size_t n = 0;
	for (uint32_t i = 1; i < 400000; i++) {
		uint32_t k = rng_below(&rng, OBJECTS);
		uint64_t addr = 0x7f0000000000 + (uint64_t)k * 16;
		bool is_in = live_take(&live, addr, &obj);
		cr_assert_eq(is_in, number_of[k] != 0);
		if (is_in) {
			cr_assert_eq(obj.number, number_of[k]);
			cr_assert_eq(obj.bytes, k);
			cr_assert_eq(obj.addr, addr);
			number_of[k] = 0;
			n--;
		} else {
			obj = (struct live_object){addr, i, k};
			cr_assert_eq(live_add(&live, &obj), 0);
			number_of[k] = i;
			n++;
		}
		cr_assert_eq(live.n, n);
		cr_assert(live.n * 2 <= live.n_places);
	}
}
