/* SPDX-License-Identifier: MIT */
#include "shm/tags.h"

#include <criterion/criterion.h>
#include <string.h>

#include "shm/atom.h"
#include "shm/layout.h"
#include "tests/lib/rng.h"
#include "tests/lib/swept.h"
#include "tests/lib/tags_reference.h"

#define TAGS_MAX 4096u
#define EDGE 8u /* tags before and after the run that nobody may touch */

/* Two runs of tags that are alike, with untouchable edges. */
struct twins {
	_Alignas(64) uint16_t wide[TAGS_MAX + 64];
	_Alignas(64) uint16_t narrow[TAGS_MAX + 64];
	_Alignas(64) uint16_t wide_gens[TAGS_MAX + 64];
	_Alignas(64) uint16_t narrow_gens[TAGS_MAX + 64];
	uint32_t n;
};

static uint16_t any_tag(struct rng *rng, uint32_t zeros)
{
	static const uint16_t likely[] = {1, 2, 3, 0x00ff, 0x0100, 0x7fff,
	                                  0x8000, 0x8001, 0xfffe, 0x0101};
	if (rng_below(rng, 100) < zeros)
		return TAG_FREE;
	if (rng_below(rng, 4) == 0)
		return (uint16_t)(1 + rng_below(rng, 0xfffe));
	return likely[rng_below(rng, 10)];
}

/* n tags, then TAG_NONE to the end of the word, then free lanes: who reads
 * too far finds them. */
static void fill(struct twins *t, struct rng *rng, uint32_t n)
{
	uint32_t zeros = rng_below(rng, 5) * 25;
	uint32_t at = 0;
	t->n = n;
	memset(t->wide, 0, sizeof(t->wide));
	for (; at < n; at++)
		t->wide[at] = any_tag(rng, zeros);
	for (uint32_t i = 0; i < n; i++)
		t->wide_gens[i] = t->narrow_gens[i] =
			(uint16_t)rng_next(rng);
	for (; at % TAGS_WORD != 0; at++)
		t->wide[at] = TAG_NONE;
	memcpy(t->narrow, t->wide, sizeof(t->wide));
}

static void check_alike(const struct twins *t)
{
	cr_assert(memcmp(t->wide, t->narrow, sizeof(t->wide)) == 0);
	cr_assert(memcmp(t->wide_gens, t->narrow_gens, sizeof(t->wide_gens)) ==
	          0);
}

static void compare_claim(struct twins *t, uint32_t from, uint16_t id,
                          uint32_t want)
{
	uint32_t a[256 + EDGE];
	uint32_t b[256 + EDGE];
	uint32_t got;
	memset(a, 0xee, sizeof(a));
	memset(b, 0xee, sizeof(b));
	got = tags_claim_own(t->wide, t->n, from, id, want, a);
	cr_assert_eq(got, tags_reference_claim(t->narrow, t->n, from, id,
	                                       want, b));
	cr_assert_leq(got, want);
	cr_assert(memcmp(a, b, sizeof(a)) == 0, "n %u from %u want %u",
	          t->n, from, want);
	check_alike(t);
}

static void compare_looks(const struct twins *t)
{
	cr_assert_eq(tags_any_free(t->wide, t->n),
	             tags_reference_any(t->narrow, t->n));
	cr_assert_eq(tags_count_free(t->wide, t->n),
	             tags_reference_count(t->narrow, t->n));
}

static void compare_sweep(struct twins *t, const struct tags_living *living)
{
	static uint32_t wide[65536];
	static uint32_t narrow[65536];
	uint32_t sum = 0;
	uint32_t swept = tags_sweep_srv(t->wide, t->wide_gens, t->n, living,
	                                wide);
	cr_assert_eq(swept, tags_reference_sweep(t->narrow, t->narrow_gens,
	                                         t->n, living, narrow));
	cr_assert(memcmp(wide, narrow, sizeof(wide)) == 0);
	for (uint32_t id = 0; id < 65536; id++) {
		sum += wide[id];
		wide[id] = narrow[id] = 0;
	}
	cr_assert_eq(sum, swept);
	check_alike(t);
}

Test(wide, claims_as_narrow_for_every_want)
{
	static struct twins t;
	struct rng rng = rng_start("claims_as_narrow_for_every_want");
	for (uint32_t want = 1; want <= 256; want++) {
		for (uint32_t i = 0; i < 40; i++) {
			fill(&t, &rng, 1 + rng_below(&rng, 1200));
			compare_claim(&t, 0, (uint16_t)(1 + i), want);
			compare_claim(&t, rng_below(&rng, t.n),
			              (uint16_t)(1 + i), want);
			compare_looks(&t);
		}
	}
}

Test(wide, claims_as_narrow_for_every_length)
{
	static struct twins t;
	struct rng rng = rng_start("claims_as_narrow_for_every_length");
	for (uint32_t n = 1; n <= 300; n++) {
		for (uint32_t i = 0; i < 40; i++) {
			fill(&t, &rng, n);
			compare_looks(&t);
			compare_claim(&t, rng_below(&rng, n), 0x7fff,
			              1 + rng_below(&rng, 256));
		}
	}
}

Test(wide, frees_words_as_narrow)
{
	static struct twins t;
	struct rng rng = rng_start("frees_words_as_narrow");
	for (uint32_t i = 0; i < 20000; i++) {
		uint16_t own = (uint16_t)(1 + rng_below(&rng, 3));
		uint32_t n = 1 + (uint32_t)rng_below(&rng, 6);
		bool down = rng_below(&rng, 2) != 0;
		uint32_t at = down ? (n - 1) * TAGS_WORD : 0;
		fill(&t, &rng, n * TAGS_WORD);
		for (uint32_t k = 0; k < n * TAGS_WORD; k++)
			if (rng_below(&rng, 16) > 0)
				t.narrow[k] = t.wide[k] = own;
		cr_assert_eq(tags_words_of(t.wide + at, n, down, own),
		             tags_reference_words(t.narrow + at, n, down, own));
		cr_assert_eq(tags_pass_words_own(t.wide + at, n, down, own,
		                                 TAG_FREE),
		             tags_reference_pass_words(t.narrow + at, n, down,
		                                       own, TAG_FREE));
		check_alike(&t);
	}
}

/* What is known, with each generation there is. */
Test(wide, frees_known_words_as_narrow)
{
	static struct twins t;
	struct rng rng = rng_start("frees_known_words_as_narrow");
	for (uint32_t i = 0; i < 20000; i++) {
		uint16_t own = (uint16_t)(1 + rng_below(&rng, 3));
		uint32_t n = 1 + (uint32_t)rng_below(&rng, 6);
		bool down = rng_below(&rng, 2) != 0;
		uint32_t at = down ? (n - 1) * TAGS_WORD : 0;
		fill(&t, &rng, n * TAGS_WORD);
		for (uint32_t k = 0; k < n * TAGS_WORD; k++) {
			if (rng_below(&rng, 16) > 0)
				t.narrow[k] = t.wide[k] = own | TAG_KNOWN;
			if (rng_below(&rng, 16) > 0)
				t.narrow_gens[k] = t.wide_gens[k] &= 0xfffe;
			if (rng_below(&rng, 4) == 0)
				t.narrow_gens[k] = t.wide_gens[k] |= 0xfffe;
		}
		cr_assert_eq(tags_free_known_words_own(
		                     t.wide + at, t.wide_gens + at, n, down, own),
		             tags_reference_known_words(t.narrow + at,
		                                        t.narrow_gens + at, n,
		                                        down, own));
		check_alike(&t);
	}
}

Test(wide, runs_as_narrow)
{
	static struct twins t = {.n = TAGS_MAX};
	struct rng rng = rng_start("runs_as_narrow");
	for (uint32_t i = 0; i < TAGS_MAX; i++)
		t.wide[i] = t.narrow[i] =
			i > 0 && rng_below(&rng, 9) != 0
				? t.wide[i - 1]
				: (uint16_t)(rng_below(&rng, 3) * 0x1234);
	for (uint32_t from = 0; from < 300; from++)
		for (uint32_t n = from + 1; n <= 600; n += 7)
			cr_assert_eq(tags_run(t.wide, from, n),
			             tags_reference_run(t.narrow, from, n),
			             "from %u of %u", from, n);
}

Test(wide, sweeps_as_narrow)
{
	static struct twins t;
	struct rng rng = rng_start("sweeps_as_narrow");
	static const uint16_t ids[] = {1, 2, 3, 0xff, 0x100, 0x101, 0x7fff};
	static struct tags_living living;
	for (uint32_t i = 0; i < 3000; i++) {
		fill(&t, &rng, 1 + rng_below(&rng, TAGS_MAX));
		swept_living_but(&living, ids[i % 7]);
		compare_sweep(&t, &living);
		compare_looks(&t);
		compare_sweep(&t, &living);
		/* Several at once, also those that no client can have. */
		swept_living_but(&living, ids[i / 7 % 7]);
		living.bits[0x8000 / 64] |= rng_below(&rng, 4);
		living.bits[rng_below(&rng, 4)] &= UINT64_MAX << 2;
		living.bits[0] |= 1;
		compare_sweep(&t, &living);
		compare_looks(&t);
	}
}

/* A lane is told from its neighbours exactly: each value beside zeros. */
Test(wide, every_value_of_a_lane)
{
	static struct twins t;
	uint32_t ix[4];
	for (uint32_t value = 0; value < 0xffff; value++) {
		for (uint32_t lane = 0; lane < 4; lane++) {
			uint32_t frees = value == 0 ? 4 : 3;
			memset(t.wide, 0, sizeof(t.wide));
			t.wide[lane] = (uint16_t)value;
			cr_assert_eq(tags_count_free(t.wide, 4), frees);
			cr_assert_eq(tags_claim_own(t.wide, 4, 0, 9, 4, ix),
			             frees);
			cr_assert_eq(t.wide[lane], value ? value : 9);
			memset(t.wide, 0xff, 8);
			t.wide[lane] = (uint16_t)value;
			cr_assert_eq(tags_any_free(t.wide, 4), value == 0);
		}
	}
}

/* ---- single tags -------------------------------------------------------- */

Test(tags, init_rounds_up_with_none)
{
	for (uint32_t n = 1; n <= 130; n++) {
		uint16_t tags[6 * TAGS_PER_LINE];
		uint32_t lines = (n + TAGS_PER_LINE - 1) / TAGS_PER_LINE;
		memset(tags, 0x55, sizeof(tags));
		tags_init_srv(tags, n, lines);
		for (uint32_t i = 0; i < 6 * TAGS_PER_LINE; i++)
			cr_assert_eq(tags[i], i < n ? TAG_FREE
			             : i < lines * TAGS_PER_LINE ? TAG_NONE
			                                         : 0x5555);
		cr_assert_eq(tags_count_free(tags, n), n);
	}
}

Test(tags, free_and_give_are_for_the_owner)
{
	uint16_t tag = 7;
	uint16_t gen = 0xfffe;
	cr_expect_not(tags_free_own(&tag, 8));
	cr_expect_not(tags_free_known_own(&tag, &gen, 7), "nobody knows it");
	cr_expect_not(tags_give_own(&tag, &gen, 8, 9));
	cr_expect_eq(tag, 7);
	cr_expect(tags_give_own(&tag, &gen, 7, 8));
	cr_expect_eq(tag, 8 | TAG_KNOWN);
	cr_expect_eq(gen, 0xffff);
	cr_expect_not(tags_free_own(&tag, 7));
	cr_expect_not(tags_free_own(&tag, 8));
	cr_expect_not(tags_free_known_own(&tag, &gen, 8), "not taken yet");
	cr_expect_not(tags_give_own(&tag, &gen, 8, 9), "nor given on");
	cr_expect(tags_take_own(&tag, &gen, 8, 0x7fff));
	cr_expect_not(tags_free_own(&tag, 8));
	cr_expect(tags_free_known_own(&tag, &gen, 8));
	cr_expect_eq(tag, TAG_FREE);
	cr_expect_eq(gen, 0, "the next generation, of all the first");
	cr_expect_not(tags_free_known_own(&tag, &gen, 8), "freed twice");
	cr_expect_not(tags_give_own(&tag, &gen, 8, 9), "given after the free");
	tag = 8;
	cr_expect(tags_free_own(&tag, 8));
	cr_expect_eq(tag, TAG_FREE);
	cr_expect_eq(gen, 0, "what nobody knows keeps it");
	tag = TAG_NONE;
	cr_expect_not(tags_free_own(&tag, 8));
	cr_expect_not(tags_free_known_own(&tag, &gen, 8));
	cr_expect_eq(tag, TAG_NONE);
}

Test(tags, handles_make_objects_known)
{
	uint16_t tag = 7;
	uint16_t gen = 4;
	cr_expect_eq(tags_know_any(&tag, &gen), 4);
	cr_expect_eq(tag, 7 | TAG_KNOWN);
	cr_expect(tags_has_own(&tag, &gen, 7));
	cr_expect_eq(tags_know_any(&tag, &gen), 4);
	cr_expect_eq(tag, 7 | TAG_KNOWN);
	cr_expect_not(tags_take_own(&tag, &gen, 7, 2), "it is no gift");
	cr_expect(tags_free_known_own(&tag, &gen, 7));
	cr_expect_eq(gen, 6);
	cr_expect_eq(tags_know_any(&tag, &gen), 6);
	cr_expect_eq(tag, TAG_FREE, "what is nobody's stays so");
	tag = TAG_SRV;
	tags_know_any(&tag, &gen);
	cr_expect_eq(tag, TAG_SRV);
	tag = TAG_NONE;
	tags_know_any(&tag, &gen);
	cr_expect_eq(tag, TAG_NONE);
}

Test(tags, gifts_are_taken_once)
{
	uint16_t tag = 7;
	uint16_t gen = 10;
	cr_expect_not(tags_take_own(&tag, &gen, 7, 5), "never given");
	cr_assert(tags_give_own(&tag, &gen, 7, 8));
	cr_expect_not(tags_take_own(&tag, &gen, 7, 5), "another's");
	cr_expect_not(tags_take_own(&tag, &gen, 8, 4), "the one before it");
	cr_expect_not(tags_has_own(&tag, &gen, 8));
	cr_expect(tags_take_own(&tag, &gen, 8, 5));
	cr_expect_not(tags_take_own(&tag, &gen, 8, 5), "taken twice");
	cr_expect(tags_has_own(&tag, &gen, 8));
	/* The same object, given again. */
	cr_assert(tags_give_own(&tag, &gen, 8, 8));
	cr_expect(tags_take_own(&tag, &gen, 8, 5));
	cr_expect_not(tags_take_own(&tag, &gen, 8, 5));
	cr_assert(tags_free_known_own(&tag, &gen, 8));
	tag = 9; /* claimed */
	cr_assert(tags_give_own(&tag, &gen, 9, 8));
	cr_expect_not(tags_take_own(&tag, &gen, 8, 5), "a successor");
	cr_expect_eq(tag, 8 | TAG_KNOWN);
	cr_expect(tags_take_own(&tag, &gen, 8, 6));
}

Test(tags, only_gifts_come_back)
{
	uint16_t tag = 7;
	uint16_t gen = 0;
	cr_expect_not(tags_ungive_own(&tag, &gen, 7, 8));
	cr_assert(tags_give_own(&tag, &gen, 7, 8));
	cr_expect_not(tags_ungive_own(&tag, &gen, 7, 9));
	cr_expect(tags_ungive_own(&tag, &gen, 7, 8));
	cr_expect_eq(tag, 7 | TAG_KNOWN, "whoever has its handle has it still");
	cr_expect_eq(gen, 0);
	cr_expect(tags_has_own(&tag, &gen, 7));
	cr_expect(tags_free_known_own(&tag, &gen, 7));
	cr_expect_eq(gen, 2);
}

/* What a sweep frees is another object afterwards, and no other's generation
 * changes. */
Test(tags, a_sweep_begins_new_generations)
{
	static struct tags_living living;
	static uint32_t by_id[65536];
	_Alignas(8) uint16_t tags[] = {1, 2 | TAG_KNOWN, 2, TAG_SRV,
	                               0, 3 | TAG_KNOWN, 3, TAG_NONE};
	_Alignas(8) uint16_t gens[] = {10, 11, 12, 0xfffe, 14, 15, 16, 17};
	static const uint16_t is[] = {10, 12, 14, 0, 14, 15, 16, 17};
	swept_living_but(&living, 2);
	cr_expect_eq(tags_sweep_srv(tags, gens, 7, &living, by_id), 3);
	cr_expect_eq(by_id[2], 2);
	for (uint32_t i = 0; i < 8; i++)
		cr_expect_eq(gens[i], is[i], "%u", i);
	cr_expect_eq(tags[1] | tags[2] | tags[3], TAG_FREE);
	cr_expect_eq(tags[5], 3 | TAG_KNOWN);
}

Test(tags, carves_begin_far_apart)
{
	uint16_t gens[3] = {0, 0, 1};
	uint32_t near = 0;
	uint16_t first;
	tags_start_srv(gens, 2, 1);
	first = gens[0];
	cr_expect_eq(gens[1], first);
	cr_expect_eq(gens[2], 1);
	cr_expect_eq(first & GEN_WAITING, 0);
	for (uint32_t carve = 2; carve < 80; carve++) {
		uint32_t apart;
		tags_start_srv(gens, 1, carve);
		apart = (GEN_OBJECT(gens[0]) - GEN_OBJECT(first)) & 0x7fff;
		near += apart < 100 || apart > 0x7fff - 100;
	}
	cr_expect_eq(near, 0);
}

Test(tags, tally)
{
	static struct tags_tally tally;
	const uint16_t known = 1 | TAG_KNOWN;
	const uint16_t tags[] = {0, 0, 1, 1, known, 0, 2, known, 0x7fff};
	const uint16_t gens[] = {1, 0, 1, 0, 6, 0, 1, 9, 1};
	tags_tally_srv(tags, gens, 9, 48, &tally);
	tags_tally_srv(tags, gens, 2, 16, &tally);
	cr_expect_eq(tally.objects[0], 5);
	cr_expect_eq(tally.bytes[0], 3 * 48 + 2 * 16);
	cr_expect_eq(tally.objects[1], 4);
	cr_expect_eq(tally.bytes[1], 4 * 48);
	cr_expect_eq(tally.objects[1 | TAG_KNOWN], 1);
	cr_expect_eq(tally.bytes[1 | TAG_KNOWN], 48);
	cr_expect_eq(tally.objects[2], 1);
	cr_expect_eq(tally.objects[0x7fff], 1);
	cr_expect_eq(tally.objects[3], 0);
}
