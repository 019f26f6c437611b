/* SPDX-License-Identifier: MIT */
/* Slabs that stand on another node's list, or get another home. */
#include "shm/slab.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "tests/lib/image.h"

/* Two nodes of a page each. Objects a slab: 10 and 5; units: 1, 8. */
#define MIDDLE 1u
#define LARGE 2u

static struct image image;
static struct slab_user user;
static void *out[SLAB_RUN_MAX];

static void start(void)
{
	image_make(&image, 2, 64);
	image_cache(&image, 6000, 8);
	image_cache(&image, 100000, 8);
	image_client(&image, 1, CLIENT_LIVE);
	user = image_user(&image, 1);
}

static void finish(void)
{
	image_drop(&image);
}

TestSuite(slab_lend, .init = start, .fini = finish);

static bool listed(uint32_t cache, uint32_t node, uint32_t head)
{
	struct partial list = partial_of(&image.view, cache, node);
	return partial_has(&list, head);
}

static uint32_t claim(uint32_t cache, uint32_t node, uint32_t want)
{
	bool ring;
	return slab_claim_any(&user, cache, node, want, out, &ring);
}

static uint64_t word(uint32_t unit)
{
	return image.view.words[unit];
}

Test(slab_lend, stands_on_the_other_list)
{
	image_carve(&image, 8, LARGE, 0, 0);
	cr_assert_eq(slab_lend_srv(&image.view, 8, 1), 0);
	cr_expect(listed(LARGE, 1, 8));
	cr_expect_not(listed(LARGE, 0, 8));
	for (uint32_t back = 0; back < 8; back++)
		cr_expect_eq(word(8 + back), WORD_MAKE(LARGE, 0, back, 1));
	cr_expect_eq(claim(LARGE, 0, 5), 0);
	cr_expect_eq(claim(LARGE, 1, 5), 5);
	cr_assert_eq(slab_lend_srv(&image.view, 8, 0), 0);
	cr_expect_not(listed(LARGE, 0, 8), "nothing of it is free");
	cr_expect_not(listed(LARGE, 1, 8));
	cr_assert_eq(slab_release_any(&user, 2, out), 0);
	cr_expect(listed(LARGE, 0, 8), "what is freed later shows at home");
}

Test(slab_lend, what_is_freed_shows_where_it_stands)
{
	image_carve(&image, 3, MIDDLE, 0, 0);
	cr_assert_eq(claim(MIDDLE, 0, 10), 10);
	cr_assert_eq(claim(MIDDLE, 0, 1), 0);
	cr_assert_eq(slab_lend_srv(&image.view, 3, 1), 0);
	cr_expect_not(listed(MIDDLE, 1, 3));
	cr_assert_eq(slab_release_any(&user, 1, out), 0);
	cr_expect(listed(MIDDLE, 1, 3));
	cr_expect_eq(claim(MIDDLE, 1, 1), 1);
}

/* A bit that a client set on the list of before is put right by who meets
 * it. */
Test(slab_lend, a_late_bit_is_put_right)
{
	struct partial old = partial_of(&image.view, MIDDLE, 0);
	image_carve(&image, 3, MIDDLE, 0, 0);
	cr_assert_eq(slab_lend_srv(&image.view, 3, 1), 0);
	partial_set_any(&old, 3);
	cr_expect_eq(claim(MIDDLE, 0, 1), 0);
	cr_expect_not(listed(MIDDLE, 0, 3));
	cr_expect(listed(MIDDLE, 1, 3));
}

Test(slab_lend, not_while_it_is_leased_and_nothing_but_slabs)
{
	image_carve(&image, 8, LARGE, 0, 0);
	cr_assert(lease_take_any(&image.view.leases[8], 1, 1));
	cr_expect_eq(slab_lend_srv(&image.view, 8, 1), -EBUSY);
	cr_expect_eq(word(8), WORD_MAKE(LARGE, 0, 0, 0));
	cr_expect(listed(LARGE, 0, 8));
	lease_drop_own(&image.view.leases[8]);
	cr_expect_eq(slab_lend_srv(&image.view, 9, 1), -EINVAL, "a tail");
	cr_expect_eq(slab_lend_srv(&image.view, 3, 1), -EINVAL, "no slab");
	cr_expect_eq(slab_rehome_srv(&image.view, 9, 1, 1), -EINVAL);
	cr_expect_eq(slab_rehome_srv(&image.view, 3, 1, 1), -EINVAL);
}

/* Even while a client stands still with the lease. */
Test(slab_lend, another_home)
{
	image_carve(&image, 8, LARGE, 0, 0);
	cr_assert(lease_take_any(&image.view.leases[8], 1, 1));
	cr_assert_eq(slab_rehome_srv(&image.view, 8, 1, 1), 0);
	cr_expect_eq(LEASE_ID(image.view.leases[8]), 1);
	lease_drop_own(&image.view.leases[8]);
	for (uint32_t back = 0; back < 8; back++)
		cr_expect_eq(word(8 + back), WORD_MAKE(LARGE, 1, back, 1));
	cr_expect(listed(LARGE, 1, 8));
	cr_expect_not(listed(LARGE, 0, 8));
	cr_expect_eq(claim(LARGE, 1, 5), 5);
}

/* One that is lent to its new home is lent no more; one that is lent elsewhere
 * stays where it stands. */
Test(slab_lend, another_home_of_a_lent_one)
{
	image_carve(&image, 3, MIDDLE, 0, 1);
	cr_assert_eq(slab_rehome_srv(&image.view, 3, 1, 1), 0);
	cr_expect_eq(word(3), WORD_MAKE(MIDDLE, 1, 0, 1));
	cr_expect(listed(MIDDLE, 1, 3));
	image_carve(&image, 4, MIDDLE, 1, 0);
	cr_assert_eq(slab_rehome_srv(&image.view, 4, 1, 0), 0);
	cr_expect_eq(word(4), WORD_MAKE(MIDDLE, 1, 0, 0));
	cr_expect(listed(MIDDLE, 0, 4));
	image_carve(&image, 5, MIDDLE, 0, 0);
	cr_assert_eq(slab_rehome_srv(&image.view, 5, 1, 0), 0);
	cr_expect_eq(word(5), WORD_MAKE(MIDDLE, 1, 0, 0), "or comes to be lent");
	cr_expect(listed(MIDDLE, 0, 5));
}

/* slabd killed within: the units follow their head, whichever it is. */
Test(slab_lend, cut_short_is_repaired)
{
	image_carve(&image, 8, LARGE, 0, 0);
	for (uint32_t cut = 1; cut < 8; cut++) {
		for (uint32_t back = cut; back < 8; back++)
			image_word(&image, 8 + back,
			           WORD_MAKE(LARGE, 1, back, 1));
		cr_expect_eq(slab_repair_srv(&image.view, 8, 32),
		             SLAB_REPAIR_SLAB);
		for (uint32_t back = 0; back < 8; back++)
			cr_expect_eq(word(8 + back),
			             WORD_MAKE(LARGE, 0, back, 0));
	}
	image_word(&image, 9, WORD_MAKE(MIDDLE, 0, 1, 0));
	cr_expect_eq(slab_repair_srv(&image.view, 8, 32), -EINVAL);
}
