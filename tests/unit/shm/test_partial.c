/* SPDX-License-Identifier: MIT */
#include "shm/partial.h"

#include <criterion/criterion.h>
#include <string.h>

#include "shm/atom.h"
#include "tests/lib/image.h"
#include "tests/lib/rng.h"

/* 65.5 words of bits, so 2 words of summary; half of the last word is over. */
#define UNITS 4192u
static const uint32_t edges[] = {0, 1, 63, 64, 127, 128, 4095, 4096, 4159,
                                 4160, UNITS - 1};
#define N_EDGES (sizeof(edges) / sizeof(*edges))

static struct image image;
static struct partial list;

static void start(void)
{
	image_make(&image, 2, UNITS);
	list = partial_of(&image.view, 2, 1);
	cr_assert_eq(list.n_bits, 66);
	cr_assert_eq(list.n_sum, 2);
}

static void finish(void)
{
	image_drop(&image);
}

TestSuite(partial, .init = start, .fini = finish);

/* ---- one thread --------------------------------------------------------- */

Test(partial, empty)
{
	cr_expect_eq(partial_next(&list, 0), PARTIAL_NONE);
	cr_expect_eq(partial_next(&list, UNITS - 1), PARTIAL_NONE);
	cr_expect_eq(partial_count(&list, UINT32_MAX), 0);
	cr_expect_eq(partial_check(&list), PARTIAL_NONE);
	for (uint32_t i = 0; i < N_EDGES; i++)
		cr_expect_not(partial_has(&list, edges[i]));
}

Test(partial, each_edge_alone)
{
	for (uint32_t i = 0; i < N_EDGES; i++) {
		uint32_t unit = edges[i];
		partial_set_any(&list, unit);
		cr_expect(partial_has(&list, unit));
		cr_expect_eq(partial_next(&list, 0), unit);
		cr_expect_eq(partial_next(&list, unit), unit);
		cr_expect_eq(partial_next(&list, unit + 1), PARTIAL_NONE);
		cr_expect_eq(partial_prev(&list, PARTIAL_NONE), unit);
		cr_expect_eq(partial_prev(&list, unit + 1), unit);
		cr_expect_eq(partial_prev(&list, unit), PARTIAL_NONE);
		cr_expect_eq(partial_count(&list, UINT32_MAX), 1);
		partial_set_any(&list, unit);
		cr_expect_eq(partial_count(&list, UINT32_MAX), 1, "set twice");
		partial_clear_any(&list, unit);
		cr_expect_not(partial_has(&list, unit));
		cr_expect_eq(partial_next(&list, 0), PARTIAL_NONE);
		partial_clear_any(&list, unit);
		cr_expect_eq(partial_count(&list, UINT32_MAX), 0);
	}
	cr_expect_eq(list.sum[0] | list.sum[1], 0, "the summary is cleared");
}

/* From past the end nothing is found and nothing is read out of bounds. */
Test(partial, from_past_the_end)
{
	for (uint32_t i = 0; i < UNITS; i++)
		partial_set_any(&list, i);
	cr_expect_eq(partial_next(&list, UNITS), PARTIAL_NONE);
	cr_expect_eq(partial_next(&list, 66 * 64), PARTIAL_NONE);
	cr_expect_eq(partial_next(&list, 128 * 64), PARTIAL_NONE);
	cr_expect_eq(partial_next(&list, UINT32_MAX), PARTIAL_NONE);
	for (uint32_t i = UNITS; i-- > 0;)
		cr_assert_eq(partial_prev(&list, i + 1), i);
	cr_expect_eq(partial_prev(&list, 0), PARTIAL_NONE);
	cr_expect_eq(partial_prev(&list, PARTIAL_NONE), UNITS - 1);
}

/* A bit of the summary that is wrong is passed over, whichever way. */
Test(partial, an_empty_word_that_the_summary_names)
{
	partial_set_any(&list, 3);
	list.sum[0] |= 6;
	cr_expect_eq(partial_prev(&list, PARTIAL_NONE), 3);
	cr_expect_eq(partial_next(&list, 4), PARTIAL_NONE);
	list.sum[0] = 0;
	cr_expect_eq(partial_prev(&list, PARTIAL_NONE), PARTIAL_NONE);
}

/* slabd meets a few of them, and then believes no more of it. */
Test(partial, a_summary_that_is_wrong_ends_a_look)
{
	uint32_t vain = 3;
	partial_set_any(&list, 10 * 64);
	partial_set_any(&list, 20 * 64);
	list.sum[0] = ~UINT64_C(0) << 8;
	cr_expect_eq(partial_next_few(&list, 0, &vain), 10 * 64);
	cr_expect_eq(vain, 1);
	cr_expect_eq(partial_next_few(&list, 10 * 64, &vain), 10 * 64);
	cr_expect_eq(partial_next_few(&list, 10 * 64 + 1, &vain), PARTIAL_NONE);
	cr_expect_eq(vain, 0);
	cr_expect_eq(partial_next_few(&list, 0, &vain), PARTIAL_NONE);
	cr_expect_eq(partial_next(&list, 10 * 64 + 1), 20 * 64);
	cr_expect_eq(partial_count_few(&list, UINT32_MAX), 2);
}

Test(partial, count_stops_near_the_limit)
{
	for (uint32_t i = 0; i < UNITS; i += 64)
		partial_set_any(&list, i);
	cr_expect_eq(partial_count(&list, 0), 0);
	cr_expect_eq(partial_count(&list, 10), 10);
	cr_expect_eq(partial_count(&list, UINT32_MAX), 66);
}

Test(partial, lists_are_apart)
{
	for (uint32_t unit = 0; unit < UNITS; unit++)
		partial_set_any(&list, unit);
	for (uint32_t cache = 1; cache <= IMAGE_CACHES; cache++) {
		for (uint32_t node = 0; node < 2; node++) {
			struct partial other =
			        partial_of(&image.view, cache, node);
			bool same = cache == 2 && node == 1;
			cr_expect_eq(partial_count(&other, UINT32_MAX),
			             same ? UNITS : 0);
		}
	}
	cr_expect_eq(image.view.tags[0], 0);
}

/* Against plain bytes. */
Test(partial, random_against_bytes)
{
	static bool want[UNITS];
	struct rng rng = rng_start("random_against_bytes");
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t unit = rng_below(&rng, UNITS);
		uint32_t from = rng_below(&rng, UNITS);
		uint32_t n = 0;
		uint32_t next = from;
		/* Many, then few. */
		want[unit] = rng_below(&rng, 20) < (i / 2000 % 2 ? 1 : 15);
		if (want[unit])
			partial_set_any(&list, unit);
		else
			partial_clear_any(&list, unit);
		while (next < UNITS && !want[next])
			next++;
		cr_assert_eq(partial_next(&list, from),
		             next < UNITS ? next : PARTIAL_NONE);
		if (i % 64 != 0)
			continue;
		for (uint32_t k = 0; k < UNITS; k++)
			n += want[k];
		cr_assert_eq(partial_count(&list, UINT32_MAX), n);
		cr_assert_eq(partial_check(&list), PARTIAL_NONE);
	}
}

/* Bits of a word without a summary bit are found and repaired, for each
 * word. */
Test(partial, check_and_repair)
{
	for (uint32_t i = 0; i < N_EDGES; i++)
		partial_set_any(&list, edges[i]);
	for (uint32_t w = 0; w < list.n_bits; w++) {
		uint64_t before = list.sum[w / 64];
		if (list.bits[w] == 0)
			continue;
		list.sum[w / 64] &= ~(UINT64_C(1) << (w % 64));
		cr_expect_eq(partial_check(&list), w);
		cr_expect_not(partial_has(
		        &list, w * 64 + __builtin_ctzll(list.bits[w])));
		cr_expect_eq(partial_repair_any(&list), 1);
		cr_expect_eq(list.sum[w / 64], before);
		cr_expect_eq(partial_check(&list), PARTIAL_NONE);
		cr_expect_eq(partial_repair_any(&list), 0);
	}
	list.sum[0] = list.sum[1] = 0;
	cr_expect_eq(partial_next(&list, 0), PARTIAL_NONE);
	cr_expect_eq(partial_repair_any(&list), 6);
	for (uint32_t i = 0; i < N_EDGES; i++)
		cr_expect(partial_has(&list, edges[i]));
}

/* A set where the bit is there and the summary's is not repairs the summary. */
Test(partial, set_repairs_the_summary)
{
	partial_set_any(&list, 4096);
	list.sum[1] = 0;
	partial_set_any(&list, 4096);
	cr_expect(partial_has(&list, 4096));
	cr_expect_eq(partial_check(&list), PARTIAL_NONE);
}

/* What a bad client wrote beyond the last unit or into the summary neither
 * hides a real unit nor leads out of the list. */
Test(partial, garbage_beyond_the_end)
{
	list.sum[0] = list.sum[1] = ~UINT64_C(0);
	cr_expect_eq(partial_next(&list, 0), PARTIAL_NONE);
	cr_expect_eq(partial_count(&list, UINT32_MAX), 0);
	partial_set_any(&list, UNITS - 1);
	list.bits[65] |= ~UINT64_C(0) << (UNITS % 64);
	cr_expect_eq(partial_next(&list, 0), UNITS - 1);
	cr_expect_geq(partial_next(&list, UNITS), UNITS);
	partial_clear_any(&list, UNITS - 1);
	cr_expect_geq(partial_next(&list, 0), UNITS);
	cr_expect_eq(partial_check(&list), PARTIAL_NONE);
}
