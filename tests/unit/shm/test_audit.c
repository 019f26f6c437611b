/* SPDX-License-Identifier: MIT */
#include "shm/audit.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/pool/usage.h"
#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/slab.h"
#include "shm/tags.h"
#include "tests/lib/image.h"

#define SMALL 1u  /* 1024 objects a slab */
#define MIDDLE 2u /* 10 */
#define LARGE 3u  /* 5, in 8 units */

static struct image image;
static struct slab_user one;
static struct audit audit;

/* A pool as it is in the middle of its work. */
static void start(void)
{
	void *out[SLAB_RUN_MAX];
	bool ring;
	image_make(&image, 2, 64);
	image_cache(&image, 64, 0);
	image_cache(&image, 6000, 8);
	image_cache(&image, 100000, 8);
	for (uint32_t id = 1; id < 4; id++)
		image_client(&image, id, CLIENT_LIVE);
	image_carve(&image, 0, SMALL, 0, 0);
	image_carve(&image, 1, MIDDLE, 0, 1);
	image_carve(&image, 2, MIDDLE, 0, 0);
	image_carve(&image, 8, LARGE, 0, 0);
	image_carve(&image, 40, LARGE, 1, 1);
	one = image_user(&image, 1);
	cr_assert_eq(slab_claim_any(&one, SMALL, 0, 100, out, &ring), 100);
	cr_assert_eq(slab_claim_any(&one, MIDDLE, 0, 256, out, &ring), 10);
	cr_assert_eq(slab_claim_any(&one, LARGE, 1, 2, out, &ring), 2);
}

static void finish(void)
{
	image_drop(&image);
}

TestSuite(audit, .init = start, .fini = finish);

static void run(void)
{
	static uint64_t seen[64];
	memset(seen, 0, sizeof(seen));
	audit = (struct audit){.view = &image.view,
	                       .seen_lines = seen,
	                       .n_lines = image.n_lines,
	                       .shared_fd = -1,
	                       .patience = 3};
	audit_run_srv(&audit);
}

/* One fault, of this name and place. */
static void expect_one(const char *name, uint32_t unit)
{
	run();
	cr_assert_eq(audit.n_faults, 1, "%u faults for %s",
	             (unsigned)audit.n_faults, name);
	cr_expect_str_eq(audit_clause_name(audit.faults[0].clause), name);
	cr_expect_eq(audit.faults[0].unit, unit, "%u", audit.faults[0].unit);
}

static void expect_sums(uint64_t lost, uint64_t twice, uint64_t orphans,
                        uint64_t wrong_hints)
{
	cr_expect_eq(audit.lost, lost);
	cr_expect_eq(audit.twice, twice);
	cr_expect_eq(audit.orphans, orphans);
	cr_expect_eq(audit.wrong_hints, wrong_hints);
}

Test(audit, healthy_agrees)
{
	run();
	cr_expect_eq(audit.n_faults, 0);
	expect_sums(0, 0, 0, 0);
	cr_expect_eq(audit.slabs, 5);
	cr_expect_eq(audit.objects, 1024 + 2 * 10 + 2 * 5);
	cr_expect_eq(audit.owned, 112);
	cr_expect_eq(audit.free, audit.objects - audit.owned);
}

Test(audit, needless_bits_are_no_fault)
{
	struct partial list = partial_of(&image.view, MIDDLE, 0);
	partial_set_any(&list, 2);  /* a bare slab */
	partial_set_any(&list, 0);  /* one of another cache */
	partial_set_any(&list, 30); /* no slab at all */
	run();
	cr_expect_eq(audit.n_faults, 0);
}

/* A lease that is held makes none either, while its holder lives. */
Test(audit, held_lease_is_no_fault)
{
	cr_assert(lease_take_any(&image.view.leases[0], 1, 1));
	run();
	cr_expect_eq(audit.n_faults, 0);
}

/* ---- each clause -------------------------------------------------------- */

static void damage_word(uint32_t unit, uint64_t bits)
{
	image_word(&image, unit, image.view.words[unit] ^ bits);
}

Test(audit, word_shape)
{
	const uint64_t bits[] = {
	        UINT64_C(1) << 63, UINT64_C(1) << 56, UINT64_C(1) << 24,
	        UINT64_C(1) << 31, /* zeros that are none */
	        UINT64_C(2) << 16, UINT64_C(0x80) << 16, /* home: no node */
	        UINT64_C(2) << 48, UINT64_C(0x80) << 48, /* list: no node */
	        IMAGE_CACHES ^ SMALL, UINT64_C(0x8000), /* no cache */
	        UINT64_C(1) << 32,                      /* no head before it */
	};
	for (uint32_t i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		damage_word(0, bits[i]);
		expect_one("word-shape", 0);
		expect_sums(0, 0, 0, 0);
		damage_word(0, bits[i]);
	}
	image_word(&image, 20, 0xffff);
	expect_one("word-shape", 20);
}

/* A large slab that does not start at a multiple of its size. */
Test(audit, word_shape_of_a_crooked_slab)
{
	image_carve(&image, 20, LARGE, 0, 0);
	run();
	cr_assert_geq(audit.n_faults, 1);
	cr_expect_eq(audit.faults[0].clause, AUDIT_WORD_SHAPE);
	cr_expect_eq(audit.faults[0].unit, 20);
}

Test(audit, unit_twice)
{
	image_carve(&image, 15, MIDDLE, 0, 0);
	expect_one("unit-twice", 15);
	expect_sums(0, 5, 0, 0);
	cr_expect_eq(audit.slabs, 5, "the one in its place is counted");
}

Test(audit, page_ready)
{
	((uint8_t *)(uintptr_t)image.view.pages)[1] = 0;
	expect_one("page-ready", 40);
	expect_sums(0, 0, 0, 0);
}

Test(audit, page_home)
{
	((uint8_t *)(uintptr_t)image.view.pages)[1] = 1;
	expect_one("page-home", 40);
	cr_expect_eq(audit.faults[0].got, 1);
	cr_expect_eq(audit.faults[0].want, 0);
	expect_sums(0, 0, 0, 0);
}

static void set_line(uint32_t head, uint32_t line)
{
	((uint32_t *)(uintptr_t)image.view.lines)[head] = line;
}

/* 1 and 2 are one cache's: alike but for their owners. */
Test(audit, tag_run_of_two)
{
	set_line(1, image.view.lines[2]);
	expect_one("tag-run", 2);
	cr_expect_eq(audit.faults[0].got, image.view.lines[2]);
	expect_sums(0, 10, 0, 0);
}

Test(audit, tag_run_out_of_range)
{
	set_line(1, image.n_lines);
	expect_one("tag-run", 1);
	set_line(1, UINT32_MAX);
	expect_one("tag-run", 1);
	set_line(1, 32);
	set_line(0, image.n_lines - 31);
	expect_one("tag-run", 0);
}

Test(audit, tag_pad_on_an_object)
{
	slab_tags(&image.view, 1)[9] = TAG_NONE;
	expect_one("tag-pad", 1);
	expect_sums(1, 0, 0, 0);
}

Test(audit, tag_pad_is_missing)
{
	for (uint32_t i = 10; i < TAGS_PER_LINE; i++) {
		uint16_t *pad = &slab_tags(&image.view, 1)[i];
		*pad = (uint16_t)(i % 2);
		expect_one("tag-pad", 1);
		cr_expect_eq(audit.faults[0].want, i);
		expect_sums(0, 0, 0, 0);
		*pad = TAG_NONE;
	}
}

Test(audit, tag_owner)
{
	static const uint16_t nobody[] = {4, 32767, 32768, 0xfffe};
	uint16_t *tag = &slab_tags(&image.view, 40)[3];
	for (uint32_t i = 0; i < 4; i++) {
		*tag = nobody[i];
		expect_one("tag-owner", 40);
		cr_expect_eq(audit.faults[0].got, nobody[i]);
		expect_sums(1, 0, 0, 0);
	}
}

Test(audit, tags_of_the_dead_are_orphans)
{
	image_client(&image, 1, CLIENT_DEAD);
	run();
	cr_expect_eq(audit.n_faults, 0);
	expect_sums(0, 0, 112, 0);
}

Test(audit, list_due)
{
	struct partial list = partial_of(&image.view, MIDDLE, 1);
	struct partial wrong = partial_of(&image.view, MIDDLE, 0);
	partial_clear_any(&list, 1);
	expect_one("list-due", 1);
	expect_sums(0, 0, 0, 1);
	partial_set_any(&wrong, 1);
	expect_one("list-due", 1);
}

Test(audit, list_due_for_one_free_object)
{
	uint16_t *tag = &slab_tags(&image.view, 2)[9];
	cr_assert(tags_free_own(tag, 1));
	expect_one("list-due", 2);
	expect_sums(0, 0, 0, 1);
}

/* Over a needless bit, so that nothing else is amiss. */
Test(audit, list_summary)
{
	struct partial list = partial_of(&image.view, MIDDLE, 0);
	partial_set_any(&list, 2);
	list.sum[0] = 0;
	expect_one("list-summary", MIDDLE);
	expect_sums(0, 0, 0, 1);
	cr_expect_eq(partial_repair_any(&list), 1);
	run();
	cr_expect_eq(audit.n_faults, 0);
}

Test(audit, list_summary_hides_a_slab)
{
	struct partial list = partial_of(&image.view, LARGE, 1);
	list.sum[0] = 0;
	run();
	cr_expect_eq(audit.n_faults, 2);
	cr_expect_eq(audit.faults[0].clause, AUDIT_LIST_DUE);
	cr_expect_eq(audit.faults[1].clause, AUDIT_LIST_SUMMARY);
	cr_expect_eq(audit.faults[1].got, 1, "the node");
	expect_sums(0, 0, 0, 2);
}

Test(audit, lease_holder)
{
	static const uint32_t nobody[] = {4, 32767, LEASE_SRV, 1u << 16};
	image_client(&image, 4, CLIENT_DEAD);
	for (uint32_t i = 0; i < 4; i++) {
		image.view.leases[8] = nobody[i];
		expect_one("lease-holder", 8);
		expect_sums(0, 0, 0, 1);
	}
}

/* ---- slabd's own books -------------------------------------------------- */

Test(audit, cache_count)
{
	uint32_t slabs[] = {1, 0, 2, 0, 1, 1};
	struct pool pool = {.view = image.view, .slabs = slabs, .n_caches = 3};
	pool.lines.end = image.n_lines;
	/* Without files. */
	pool.shared_fd = -1;
	for (unsigned i = 0; i < TOPO_NODES_MAX; i++)
		pool.backing.node[i].fd = -1;
	cr_assert_eq(usage_audit(&pool, &audit), 0);
	cr_expect_eq(audit.n_faults, 0);
	for (uint32_t i = 0; i < 6; i++) {
		slabs[i]++;
		cr_assert_eq(usage_audit(&pool, &audit), 0);
		cr_assert_eq(audit.n_faults, 1);
		cr_expect_str_eq(audit_clause_name(audit.faults[0].clause),
		                 "cache-count");
		cr_expect_eq(audit.faults[0].unit, i / 2 + 1);
		cr_expect_eq(audit.faults[0].got, audit.faults[0].want + 1);
		cr_expect_eq(audit.wrong_hints, 1);
		slabs[i]--;
	}
}

/* ---- names, and too many faults ----------------------------------------- */

Test(clauses, each_has_a_name_and_a_text)
{
	for (uint32_t i = 0; i < AUDIT_CLAUSES; i++) {
		const char *name = audit_clause_name((enum audit_clause)i);
		cr_assert_not_null(name, "clause %u", i);
		cr_assert_not_null(audit_clause_text((enum audit_clause)i));
		cr_expect_gt(strlen(name), 0);
		cr_expect_gt(strlen(audit_clause_text((enum audit_clause)i)),
		             10);
		for (uint32_t k = 0; k < i; k++)
			cr_expect_neq(
				strcmp(name,
			               audit_clause_name((enum audit_clause)k)),
				0);
	}
	cr_expect_str_eq(audit_clause_name(AUDIT_CLAUSES), "unknown");
	cr_expect_str_eq(audit_clause_text(AUDIT_CLAUSES), "");
}

Test(audit, more_faults_than_are_kept)
{
	for (uint32_t i = 0; i < 50; i++)
		slab_tags(&image.view, 0)[500 + i] = (uint16_t)(100 + i);
	run();
	cr_expect_eq(audit.n_faults, 50);
	cr_expect_eq(audit.faults[AUDIT_FAULTS_MAX - 1].got,
	             100 + AUDIT_FAULTS_MAX - 1);
	expect_sums(50, 0, 0, 0);
}
