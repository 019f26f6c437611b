/* SPDX-License-Identifier: MIT */
#include "daemon/pool/past.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "shm/layout.h"

#define BEGAN (100 * CLOCK_S)

static const uint32_t ids[NODES_MAX] = {0, 2, 5, 7};
static struct past *past;
static int fd;
static bool kept;

static void reopen(uint32_t n_nodes)
{
	past_close(past);
	past = NULL;
	cr_assert_eq(past_open(&past, fd, n_nodes, ids, &kept), 0);
}

static void begin(void)
{
	fd = past_make("p");
	cr_assert_geq(fd, 0);
	reopen(4);
	cr_assert_not(kept);
}

static void end(void)
{
	past_close(past);
	close(fd);
}

TestSuite(past, .init = begin, .fini = end);

static unsigned count(unsigned ring, int64_t after_ns)
{
	const struct past_sample *s;
	unsigned n = 0;
	for (; (s = past_next(past, ring, after_ns)) != NULL; n++)
		after_ns = s->at_ns;
	return n;
}

static uint64_t newest(unsigned ring)
{
	const struct past_sample *s;
	const struct past_sample *last = NULL;
	int64_t after_ns = 0;
	for (; (s = past_next(past, ring, after_ns)) != NULL; last = s)
		after_ns = s->at_ns;
	return last != NULL ? last->clients : UINT64_MAX;
}

/* Four a second. */
static void sample_for(int64_t from_s, int64_t seconds)
{
	for (int64_t i = 0; i < seconds * 4; i++) {
		past_now(past)->clients = (uint32_t)(from_s * 4 + i);
		past_keep(past, BEGAN + from_s * CLOCK_S + i * CLOCK_S / 4);
	}
}

Test(past, rings_are_coarser_and_reach_further)
{
	cr_expect_null(past_next(past, 0, 0));
	sample_for(0, 200);
	cr_expect_eq(count(0, 0), 200);
	cr_expect_eq(count(1, 0), 20);
	cr_expect_eq(count(2, 0), 4);
	for (unsigned ring = 0; ring < PAST_RINGS; ring++)
		cr_expect_eq(newest(ring), 799, "each ends with the newest");
	sample_for(200, 20000);
	cr_expect_eq(count(0, 0), 300);
	cr_expect_eq(count(1, 0), 360);
	cr_expect_eq(count(2, 0), 337);
	cr_expect_eq(newest(2), 80799);
	cr_expect_eq(count(0, BEGAN + 20197 * CLOCK_S), 3);
}

Test(past, the_finest_that_reaches_back)
{
	cr_expect_eq(past_ring(past, CLOCK_S), 0);
	cr_expect_eq(past_ring(past, 300 * CLOCK_S), 0);
	cr_expect_eq(past_ring(past, 301 * CLOCK_S), 1);
	cr_expect_eq(past_ring(past, 3600 * CLOCK_S), 1);
	cr_expect_eq(past_ring(past, 3601 * CLOCK_S), 2);
	cr_expect_eq(past_ring(past, PAST_SPAN_MAX_S * CLOCK_S), 2);
}

Test(past, what_nobody_sampled_is_not_there)
{
	sample_for(0, 2);
	sample_for(50, 2);
	cr_expect_eq(count(0, 0), 4);
	cr_expect_eq(count(1, 0), 2);
}

Test(past, counts_only_grow)
{
	uint64_t *n = past_now(past)->count;
	past_add(past, PAST_RUNG, 7);
	past_add(past, PAST_RUNG, 9);
	cr_expect_eq(n[PAST_RUNG], 9);
	past_add(past, PAST_RUNG, 1);
	cr_expect_eq(n[PAST_RUNG], 9, "it began anew");
	past_add(past, PAST_RUNG, 3);
	cr_expect_eq(n[PAST_RUNG], 11);
}

Test(past, it_outlives_who_wrote_it)
{
	uint64_t *n;
	past_add(past, PAST_RUNG, 7);
	past_add(past, PAST_REFILLS, 7);
	past_now(past)->node[3].ready = 42;
	past_keep(past, BEGAN);
	reopen(4);
	cr_assert(kept);
	n = past_now(past)->count;
	past_add(past, PAST_RUNG, 2);
	past_add(past, PAST_REFILLS, 9);
	cr_expect_eq(n[PAST_RUNG], 9, "slabd counts from 0 again");
	cr_expect_eq(n[PAST_REFILLS], 9, "and clients go on");
	cr_expect_eq(past_next(past, 0, 0)->node[3].ready, 42);
	reopen(3);
	cr_expect_not(kept, "other nodes have another past");
	cr_expect_null(past_next(past, 0, 0));
}

/* All of it has room, and no sample lies in another. */
Test(past, of_many_nodes)
{
	reopen(NODES_MAX);
	cr_expect_not(kept);
	for (uint32_t i = 0; i < 60000; i++) {
		past_now(past)->clients = i;
		past_now(past)->node[NODES_MAX - 1].held = i;
		past_keep(past, BEGAN + i * CLOCK_S);
	}
	for (unsigned ring = 0; ring < PAST_RINGS; ring++) {
		const struct past_sample *s;
		int64_t after_ns = 0;
		cr_expect_gt(count(ring, 0), 60);
		cr_expect_eq(newest(ring), 59999);
		while ((s = past_next(past, ring, after_ns)) != NULL) {
			cr_assert_eq(s->node[NODES_MAX - 1].held, s->clients);
			after_ns = s->at_ns;
		}
	}
}

Test(past, a_file_of_another_size_is_none)
{
	struct past *none = NULL;
	int other = past_make("q");
	cr_assert_eq(close(other), 0);
	cr_expect_lt(past_open(&none, other, 4, ids, &kept), 0);
	cr_expect_lt(past_open(&none, fd, 0, ids, &kept), 0);
	cr_expect_lt(past_open(&none, fd, NODES_MAX + 1, ids, &kept), 0);
}

Test(past, a_log_stays_with_it)
{
	char *log = past_log(past);
	for (unsigned i = 0; i < PAST_LOG_BYTES; i++)
		cr_assert_eq(log[i], 0);
	memset(log, 7, PAST_LOG_BYTES);
	past_now(past)->clients = 3;
	past_keep(past, BEGAN);
	reopen(4);
	cr_assert(kept);
	cr_expect_eq(past_now(past)->clients, 3);
	log = past_log(past);
	cr_expect_eq(log[0], 7);
	cr_expect_eq(log[PAST_LOG_BYTES - 1], 7);
	reopen(3);
	cr_assert_not(kept);
	log = past_log(past);
	cr_expect_eq(log[0], 0);
	cr_expect_eq(log[PAST_LOG_BYTES - 1], 0);
}
