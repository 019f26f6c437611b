/* SPDX-License-Identifier: MIT */
/* The log tells once when slabs are lent and a node is emptied, and once when that is
 * over; where it goes to and fro, once a minute. */
#include "daemon/balance/tidings.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/own.h"
#include "daemon/balance/trim.h"
#include "daemon/base/log.h"
#include "daemon/base/log_file.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static int logged; /* a file in the place of standard error */
static uint32_t cache;

static void start(void)
{
	int made;
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 16);
	test_clock_set(1000 * CLOCK_S);
	made = pool_fixture_cache(&fixture, "orders", 64, 8, 0);
	cr_assert_gt(made, 0);
	cache = (uint32_t)made;
	logged = memfd_create("log", 0);
	cr_assert_eq(dup2(logged, STDERR_FILENO), STDERR_FILENO);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_PLAIN);
}

static void finish(void)
{
	close(logged);
	pool_fixture_stop(&fixture);
}

TestSuite(tidings, .init = start, .fini = finish);

/* How many lines of the log have a text after a look. */
static unsigned lines_with(const char *text)
{
	static char log[65536];
	unsigned lines = 0;
	ssize_t n;
	tidings_settle(pool, false);
	log_file_drain(10000);
	n = pread(logged, log, sizeof(log) - 1, 0);
	cr_assert_geq(n, 0);
	log[n] = '\0';
	for (char *at = log; *text && (at = strstr(at, text)) != NULL; at++)
		lines++;
	return lines;
}

/* As if the balance, or somebody by hand, had lent slabs; and returned all. */
static void lend(enum balance_cause cause)
{
	struct balance_event event = {
		.cause = cause,
		.step = {.kind = PLAN_LEND,
	                 .reason = PLAN_SHORT,
	                 .cache_ix = cache - 1,
	                 .from = 1,
	                 .to = 0},
		.done = 1};
	history_note(&pool->balance->history, &event);
	pool->loans.n = 1;
}

static void give_back(void)
{
	pool->loans.n = 0;
}

Test(tidings, lends_begin_and_end)
{
	cr_expect_eq(lines_with("lent"), 0);
	lend(BALANCE_SHORT);
	cr_expect_eq(lines_with("node 0 is lent slabs of node 1 for cache orders"),
	             1);
	cr_expect_eq(lines_with("slabctl log has each step"), 1);
	lend(BALANCE_SHORT);
	cr_expect_eq(lines_with("is lent slabs"), 1, "they are still");
	test_clock_advance(5 * CLOCK_S);
	give_back();
	cr_expect_eq(lines_with("no slab is lent any longer: each is back after "
	                        "5.0 s"), 1);
	cr_expect_eq(lines_with("any longer"), 1);
}

Test(tidings, to_and_fro_is_said_once_a_minute)
{
	for (int i = 0; i < 10; i++) {
		lend(BALANCE_TIMER);
		lines_with("");
		test_clock_advance(CLOCK_S);
		give_back();
		lines_with("");
	}
	cr_expect_eq(lines_with("is lent slabs"), 1);
	cr_expect_eq(lines_with("no slab is lent"), 1);
	test_clock_advance(60 * CLOCK_S);
	lend(BALANCE_TIMER);
	cr_expect_eq(lines_with("(9 times more since the last)"), 1);
	give_back();
}

Test(tidings, what_is_done_by_hand_is_not_slabd_s)
{
	lend(BALANCE_HAND);
	cr_expect_eq(lines_with("lent"), 0);
	give_back();
	cr_expect_eq(lines_with("lent"), 0);
}

Test(tidings, a_node_is_emptied)
{
	pool_set_drain(pool, 1, true);
	cr_expect_eq(lines_with("node 1 is being emptied: 2 MiB"), 1);
	cr_expect_eq(lines_with("slabctl drain 1 --undo"), 1);
	test_clock_advance(3 * CLOCK_S);
	pool->pages.node[1].pages = 0;
	cr_expect_eq(lines_with("node 1 is empty after 3.0 s"), 1);
	cr_expect_eq(lines_with("node 1 is "), 2);
	pool->pages.node[1].pages = 1;
}

/* As if the balance had given pages back. */
static void shrink(enum plan_reason reason, uint32_t node, uint64_t pages)
{
	const struct balance_event event = {
		.cause = BALANCE_TIMER,
		.step = {.kind = PLAN_SHRINK, .reason = reason, .to = node},
		.done = pages};
	tidings_note(pool, &event);
}

Test(tidings, what_goes_back_is_one_line)
{
	cr_expect_eq(tidings_left_ns(pool), -1);
	shrink(PLAN_PRESSED, 0, 3);
	tidings_settle(pool, true);
	cr_expect_eq(tidings_left_ns(pool), 0);
	shrink(PLAN_PRESSED, 1, 1);
	shrink(PLAN_PRESSED, 0, 1);
	cr_expect_eq(lines_with("pool fixture: 8 MiB of node 0, 2 MiB of node 1 "
	                        "went back to the kernel: it is short of memory"),
	             1);
	cr_expect_eq(lines_with("went back"), 1);
	cr_expect_eq(tidings_left_ns(pool), -1);
}

/* A flood is one line a minute, with all of it. */
Test(tidings, what_goes_back_again_and_again_is_said_once_a_minute)
{
	for (int i = 0; i < 10; i++) {
		shrink(PLAN_IDLE, 1, 1);
		lines_with("");
		test_clock_advance(CLOCK_S);
	}
	cr_expect_eq(lines_with("2 MiB of node 1 went back to the kernel: nothing "
	                        "was in it for long"), 1);
	cr_expect_eq(tidings_left_ns(pool), 50 * CLOCK_S);
	shrink(PLAN_PRESSED, 0, 1);
	cr_expect_eq(tidings_left_ns(pool), 0, "another reason");
	cr_expect_eq(lines_with("2 MiB of node 0 went back"), 1);
	test_clock_advance(50 * CLOCK_S);
	cr_expect_eq(lines_with("18 MiB of node 1 went back"), 1);
	cr_expect_eq(lines_with("went back"), 3);
}

/* These have lines of their own. */
Test(tidings, what_is_given_back_by_hand_or_from_a_drained_node_is_not_said)
{
	shrink(PLAN_ASKED, 0, 1);
	shrink(PLAN_DRAINED, 1, 1);
	cr_expect_eq(lines_with("went back"), 0);
}

/* A line of the log has an end. */
Test(tidings_many, nodes_are_named_up_to_eight)
{
	uint64_t pages[10] = {0};
	char text[TRIM_NODES_TEXT];
	pool_fixture_start(&fixture, "node:10 core:1 pu:1", 2, 16);
	trim_name_nodes(text, sizeof(text), pool, pages);
	cr_expect_str_eq(text, "");
	for (unsigned i = 1; i < 9; i++)
		pages[i] = i;
	trim_name_nodes(text, sizeof(text), pool, pages);
	cr_expect_eq(strncmp(text, "2 MiB of node 1, 4 MiB of node 2, ", 34), 0);
	cr_expect(strstr(text, ", 16 MiB of node 8") && !strstr(text, "some"));
	pages[9] = 1;
	trim_name_nodes(text, sizeof(text), pool, pages);
	cr_expect(strstr(text, "16 MiB of node 8 and some of 1 other"), "%s",
	          text);
	cr_expect_lt(strlen(text), sizeof(text) - 1);
	pool_fixture_stop(&fixture);
}
