/* SPDX-License-Identifier: MIT */
#include "shm/slab.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/tags.h"
#include "tests/lib/image.h"
#include "tests/lib/rng.h"
#include "tests/lib/swept.h"

/* Two nodes of a page each. Objects a slab: 1024, 10 and 5; units: 1, 1, 8. */
#define SMALL 1u
#define MIDDLE 2u
#define LARGE 3u
#define NODE1 32u /* its first unit */

static struct image image;
static struct slab_user one;
static struct slab_user two;
static void *out[SLAB_RUN_MAX];
static bool ring;

static void start(void)
{
	image_make(&image, 2, 64);
	image_cache(&image, 64, 0);
	image_cache(&image, 6000, 8);
	image_cache(&image, 100000, 8);
	cr_assert_eq(image_row(&image, MIDDLE)->n_objs, 10);
	cr_assert_eq(image_row(&image, LARGE)->n_objs, 5);
	cr_assert_eq(image_row(&image, LARGE)->order, 3);
	for (uint32_t id = 1; id < 5; id++)
		image_client(&image, id, CLIENT_LIVE);
	one = image_user(&image, 1);
	two = image_user(&image, 2);
}

static void finish(void)
{
	image_drop(&image);
}

TestSuite(slab, .init = start, .fini = finish);

static bool listed(uint32_t cache, uint32_t node, uint32_t head)
{
	struct partial list = partial_of(&image.view, cache, node);
	return partial_has(&list, head);
}

static uint32_t claim(const struct slab_user *user, uint32_t cache,
                      uint32_t node, uint32_t want)
{
	return slab_claim_any(user, cache, node, want, out, &ring);
}

static void set_low(uint32_t cache, uint32_t node, uint32_t low)
{
	struct layout_mark *mark =
	        (void *)(uintptr_t)view_mark(&image.view, cache, node);
	mark->low_slabs = low;
}

/* ---- carve and reclaim -------------------------------------------------- */

Test(slab, carve)
{
	const uint16_t *tags;
	image_carve(&image, 40, LARGE, 1, 0);
	for (uint32_t unit = 0; unit < 64; unit++) {
		uint64_t word = image.view.words[unit];
		if (unit < 40 || unit >= 48) {
			cr_expect_eq(word, 0);
			continue;
		}
		cr_expect_eq(WORD_CACHE(word), LARGE);
		cr_expect_eq(WORD_HOME(word), 1);
		cr_expect_eq(WORD_LIST(word), 0);
		cr_expect_eq(WORD_BACK(word), unit - 40);
	}
	tags = slab_tags(&image.view, 40);
	for (uint32_t i = 0; i < TAGS_PER_LINE; i++)
		cr_expect_eq(tags[i], i < 5 ? TAG_FREE : TAG_NONE);
	cr_expect(listed(LARGE, 0, 40));
	cr_expect_not(listed(LARGE, 1, 40));
}

Test(slab, reclaim)
{
	image_carve(&image, 8, LARGE, 0, 1);
	cr_expect_eq(slab_reclaim_srv(&image.view, 8), 0);
	for (uint32_t unit = 0; unit < 64; unit++)
		cr_expect_eq(image.view.words[unit], 0);
	cr_expect_not(listed(LARGE, 1, 8));
	cr_expect_eq(image.view.leases[8], 0);
	cr_expect_eq(claim(&one, LARGE, 1, 1), 0);
	cr_expect_eq(slab_reclaim_srv(&image.view, 8), -EINVAL);
}

Test(slab, reclaim_refuses)
{
	image_carve(&image, 8, LARGE, 0, 0);
	cr_expect_eq(slab_reclaim_srv(&image.view, 9), -EINVAL, "no head");
	cr_assert_eq(claim(&one, LARGE, 0, 1), 1);
	cr_expect_eq(slab_reclaim_srv(&image.view, 8), -EBUSY, "owned");
	cr_expect_eq(image.view.leases[8], 0, "the lease is given back");
	cr_assert_eq(slab_release_any(&one, 1, out), 0);
	cr_assert(lease_take_any(&image.view.leases[8], 2, 1));
	cr_expect_eq(slab_reclaim_srv(&image.view, 8), -EBUSY, "leased");
	cr_expect_eq(LEASE_ID(image.view.leases[8]), 2);
	lease_drop_own(&image.view.leases[8]);
	cr_expect_eq(slab_reclaim_srv(&image.view, 8), 0);
}

/* A client took the lease between the end of one slab and the carve of the
 * next: it is still the only one. */
Test(slab, carve_leaves_the_lease_of_the_living)
{
	uint32_t *lease = &image.view.leases[3];
	image_carve(&image, 3, MIDDLE, 0, 0);
	cr_assert_eq(slab_reclaim_srv(&image.view, 3), 0);
	cr_assert(lease_take_any(lease, 1, 1));
	image_carve(&image, 3, MIDDLE, 0, 0);
	cr_expect_eq(LEASE_ID(*lease), 1);
	cr_expect_eq(claim(&two, MIDDLE, 0, 4), 0);
	lease_drop_own(lease);
	cr_expect_eq(claim(&two, MIDDLE, 0, 4), 4);
}

Test(slab, carve_breaks_the_lease_of_the_dead)
{
	image.view.leases[3] = 1u << 16 | 9;
	image.view.leases[4] = LEASE_SRV;
	image_carve(&image, 3, MIDDLE, 0, 0);
	image_carve(&image, 4, MIDDLE, 0, 0);
	cr_expect_eq(image.view.leases[3], 0);
	cr_expect_eq(image.view.leases[4], 0);
}

/* ---- claim -------------------------------------------------------------- */

Test(slab, claims_lowest_first)
{
	const uint32_t wants[] = {1, 3, 4, 5, 2, 8, 1, 256, 7};
	uint32_t at = 0;
	const uint16_t *tags;
	image_carve(&image, 5, SMALL, 0, 0);
	image_carve(&image, 2, SMALL, 0, 0);
	tags = slab_tags(&image.view, 2);
	for (uint32_t i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		cr_assert_eq(claim(&one, SMALL, 0, wants[i]), wants[i]);
		cr_expect_not(ring);
		for (uint32_t k = 0; k < wants[i]; k++, at++) {
			cr_assert_eq(out[k], image_object(&image, 2, at));
			cr_assert_eq(tags[at], 1);
		}
		cr_assert_eq(tags[at], TAG_FREE);
	}
	cr_expect_eq(image.view.leases[2], 0);
	cr_expect_eq(claim(&one, SMALL, 1, 1), 0, "the other node's list");
	cr_expect_eq(claim(&one, MIDDLE, 0, 1), 0, "another cache");
}

/* A claim goes on from the last one and round, and the next slab helps out. */
Test(slab, claims_over_slabs)
{
	image_carve(&image, 1, MIDDLE, 0, 0);
	image_carve(&image, 2, MIDDLE, 0, 0);
	cr_assert_eq(claim(&two, MIDDLE, 0, 9), 9);
	cr_assert_eq(slab_release_any(&two, 1, &out[4]), 0);
	/* 2 are free below and 10 above: a quarter of 8 is there at once. */
	cr_expect_eq(claim(&one, MIDDLE, 0, 8), 2);
	cr_expect_eq(out[0], image_object(&image, 1, 9));
	cr_expect_eq(out[1], image_object(&image, 1, 4));
	cr_expect_eq(slab_release_any(&one, 1, &out[1]), 0);
	/* 1 below is too few: the rest comes from above. */
	cr_expect_eq(claim(&one, MIDDLE, 0, 8), 8);
	cr_expect_eq(out[0], image_object(&image, 1, 4));
	cr_expect_eq(out[1], image_object(&image, 2, 0));
	cr_expect_eq(out[7], image_object(&image, 2, 6));
}

Test(slab, bare_slab_leaves_its_list)
{
	image_carve(&image, 1, MIDDLE, 0, 0);
	cr_assert_eq(claim(&one, MIDDLE, 0, 256), 10);
	cr_expect_not(listed(MIDDLE, 0, 1));
	cr_expect_eq(claim(&one, MIDDLE, 0, 1), 0);
	cr_assert_eq(slab_release_any(&one, 1, out), 0);
	cr_expect(listed(MIDDLE, 0, 1));
	cr_expect_eq(claim(&one, MIDDLE, 0, 1), 1);
	/* What was seen bare is off the list at the next look at the latest. */
	cr_expect_eq(claim(&one, MIDDLE, 0, 1), 0);
	cr_expect_not(listed(MIDDLE, 0, 1));
}

Test(slab, claim_passes_over_a_lease)
{
	image_carve(&image, 1, MIDDLE, 0, 0);
	image_carve(&image, 2, MIDDLE, 0, 0);
	cr_assert(lease_take_any(&image.view.leases[1], 2, 1));
	cr_expect_eq(claim(&one, MIDDLE, 0, 4), 4);
	cr_expect_eq(out[0], image_object(&image, 2, 0));
	cr_expect(listed(MIDDLE, 0, 1));
	cr_expect_eq(tags_count_free(slab_tags(&image.view, 1), 10), 10);
	cr_expect_eq(LEASE_ID(image.view.leases[1]), 2, "it is still held");
}

/* A bit on the wrong list is moved to where the slab stands. */
Test(slab, stale_bit_is_put_right)
{
	struct partial wrong = partial_of(&image.view, MIDDLE, 0);
	struct partial right = partial_of(&image.view, MIDDLE, 1);
	image_carve(&image, 1, MIDDLE, 0, 1);
	partial_clear_any(&right, 1);
	partial_set_any(&wrong, 1);
	cr_expect_eq(claim(&one, MIDDLE, 0, 4), 0);
	cr_expect_not(partial_has(&wrong, 1));
	cr_expect(partial_has(&right, 1));
	cr_expect_eq(claim(&one, MIDDLE, 1, 4), 4);
}

Test(slab, stale_bit_of_another_cache_or_no_slab)
{
	struct partial list = partial_of(&image.view, MIDDLE, 0);
	image_carve(&image, 1, SMALL, 0, 0);
	image_carve(&image, 8, LARGE, 0, 0);
	partial_set_any(&list, 1);
	partial_set_any(&list, 9);
	partial_set_any(&list, 20);
	cr_expect_eq(claim(&one, MIDDLE, 0, 256), 0);
	cr_expect_eq(partial_count(&list, UINT32_MAX), 0);
	cr_expect(listed(SMALL, 0, 1));
	cr_expect(listed(LARGE, 0, 8));
}

Test(slab, bits_beyond_the_last_unit)
{
	struct partial list = partial_of(&image.view, SMALL, 0);
	for (uint32_t w = 0; w < list.n_bits + list.n_sum; w++)
		list.sum[w] = ~UINT64_C(0);
	image_carve(&image, 63, SMALL, 1, 0);
	cr_expect_eq(claim(&one, SMALL, 0, 4), 4);
	cr_expect_eq(out[0], image_object(&image, 63, 0));
}

/* ---- the ring ----------------------------------------------------------- */

Test(slab, rings_below_the_low_mark)
{
	set_low(MIDDLE, 0, 2);
	for (uint32_t head = 1; head < 5; head++)
		image_carve(&image, head, MIDDLE, 0, 0);
	cr_assert_eq(claim(&one, MIDDLE, 0, 12), 10);
	cr_expect_not(ring, "3 are left");
	cr_assert_eq(claim(&one, MIDDLE, 0, 12), 10);
	cr_expect_not(ring, "2 are left");
	cr_assert_eq(claim(&one, MIDDLE, 0, 4), 4);
	cr_expect_not(ring, "none was bared");
	cr_assert_eq(claim(&one, MIDDLE, 0, 12), 6);
	cr_expect(ring, "1 is left");
	cr_assert_eq(claim(&one, MIDDLE, 0, 10), 10);
	cr_assert_eq(claim(&one, MIDDLE, 0, 1), 0);
	cr_expect(ring, "none is left");
}

Test(slab, rings_on_an_empty_list)
{
	set_low(LARGE, 1, 1);
	cr_expect_eq(claim(&one, LARGE, 1, 1), 0);
	cr_expect(ring);
	image_carve(&image, 32, LARGE, 1, 1);
	cr_expect_eq(claim(&one, LARGE, 1, 1), 1);
	cr_expect_not(ring);
}

/* ---- release ------------------------------------------------------------ */

Test(slab, release)
{
	void *kept[10];
	const uint16_t *tags;
	image_carve(&image, 1, MIDDLE, 0, 0);
	image_carve(&image, NODE1, MIDDLE, 1, 1);
	tags = slab_tags(&image.view, 1);
	cr_assert_eq(claim(&one, MIDDLE, 0, 256), 10);
	memcpy(kept, out, sizeof(kept));
	cr_assert_eq(claim(&one, MIDDLE, 1, 256), 10);
	/* Objects of two nodes in one batch, in any order. */
	kept[3] = out[7];
	cr_expect_eq(slab_release_any(&one, 6, kept), 0);
	for (uint32_t i = 0; i < 10; i++)
		cr_expect_eq(tags[i], i < 6 && i != 3 ? 0 : 1);
	cr_expect_eq(slab_tags(&image.view, NODE1)[7], TAG_FREE);
	cr_expect(listed(MIDDLE, 0, 1));
	cr_expect(listed(MIDDLE, 1, NODE1));
	cr_expect_eq(slab_release_any(&one, 0, kept), 0);
}

/* Releases n of the slab at unit 2 from one index on, of which one is another's. */
static void release_run(uint32_t from, uint32_t n, bool down, uint32_t other)
{
	uint16_t *tags = slab_tags(&image.view, 2);
	uint32_t first = down ? from + 1 - n : from;
	bool in = other - first < n;
	for (uint32_t i = 0; i < 64; i++)
		tags[i] = (uint16_t)(i == other ? 2 : 1);
	for (uint32_t i = 0; i < n; i++)
		out[i] = image_object(&image, 2, down ? from - i : from + i);
	cr_assert_eq(slab_release_any(&one, n, out), in);
	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(tags[i], i == other ? 2 : !(i - first < n),
		             "%u of %u from %u, %d: tag %u", other, n, from,
		             down, i);
}

Test(slab, releases_runs_up_and_down)
{
	image_carve(&image, 2, SMALL, 0, 0);
	for (uint32_t from = 20; from < 28; from++)
		for (uint32_t n = 1; n <= 20; n++)
			for (uint32_t other = 0; other < 50; other++) {
				release_run(from, n, false, other);
				release_run(from, n, true, other);
			}
	/* The first and the last of a slab. */
	release_run(3, 4, true, 40);
	release_run(2, 3, true, 40);
	release_run(0, 1, true, 40);
}

Test(slab, release_refuses)
{
	void *bad[12];
	char *first;
	image_carve(&image, 1, MIDDLE, 0, 0);
	image_carve(&image, 8, LARGE, 0, 0);
	cr_assert_eq(claim(&two, MIDDLE, 0, 1), 1);
	bad[0] = out[0]; /* another's */
	cr_assert_eq(claim(&one, MIDDLE, 0, 3), 3);
	first = out[0];
	bad[1] = first + 8;                     /* inside */
	bad[2] = first + 5999;                  /* its last byte */
	bad[3] = image_object(&image, 1, 10);   /* after the last object */
	bad[4] = image.data + (9 << UNIT_SHIFT); /* inside a large one */
	bad[5] = image.data;                    /* no slab */
	bad[6] = image.data - 6000;             /* below the pool */
	bad[7] = image.data + (64 << UNIT_SHIFT); /* above it */
	bad[8] = NULL;
	bad[9] = &image;
	bad[10] = out[1]; /* the one that is right */
	bad[11] = out[1]; /* freed twice */
	cr_expect_eq(slab_release_any(&one, 12, bad), 11);
	cr_expect_eq(slab_tags(&image.view, 1)[0], 2);
	cr_expect_eq(slab_tags(&image.view, 1)[1], 1);
	cr_expect_eq(slab_tags(&image.view, 1)[2], TAG_FREE);
	cr_expect_eq(slab_tags(&image.view, 1)[3], 1);
	cr_expect_eq(tags_count_free(slab_tags(&image.view, 8), 5), 5);
}

/* 1 KiB objects would share four of 64 sets: slabs side by side, and every
 * second one, differ in colour. */
Test(slab, colours_spread)
{
	uint32_t cache = image_cache(&image, 1024, 0);
	const struct layout_cache *row = image_row(&image, cache);
	uint32_t seen[2][16] = {{0}};
	cr_assert_eq(row->n_objs, 63);
	cr_assert_eq(row->colours, 16);
	for (uint32_t head = 0; head < 160; head++)
		seen[0][slab_colour(row, head) / row->colour_step]++;
	for (uint32_t head = 0; head < 320; head += 2)
		seen[1][slab_colour(row, head) / row->colour_step]++;
	for (uint32_t i = 0; i < 32; i++)
		cr_expect(seen[i / 16][i % 16] >= 7 &&
		                  seen[i / 16][i % 16] <= 13,
		          "colour %u of %u: %u of 160", i % 16, i / 16 + 1,
		          seen[i / 16][i % 16]);
}

/* Each offset of a page: an object starts there or not. */
Test(slab, locate_every_offset)
{
	struct slab_place place;
	image_carve(&image, 0, SMALL, 0, 0);
	image_carve(&image, 1, MIDDLE, 0, 0);
	image_carve(&image, 8, LARGE, 0, 0);
	for (uint64_t off = 0; off < 16 * UNIT_BYTES; off++) {
		uint32_t unit = (uint32_t)(off >> UNIT_SHIFT);
		uint32_t head = unit < 8 ? unit : 8;
		uint32_t cache = unit < 2 ? unit + 1 : unit < 8 ? 0 : LARGE;
		const struct layout_cache *row =
		        cache ? image_row(&image, cache) : NULL;
		uint64_t first = head * UNIT_BYTES +
		                 (row != NULL ? slab_colour(row, head) : 0);
		uint64_t in = off - first;
		bool is = row != NULL && off >= first &&
		          in % row->stride == 0 &&
		          in / row->stride < row->n_objs;
		cr_assert_eq(slab_locate(&image.view, off, &place),
		             is ? 0 : -EINVAL, "offset %u", (unsigned)off);
		if (!is)
			continue;
		cr_assert_eq(place.head, head);
		cr_assert_eq(place.ix, in / row->stride);
		cr_assert_eq(place.cache, row);
		cr_assert_eq(place.tag,
		             slab_tags(&image.view, head) + place.ix);
	}
	cr_expect_eq(slab_locate(&image.view, UINT64_MAX, &place), -EINVAL);
	cr_expect_eq(slab_locate(&image.view, 64 * UNIT_BYTES, &place),
	             -EINVAL);
}

/* ---- sweep -------------------------------------------------------------- */

Test(slab, sweep_frees_one_id)
{
	static struct slab_swept swept;
	uint32_t lost;
	image_carve(&image, 1, MIDDLE, 0, 0);
	image_carve(&image, NODE1, MIDDLE, 1, 0);
	image_carve(&image, 8, LARGE, 0, 0);
	cr_assert_eq(claim(&one, MIDDLE, 0, 6), 6);
	cr_assert_eq(claim(&two, MIDDLE, 0, 6), 4);
	cr_assert_eq(claim(&one, MIDDLE, 0, 12), 10);
	cr_assert_eq(claim(&one, LARGE, 0, 2), 2);
	cr_assert(lease_take_any(&image.view.leases[8], 1, 1));
	cr_assert(lease_take_any(&image.view.leases[1], 2, 1));
	swept_of(&image.view, 1, &swept);
	cr_expect_eq(swept.objects, 18);
	cr_expect_eq(swept.leases, 1);
	cr_expect_eq(swept.bits, 2, "both middle slabs were off the list");
	cr_expect(listed(MIDDLE, 0, 1));
	cr_expect(listed(MIDDLE, 0, NODE1));
	cr_expect_eq(image.view.leases[8], 0);
	cr_expect_eq(LEASE_ID(image.view.leases[1]), 2);
	lost = 10 - tags_count_free(slab_tags(&image.view, 1), 10);
	cr_expect_eq(lost, 4, "the other's objects stay");
	swept_of(&image.view, 1, &swept);
	cr_expect_eq(swept.objects + swept.leases + swept.bits, 0);
}

/* Another client died before it set the bit of what it freed. */
Test(slab, sweep_sets_bits_that_are_not_its_own)
{
	static struct slab_swept swept;
	struct partial list = partial_of(&image.view, MIDDLE, 0);
	image_carve(&image, 1, MIDDLE, 0, 0);
	cr_assert_eq(claim(&two, MIDDLE, 0, 256), 10);
	cr_assert_not(partial_has(&list, 1));
	cr_assert(tags_free_own(&slab_tags(&image.view, 1)[4], 2));
	swept_of(&image.view, 1, &swept);
	cr_expect_eq(swept.objects, 0);
	cr_expect_eq(swept.bits, 1);
	cr_expect(partial_has(&list, 1));
}

Test(slab, sweep_repairs_a_summary)
{
	static struct slab_swept swept;
	struct partial list = partial_of(&image.view, MIDDLE, 0);
	image_carve(&image, 1, MIDDLE, 0, 0);
	list.sum[0] = 0;
	swept_of(&image.view, 1, &swept);
	cr_expect_eq(swept.bits, 1);
	cr_expect(partial_has(&list, 1));
}

/* It died with the lease of a slab that had just been emptied. */
Test(slab, sweep_breaks_leases_where_no_slab_is)
{
	static struct slab_swept swept;
	image_carve(&image, 8, LARGE, 0, 0);
	cr_assert(lease_take_any(&image.view.leases[3], 1, 1));
	cr_assert(lease_take_any(&image.view.leases[9], 1, 1));
	swept_of(&image.view, 1, &swept);
	cr_expect_eq(swept.leases, 2);
	cr_expect_eq(image.view.leases[3], 0);
	cr_expect_eq(image.view.leases[9], 0);
}

/* Bits of the empty and the bare are not set. */
Test(slab, sweep_sets_no_bit_that_is_not_due)
{
	static struct slab_swept swept;
	image_carve(&image, 1, MIDDLE, 0, 0);
	cr_assert_eq(claim(&two, MIDDLE, 0, 256), 10);
	swept_of(&image.view, 1, &swept);
	cr_expect_eq(swept.bits, 0);
	cr_expect_not(listed(MIDDLE, 0, 1));
}
