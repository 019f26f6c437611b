/* SPDX-License-Identifier: MIT */
/* A channel's ring: entries in their order, what slabd settles, and whatever a client
 * may write there. */
#include "shm/channel.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/atom.h"
#include "shm/channel_sleep.h"
#include "shm/tags_pass.h"
#include "tests/lib/image.h"
#include "tests/lib/rng.h"

#define SMALL 1u
#define CAPACITY 4u
#define SENDER 1u
#define RECEIVER 2u
#define OWNER 3u

static struct image image;
static struct channel ring;
static uint16_t *tags;

static void start(void)
{
	image_make(&image, 1, 64);
	image_cache(&image, 64, 8);
	image_client(&image, SENDER, CLIENT_LIVE);
	image_client(&image, RECEIVER, CLIENT_LIVE);
	image_client(&image, OWNER, CLIENT_CHANNEL);
	image_carve(&image, 8, SMALL, 0, 0);
	tags = slab_tags(&image.view, 8);
	channel_map(&ring, aligned_alloc(4096, CHANNEL_SLOTS_OFF + 4096),
	            CAPACITY, OWNER);
	memset(ring.head, 0, CHANNEL_SLOTS_OFF + 4096);
}

static void finish(void)
{
	free(ring.head);
	image_drop(&image);
}

TestSuite(channel, .init = start, .fini = finish);

/* Objects of the slab, from one on. */
static struct channel_run run_of(uint32_t ix, uint32_t n)
{
	uint64_t off = (uint64_t)((char *)image_object(&image, 8, ix) -
	                          image.data);
	return (struct channel_run){.off = off, .n = n};
}

static void own(uint32_t ix, uint32_t n, uint16_t id)
{
	for (uint32_t i = ix; i < ix + n; i++)
		atom_store(&tags[i], id);
}

/* Claims an entry, and has the first of its objects be the channel's. */
static uint32_t claim(uint32_t ix, uint32_t n, uint32_t passed, uint64_t *slot)
{
	struct channel_run run = run_of(ix, n);
	own(ix, n, SENDER);
	own(ix, passed, OWNER);
	return channel_claim_any(&ring, &run, SENDER, slot);
}

static void put(uint32_t ix, uint32_t n)
{
	uint64_t slot;
	uint32_t at = claim(ix, n, n, &slot);
	cr_assert_lt(at, CAPACITY);
	channel_publish_own(&ring, at, slot, n);
}

static uint32_t begin(uint64_t *slot)
{
	return channel_begin_any(&ring, RECEIVER, slot);
}

/* Begins the next entry and ends it; its first object, or -1. */
static int64_t get(struct channel_run *run)
{
	uint64_t slot;
	uint32_t at = begin(&slot);
	if (at == CHANNEL_NONE_IX)
		return -1;
	*run = channel_run_of(slot);
	channel_left_own(&ring, at, &slot, NULL);
	return (int64_t)((run->off - run_of(0, 1).off) / 64);
}

Test(channel, is_in_order_over_many_laps)
{
	struct channel_run run;
	for (uint32_t i = 0; i < 40; i++) {
		for (uint32_t k = 0; k < 3; k++)
			put(i % 10 * 4 + k, 1 + k % 2);
		for (uint32_t k = 0; k < 3; k++) {
			cr_assert_eq(get(&run), i % 10 * 4 + k);
			cr_assert_eq(run.n, 1 + k % 2);
			cr_assert_not(run.again);
		}
		cr_assert_eq(get(&run), -1);
	}
}

Test(channel, is_full_and_has_room_again)
{
	struct channel_run run = run_of(20, 1);
	uint64_t objects;
	uint64_t slot;
	for (uint32_t i = 0; i < CAPACITY; i++)
		put(i, 1);
	cr_expect_eq(channel_ready_any(&ring), CHANNEL_WAIT_RECV);
	cr_expect_eq(channel_claim_any(&ring, &run, SENDER, &slot),
	             CHANNEL_NONE_IX);
	cr_expect_eq(channel_depth_any(&ring, &objects), CAPACITY);
	cr_expect_eq(objects, CAPACITY);
	cr_expect_eq(get(&run), 0);
	cr_expect_eq(channel_ready_any(&ring),
	             CHANNEL_WAIT_RECV | CHANNEL_WAIT_SEND);
	put(20, 1);
	for (uint32_t i = 1; i < CAPACITY; i++)
		cr_expect_eq(get(&run), i);
	cr_expect_eq(get(&run), 20);
	cr_expect_eq(channel_ready_any(&ring), CHANNEL_WAIT_SEND);
}

Test(channel, what_is_not_ready_is_passed_over)
{
	struct channel_run run;
	uint64_t first;
	uint32_t at = claim(0, 1, 1, &first);
	put(1, 1);
	cr_expect_eq(get(&run), 1);
	cr_expect_eq(get(&run), -1);
	channel_publish_own(&ring, at, first, 1);
	cr_expect_eq(get(&run), 0);
}

Test(channel, nothing_of_an_entry_was_sent)
{
	struct channel_run run;
	uint64_t slot;
	uint32_t at = claim(0, 2, 0, &slot);
	channel_publish_own(&ring, at, slot, 0);
	cr_expect_eq(get(&run), -1);
	put(5, 1);
	cr_expect_eq(get(&run), 5);
}

Test(channel, what_is_put_back_comes_again)
{
	struct channel_run run;
	uint64_t slot;
	uint32_t at;
	put(0, 3);
	put(5, 1);
	at = begin(&slot);
	run = channel_run_of(slot);
	run.again = true;
	channel_put_back_own(&ring, at, slot, &run);
	cr_expect_eq(get(&run), 0);
	cr_expect(run.again);
	cr_expect_eq(get(&run), 5);
	cr_expect_not(run.again);
}

/* ---- deaths --------------------------------------------------------------- */

Test(channel, of_a_dead_sender_the_first_part_is_sent)
{
	for (uint32_t passed = 0; passed <= 3; passed++) {
		struct channel_run run;
		uint64_t slot;
		claim(passed * 8, 3, passed, &slot);
		cr_expect_eq(channel_settle_srv(&image.view, &ring, SENDER), 1);
		cr_expect_eq(get(&run), passed > 0 ? (int64_t)passed * 8 : -1);
		if (passed > 0)
			cr_expect_eq(run.n, passed);
	}
}

Test(channel, of_a_dead_receiver_the_rest_comes_again)
{
	for (uint32_t taken = 0; taken <= 3; taken++) {
		struct channel_run run;
		uint64_t slot;
		put(taken * 8, 3);
		cr_assert_lt(begin(&slot), CAPACITY);
		own(taken * 8, taken, RECEIVER);
		cr_expect_eq(channel_settle_srv(&image.view, &ring, RECEIVER),
		             1);
		cr_expect_eq(get(&run), taken < 3 ? (int64_t)taken * 9 : -1);
		if (taken < 3)
			cr_expect(run.again && run.n == 3 - taken);
	}
}

Test(channel, of_the_living_nothing_is_settled)
{
	struct channel_run run;
	uint64_t slot;
	put(0, 3);
	cr_assert_lt(begin(&slot), CAPACITY);
	cr_expect_eq(channel_settle_srv(&image.view, &ring, SENDER), 0);
	cr_expect_eq(channel_settle_srv(&image.view, &ring, 0), 0);
	cr_expect_eq(get(&run), -1);
	image_client(&image, RECEIVER, CLIENT_DEAD);
	cr_expect_eq(channel_settle_srv(&image.view, &ring, 0), 1);
	cr_expect_eq(get(&run), 0);
}

Test(channel, who_ended_is_told)
{
	channel_ended_srv(&ring, RECEIVER);
	cr_expect_eq(ring.head->ends, 1);
	cr_expect_eq(ring.head->ended[0], RECEIVER);
}

Test(channel, who_waits_is_woken_once)
{
	cr_expect_not(channel_changed_any(&ring, CHANNEL_WAIT_RECV));
	atom_store(&ring.head->wake, CHANNEL_WAIT_RECV);
	cr_expect_not(channel_changed_any(&ring, CHANNEL_WAIT_SEND));
	cr_expect(channel_changed_any(&ring, CHANNEL_WAIT_RECV));
	cr_expect_not(channel_changed_any(&ring, CHANNEL_WAIT_RECV));
}

/* ---- a ring made anew ----------------------------------------------------- */

Test(channel, is_filled_by_what_it_owns_but_for_parts_of_arenas)
{
	struct channel_run run;
	uint64_t left;
	own(0, 3, OWNER);
	own(3, 1, SENDER);
	own(4, 3, OWNER | TAG_KNOWN);
	atom_store(slab_gen_of(&image.view, &tags[5]), (uint16_t)GEN_WAITING);
	view_touch_any(&image.view, OWNER, 8);
	cr_expect_eq(channel_fill_srv(&image.view, &ring, &left), 5);
	cr_expect_eq(left, 0);
	cr_expect_eq(get(&run), 0);
	cr_expect(run.n == 3 && run.again);
	cr_expect_eq(get(&run), 4);
	cr_expect_eq(run.n, 1);
	cr_expect_eq(get(&run), 6);
	cr_expect_eq(run.n, 1);
	cr_expect_eq(get(&run), -1);
}

/* ---- whatever a client writes there ---------------------------------------- */

/* All that is called of a ring ends, and says of no slot that there is none. */
static void use(void)
{
	struct channel_run run = run_of(0, 2);
	struct channel_place place;
	uint64_t objects;
	uint64_t slot;
	uint32_t at = channel_claim_any(&ring, &run, SENDER, &slot);
	cr_assert(at < CAPACITY || at == CHANNEL_NONE_IX);
	if (at != CHANNEL_NONE_IX)
		channel_publish_own(&ring, at, slot, 2);
	at = begin(&slot);
	cr_assert(at < CAPACITY || at == CHANNEL_NONE_IX);
	if (at != CHANNEL_NONE_IX) {
		run = channel_run_of(slot);
		cr_assert(run.n > 0 && run.n <= CHANNEL_RUN_MAX);
		if (channel_locate(&image.view, &run, &place))
			cr_assert(place.head == 8 && place.tag >= tags);
		channel_put_back_own(&ring, at, slot, &run);
	}
	channel_ready_any(&ring);
	channel_changed_any(&ring, CHANNEL_WAIT_RECV);
	cr_assert_leq(channel_depth_any(&ring, &objects), CAPACITY);
	channel_settle_srv(&image.view, &ring, SENDER);
	channel_settle_srv(&image.view, &ring, 0);
	channel_ended_srv(&ring, SENDER);
}

Test(channel, has_room_for_so_many_sleepers)
{
	struct channel_sleeper who = {SENDER, CHANNEL_WAIT_SEND, 1234567890123};
	struct channel_sleeper seen;
	uint32_t at = channel_sleep_begin_any(&ring, &who);
	seen = channel_sleep_of(&ring, at);
	cr_expect(seen.id == SENDER && seen.waits == CHANNEL_WAIT_SEND &&
	          seen.since_ms == 1234567890123);
	who.id = RECEIVER;
	for (uint32_t i = 1; i < CHANNEL_SLEEPERS; i++)
		cr_expect_lt(channel_sleep_begin_any(&ring, &who),
		             CHANNEL_SLEEPERS);
	cr_expect_eq(channel_sleep_begin_any(&ring, &who), CHANNEL_SLEEP_NONE);
	channel_sleep_end_own(&ring, CHANNEL_SLEEP_NONE);
	channel_sleep_forget_srv(&ring, RECEIVER);
	for (uint32_t i = 0; i < CHANNEL_SLEEPERS; i++)
		cr_expect_eq(channel_sleep_of(&ring, i).id,
		             i == at ? (uint32_t)SENDER : 0u);
	channel_sleep_end_own(&ring, at);
	cr_expect_eq(channel_sleep_of(&ring, at).id, 0);
}

/* The words that are shared, and what is neither at their ends nor between. */
static uint64_t hostile(struct rng *rng)
{
	static const uint64_t words[] = {
		0, 1, 2, 3, UINT64_MAX, UINT64_MAX - 1, INT64_MAX,
		UINT64_C(1) << 63, UINT64_C(0xffffffff), 0xffff, 0x7fff,
		CAPACITY - 1, CAPACITY, CAPACITY + 1,
		UINT64_C(0xffff000000000000), UINT64_C(0xffffffffffff0000)};
	uint64_t word = words[rng_below(rng, sizeof(words) / sizeof(*words))];
	return rng_below(rng, 3) == 0 ? rng_next(rng) : word;
}

Test(channel, stands_any_word_anywhere)
{
	struct rng rng = rng_start("test_channel");
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t field = rng_below(&rng, 6 + CAPACITY);
		uint64_t word = hostile(&rng);
		if (field == 0)
			ring.head->tail = word;
		else if (field == 1)
			ring.head->next = word;
		else if (field == 2)
			ring.head->wake = (uint32_t)word;
		else if (field == 3)
			ring.head->ends = (uint32_t)word;
		else if (field == 4)
			ring.head->sent = ring.head->received = word;
		else if (field == 5)
			ring.head->owner = ring.head->epoch = (uint32_t)word;
		else
			ring.slots[field - 6] = word;
		use();
	}
}

/* A slot whose run is not there, of each kind. */
Test(channel, locates_no_run_that_is_not_there)
{
	uint32_t n_objs = image_row(&image, SMALL)->n_objs;
	struct channel_place place;
	struct channel_run run = run_of(0, 1);
	cr_expect(channel_locate(&image.view, &run, &place));
	run.off += 8;
	cr_expect_not(channel_locate(&image.view, &run, &place));
	run.off = run_of(0, 1).off + 64 * (uint64_t)n_objs;
	cr_expect_not(channel_locate(&image.view, &run, &place));
	run.off = UINT64_MAX >> 26 << 3;
	cr_expect_not(channel_locate(&image.view, &run, &place));
	run = run_of(n_objs - 2, 3);
	cr_expect_not(channel_locate(&image.view, &run, &place));
	run = run_of(1, 3);
	run.down = true;
	cr_expect_not(channel_locate(&image.view, &run, &place));
	run.n = 2;
	cr_expect(channel_locate(&image.view, &run, &place));
}
