/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "shm/abandon.h"

#define ID 3u

static uint64_t stats[(ID + 1) * STATS_WORDS];
static const struct view view = {.stats = stats};

Test(abandon, what_nobody_gave_up_is_begun)
{
	cr_expect(abandon_begin_srv(&view, ID, 1));
	cr_expect(abandon_begin_srv(&view, ID, 2));
	cr_expect_eq(*abandon_word(&view, ID), ABANDON_BEGUN | 2);
}

Test(abandon, what_was_given_up_is_not_begun_nor_what_came_before)
{
	cr_expect(abandon_begin_srv(&view, ID, 5));
	cr_expect(abandon_any(&view, ID, 7));
	cr_expect_not(abandon_begin_srv(&view, ID, 6));
	cr_expect_not(abandon_begin_srv(&view, ID, 7));
	cr_expect(abandon_begin_srv(&view, ID, 8));
}

Test(abandon, the_first_of_all_can_be_given_up)
{
	cr_expect(abandon_any(&view, ID, 1));
	cr_expect_not(abandon_begin_srv(&view, ID, 1));
}

Test(abandon, what_was_begun_is_not_given_up)
{
	cr_expect(abandon_begin_srv(&view, ID, 5));
	cr_expect_not(abandon_any(&view, ID, 5));
	cr_expect(abandon_begin_srv(&view, ID, 5), "the next slabd is asked again");
	cr_expect(abandon_any(&view, ID, 6), "the next one is");
}

Test(abandon, between_two_slices_it_is)
{
	cr_expect(abandon_begin_srv(&view, ID, 5));
	abandon_pause_srv(&view, ID, 5);
	cr_expect(abandon_begin_srv(&view, ID, 5), "or goes on");
	abandon_pause_srv(&view, ID, 5);
	cr_expect(abandon_any(&view, ID, 5));
	abandon_pause_srv(&view, ID, 5);
	cr_expect_not(abandon_begin_srv(&view, ID, 5));
}

Test(abandon, the_first_of_all_may_pause)
{
	cr_expect(abandon_begin_srv(&view, ID, 1));
	abandon_pause_srv(&view, ID, 1);
	cr_expect(abandon_begin_srv(&view, ID, 1));
}

Test(abandon, numbers_wrap)
{
	cr_expect(abandon_begin_srv(&view, ID, UINT32_MAX - 1));
	cr_expect(abandon_any(&view, ID, UINT32_MAX));
	cr_expect_not(abandon_begin_srv(&view, ID, UINT32_MAX));
	cr_expect(abandon_begin_srv(&view, ID, 0));
	cr_expect_not(abandon_any(&view, ID, 0));
	cr_expect(abandon_any(&view, ID, 1));
	cr_expect_not(abandon_begin_srv(&view, ID, 1));
}

Test(abandon, others_rows_are_left_alone)
{
	cr_expect(abandon_any(&view, ID, 9));
	for (uint32_t i = 0; i < ID * STATS_WORDS; i++)
		cr_expect_eq(stats[i], 0);
}
