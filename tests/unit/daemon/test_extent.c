/* SPDX-License-Identifier: MIT */
#include "daemon/pool/extent.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rng.h"

#define PLACES_MAX 3000u

/* Of a map of 2^31 places, as many as the lines of 1 TiB: a leaf of 512 and 22
 * sums above it, looked for and noted anew, for a run over two leaves. */
#define LOOKS_MAX 200u

static struct extent map;
static bool taken[PLACES_MAX];
static uint64_t n_places;

static void start(uint64_t n)
{
	cr_assert_eq(extent_init(&map, n), 0);
	memset(taken, false, sizeof(taken));
	n_places = n;
}

static bool is_free(uint64_t first, uint64_t count)
{
	for (uint64_t at = first; at < first + count; at++)
		if (at >= n_places || taken[at])
			return false;
	return true;
}

/* The lowest run, by trying each place. */
static uint64_t naive_take(uint64_t count)
{
	for (uint64_t at = 0; at + count <= n_places; at++) {
		if (!is_free(at, count))
			continue;
		memset(&taken[at], true, count);
		return at;
	}
	return UINT64_MAX;
}

static void take(uint64_t count)
{
	uint64_t out = UINT64_MAX;
	uint64_t want = naive_take(count);
	int r = extent_take(&map, count, &out);
	cr_assert_eq(r, want == UINT64_MAX ? -ENOSPC : 0);
	cr_assert_eq(out, want, "%u: %u, not %u", (unsigned)count,
	             (unsigned)out, (unsigned)want);
}

static void claim(uint64_t first, uint64_t count)
{
	bool may = is_free(first, count);
	cr_assert_eq(extent_claim(&map, first, count), may ? 0 : -EINVAL);
	if (may)
		memset(&taken[first], true, count);
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
	uint64_t n = 0;
	for (uint64_t at = 0; at < n_places; at++)
		n += taken[at];
	cr_assert_eq(map.n_taken, n);
	cr_assert_eq(map.end, highest);
}

static uint64_t highest_taken(uint64_t before)
{
	uint64_t end = n_places;
	while (end > 0 && !taken[end - 1])
		end--;
	return end > before ? end : before;
}

static void play(struct rng *rng)
{
	uint64_t highest = 0;
	start(1 + rng_below(rng, PLACES_MAX));
	for (uint32_t i = 0; i < 600; i++) {
		highest = highest_taken(highest);
		switch (rng_below(rng, 8)) {
		case 0:
		case 1:
		case 2:
			give(rng);
			break;
		case 3:
			claim(rng_below(rng, n_places + 2),
			      1 + rng_below(rng, 70));
			break;
		case 4:
			take(1 + rng_below(rng, 1000));
			break;
		default:
			take(1 + rng_below(rng, 130));
			break;
		}
		highest = highest_taken(highest);
		check(highest);
	}
	extent_done(&map);
}

Test(extent, random_against_naive)
{
	struct rng rng = rng_start("random_against_naive");
	for (uint32_t game = 0; game < 200; game++)
		play(&rng);
}

Test(extent, whole_at_once)
{
	start(128);
	check(0);
	take(128);
	take(1);
	extent_give(&map, 0, 128);
	memset(taken, false, sizeof(taken));
	take(129);
	claim(64, 65);
	claim(129, 1);
	claim(64, 64);
	take(65);
	take(64);
	check(128);
	extent_done(&map);
}

/* Of the longest runs, what a sum can't say is cut off. */
Test(extent, runs_longer_than_a_sum_tells)
{
	uint64_t at = 0;
	cr_assert_eq(extent_init(&map, UINT64_C(1) << 20), 0);
	cr_expect_eq(extent_take(&map, EXTENT_RUN_MAX + 1, &at), -ENOSPC);
	for (uint64_t i = 0; i < 16; i++) {
		cr_expect_eq(extent_take(&map, EXTENT_RUN_MAX, &at), 0);
		cr_expect_eq(at, i * EXTENT_RUN_MAX);
	}
	cr_expect_eq(extent_take(&map, 17, &at), -ENOSPC);
	cr_expect_eq(extent_take(&map, 16, &at), 0);
	cr_expect_eq(at, (UINT64_C(1) << 20) - 16);
	extent_give(&map, 3 * EXTENT_RUN_MAX - 1, EXTENT_RUN_MAX + 1);
	cr_expect_eq(extent_take(&map, EXTENT_RUN_MAX, &at), 0);
	cr_expect_eq(at, 3 * EXTENT_RUN_MAX - 1);
	cr_expect_eq(map.n_taken, (UINT64_C(1) << 20) - 1);
	extent_done(&map);
}

Test(extent, done_twice_is_harmless)
{
	start(10);
	extent_done(&map);
	extent_done(&map);
	cr_assert_null(map.taken);
}

/* ---- what it costs ------------------------------------------------------- */

static void take_within(uint64_t count, bool is_there)
{
	uint64_t before = map.looks;
	uint64_t out;
	int r = extent_take(&map, count, &out);
	cr_assert_eq(r, is_there ? 0 : -ENOSPC);
	cr_assert(map.looks - before <= LOOKS_MAX, "%u words and sums",
	          (unsigned)(map.looks - before));
}

static void give_within(uint64_t first, uint64_t count)
{
	uint64_t before = map.looks;
	extent_give(&map, first, count);
	cr_assert(map.looks - before <= LOOKS_MAX);
}

/* All but some lines of the first 4 GiB of 1 TiB are taken, in the worst of
 * patterns: what is free is scattered, each time a little too short. */
static void fill(uint64_t n, uint64_t count, uint64_t gap)
{
	cr_assert_eq(extent_init(&map, UINT64_C(1) << 31), 0);
	for (uint64_t at = 0; at + count <= n; at += count + gap)
		cr_assert_eq(extent_claim(&map, at, count), 0);
}

Test(extent, cost_of_a_map_that_is_full_from_below)
{
	fill(UINT64_C(1) << 23, 64, 0);
	for (uint64_t count = 1; count <= 128; count *= 2)
		take_within(count, true);
	give_within((UINT64_C(1) << 22) + 5, 3);
	take_within(3, true);
	extent_done(&map);
}

Test(extent, cost_where_what_is_free_is_scattered)
{
	struct rng rng = rng_start("cost_where_what_is_free_is_scattered");
	fill(UINT64_C(1) << 23, 1, 31);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t at = rng_below(&rng, 1u << 18) * 32;
		take_within(i % 2 == 0 ? 32 : 31, true);
		if (extent_claim(&map, at + 1, 31) < 0)
			give_within(at + 1, 1);
		else
			give_within(at + 1, 31);
	}
	extent_done(&map);
}

/* There is nothing at all, and then a single run at the far end. */
Test(extent, cost_where_nothing_is_left)
{
	uint64_t n = UINT64_C(1) << 22;
	cr_assert_eq(extent_init(&map, n), 0);
	for (uint64_t at = 0; at < n; at += 512)
		cr_assert_eq(extent_claim(&map, at, 512), 0);
	take_within(1, false);
	for (uint64_t at = 0; at < n; at += 64)
		give_within(at, 1);
	take_within(2, false);
	give_within(n - 2, 2);
	take_within(2, true);
	extent_done(&map);
}
