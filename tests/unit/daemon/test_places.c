/* SPDX-License-Identifier: MIT */
#include "daemon/pool/places.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/rng.h"

#define MAX 20000u
#define SETS 3u

static struct places places;
static bool in[SETS][MAX];

static uint64_t naive_next(uint32_t set, uint64_t from)
{
	for (; from < places.n; from++)
		if (in[set][from])
			return from;
	return PLACES_NONE;
}

static uint64_t naive_prev(uint32_t set, uint64_t below)
{
	below = below < places.n ? below : places.n;
	while (below-- > 0)
		if (in[set][below])
			return below;
	return PLACES_NONE;
}

static void play(struct rng *rng, uint64_t n)
{
	cr_assert_eq(places_make(&places, n, SETS), 0);
	memset(in, 0, sizeof(in));
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t set = (uint32_t)rng_below(rng, SETS);
		uint64_t at = rng_below(rng, n);
		uint64_t from = rng_below(rng, n + 2);
		if (rng_below(rng, 3) == 0 && naive_next(set, at) < n)
			at = naive_next(set, at);
		in[set][at] = rng_below(rng, 2) == 0;
		places_put(&places, set, at, in[set][at]);
		cr_assert_eq(places_next(&places, set, from),
		             naive_next(set, from));
		cr_assert_eq(places_prev(&places, set, from),
		             naive_prev(set, from));
	}
	cr_assert_eq(places_prev(&places, 0, PLACES_NONE),
	             naive_prev(0, PLACES_NONE));
	cr_assert_eq(places_next(&places, 0, PLACES_NONE), PLACES_NONE);
	places_done(&places);
}

Test(places, random_against_naive)
{
	struct rng rng = rng_start("random_against_naive");
	const uint64_t sizes[] = {1, 2, 63, 64, 65, 4096, 4097, MAX};
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		play(&rng, sizes[i]);
	for (uint32_t i = 0; i < 20; i++)
		play(&rng, 1 + rng_below(&rng, MAX));
}

Test(places, the_ends_of_many)
{
	const uint64_t n = UINT64_C(1) << 32;
	cr_assert_eq(places_make(&places, n, 1), 0);
	places_put(&places, 0, 0, true);
	places_put(&places, 0, n - 1, true);
	cr_expect_eq(places_next(&places, 0, 1), n - 1);
	cr_expect_eq(places_prev(&places, 0, n - 1), 0);
	places_put(&places, 0, n - 1, false);
	cr_expect_eq(places_next(&places, 0, 1), PLACES_NONE);
	places_done(&places);
	places_done(&places);
}
