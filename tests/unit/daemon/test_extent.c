/* SPDX-License-Identifier: MIT */
#include "daemon/pool/extent.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/rng.h"

#define PLACES_MAX 700u

static struct extent map;
static bool taken[PLACES_MAX];
static uint64_t n_places;

static void start(uint64_t n, bool all)
{
	cr_assert_eq(extent_init(&map, n, all), 0);
	memset(taken, all, sizeof(taken));
	n_places = n;
}

/* The lowest run, by trying each place. */
static uint64_t naive_take(uint64_t first, uint64_t end, uint64_t count,
                           uint64_t align)
{
	for (uint64_t at = (first + align - 1) / align * align;
	     at + count <= end; at += align) {
		uint64_t n = 0;
		while (n < count && !taken[at + n])
			n++;
		if (n == count) {
			memset(&taken[at], true, count);
			return at;
		}
	}
	return UINT64_MAX;
}

static uint64_t naive_free(uint64_t first, uint64_t end)
{
	uint64_t n = 0;
	for (; first < end; first++)
		n += !taken[first];
	return n;
}

static void take(uint64_t first, uint64_t end, uint64_t count, uint64_t align)
{
	uint64_t out = UINT64_MAX;
	uint64_t want = naive_take(first, end, count, align);
	int r = extent_take(&map, first, end, count, align, &out);
	cr_assert_eq(r, want == UINT64_MAX ? -ENOSPC : 0);
	cr_assert_eq(out, want, "%u of %u in %u..%u: %u, not %u",
	             (unsigned)count, (unsigned)align, (unsigned)first,
	             (unsigned)end, (unsigned)out, (unsigned)want);
}

/* Gives back some of the taken run at or above a place. */
static void give(struct rng *rng)
{
	uint64_t at = rng_below(rng, n_places);
	uint64_t most = 1 + rng_below(rng, 40);
	uint64_t n = 0;
	while (at < n_places && !taken[at])
		at++;
	while (n < most && at + n < n_places && taken[at + n])
		n++;
	memset(&taken[at], false, n);
	extent_give(&map, at, n);
}

static void check(uint64_t highest)
{
	cr_assert_eq(extent_free(&map, 0, n_places), naive_free(0, n_places));
	cr_assert_eq(map.n_taken, n_places - naive_free(0, n_places));
	cr_assert_eq(map.end, highest);
}

static uint64_t highest_taken(uint64_t before)
{
	uint64_t end = n_places;
	while (end > 0 && !taken[end - 1])
		end--;
	return end > before ? end : before;
}

static void play(struct rng *rng, bool all)
{
	uint64_t highest = 0;
	start(1 + rng_below(rng, PLACES_MAX), all);
	for (uint32_t i = 0; i < 600; i++) {
		uint64_t first = rng_below(rng, 3) == 0
		                         ? rng_below(rng, n_places)
		                         : 0;
		uint64_t end = first + rng_below(rng, n_places - first + 1);
		highest = highest_taken(highest);
		if (rng_below(rng, 2) == 0) {
			give(rng);
		} else if (rng_below(rng, 2) == 0) {
			uint64_t units = 1u << rng_below(rng, 6);
			take(first, end, units, units);
		} else {
			take(0, n_places, 1 + rng_below(rng, 70), 1);
		}
		highest = highest_taken(highest);
		check(highest);
		cr_assert_eq(extent_free(&map, first, end),
		             naive_free(first, end));
	}
	extent_done(&map);
}

Test(extent, random_against_naive)
{
	struct rng rng = rng_start("random_against_naive");
	for (uint32_t game = 0; game < 300; game++)
		play(&rng, game % 2);
}

Test(extent, all_taken)
{
	start(100, true);
	check(100);
	take(0, 100, 1, 1);
	extent_give(&map, 99, 1);
	taken[99] = false;
	take(0, 99, 1, 1);
	take(0, 100, 1, 1);
	check(100);
}

Test(extent, whole_at_once)
{
	start(128, false);
	check(0);
	take(0, 128, 128, 128);
	take(0, 128, 1, 1);
	extent_give(&map, 0, 128);
	memset(taken, false, sizeof(taken));
	take(0, 128, 129, 1);
	take(64, 128, 64, 64);
	take(0, 128, 65, 1);
	take(0, 64, 64, 64);
}

/* A free place right before the end of the range is no run that passes it. */
Test(extent, ends_of_the_range)
{
	start(128, false);
	take(60, 64, 4, 4);
	take(59, 64, 2, 1);
	take(63, 63, 1, 1);
	take(62, 67, 3, 1);
	take(120, 127, 8, 8);
}

Test(extent, done_twice_is_harmless)
{
	start(10, false);
	extent_done(&map);
	extent_done(&map);
	cr_assert_null(map.taken);
}
