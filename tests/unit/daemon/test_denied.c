/* SPDX-License-Identifier: MIT */
/* Where clients are refused memory, the mark that they read, the plan, slabctl
 * nodes and the log give the same reason; and the log has one line as that
 * begins and one as it ends. */
#include "daemon/balance/denied.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/log_file.h"
#include "daemon/pool/marks.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static int logged; /* a file in the place of standard error */

static void start_with(uint64_t max_mib)
{
	struct config_balance alone;
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, max_mib);
	alone = *balance_config(pool);
	alone.enabled = false;
	balance_configure(pool, &alone);
	test_clock_set(1000 * CLOCK_S);
	logged = memfd_create("log", 0);
	cr_assert_eq(dup2(logged, STDERR_FILENO), STDERR_FILENO);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_PLAIN);
}

static void start(void)
{
	start_with(2);
}

static void start_larger(void)
{
	start_with(16);
}

static void finish(void)
{
	close(logged);
	pool_fixture_stop(&fixture);
}

TestSuite(denied, .init = start, .fini = finish);

static uint32_t cache_of(const char *name, uint64_t size)
{
	int cache = pool_fixture_cache(&fixture, name, size, 8, 0);
	cr_assert_gt(cache, 0);
	return (uint32_t)cache;
}

/* How many lines of the log have a text. */
static unsigned lines_with(const char *text)
{
	static char log[65536];
	unsigned lines = 0;
	ssize_t n;
	/* A thread writes it. */
	log_file_drain(10000);
	n = pread(logged, log, sizeof(log) - 1, 0);
	cr_assert_geq(n, 0);
	log[n] = '\0';
	for (char *at = log; (at = strstr(at, text)) != NULL; at++)
		lines++;
	return lines;
}

static void be_denied(uint32_t cache, uint32_t node)
{
	pool_fixture_want(&fixture, cache, node);
	cr_assert_eq(pool_fixture_serve(&fixture), WANTS_DENIED);
}

static bool plan_says(enum plan_reason reason, uint32_t cache, uint32_t node)
{
	const struct plan *plan = balance_plan(pool);
	for (uint32_t i = 0; i < plan->n_refusals; i++)
		if (plan->refusals[i].kind == PLAN_CARVE &&
		    plan->refusals[i].reason == reason &&
		    plan->refusals[i].cache_ix == cache - 1 &&
		    plan->refusals[i].node == node)
			return true;
	return false;
}

Test(denied, all_say_the_same)
{
	uint32_t a = cache_of("a", 64);
	uint32_t denied;
	pool_fixture_use_up(&fixture, a, 0);
	cr_expect_eq(denied_why(pool, a, 0), PLAN_NO_REASON);
	be_denied(a, 0);
	denied = pool_mark(pool, a, 0)->denied;
	cr_expect(denied & MARK_DENIED);
	cr_expect_eq(MARK_WHY(denied), MARK_WHY_AT_LIMIT);
	cr_expect_eq(denied_why(pool, a, 0), PLAN_AT_LIMIT);
	cr_expect(plan_says(PLAN_AT_LIMIT, a, 0));
	cr_expect_eq(denied_why(pool, a, 1), PLAN_NO_REASON);
	cr_expect_eq(lines_with("nothing is left on node 0 for cache a, and "
	                        "clients are refused memory: the pool may "
	                        "have no more pages here; to repair it: raise "
	                        "the pool's max in slabd.conf"),
	             1);
	/* The marks go sooner than what is shown. */
	marks_clear_denied(pool);
	test_clock_advance(CLOCK_S - 1);
	cr_expect(plan_says(PLAN_AT_LIMIT, a, 0));
	test_clock_advance(1);
	cr_expect_not(plan_says(PLAN_AT_LIMIT, a, 0));
	cr_expect_eq(denied_why(pool, a, 0), PLAN_NO_REASON);
}

Test(denied, a_node_that_is_drained)
{
	uint32_t a = cache_of("a", 64);
	pool_set_drain(pool, 1, true);
	be_denied(a, 1);
	cr_expect_eq(MARK_WHY(pool_mark(pool, a, 1)->denied),
	             MARK_WHY_DRAINED);
	cr_expect(plan_says(PLAN_DRAINED, a, 1));
}

/* Takes all that is ready, or can be made so. */
static uint64_t ready_after(uint32_t cache, uint32_t node)
{
	for (int i = 0; i < 1000; i++) {
		pool_fixture_claim_all(&fixture, 1, cache, node);
		pool_fixture_want(&fixture, cache, node);
		if (pool_fixture_serve(&fixture) == WANTS_DENIED)
			break;
		while (ahead_work(pool))
			;
	}
	return pool->pages.node[node].pages;
}

/* Under full pressure no page is taken, whoever asks, and none comes and goes;
 * what is ready serves as before, and when the pressure ends, so does that. */
TestSuite(pressed, .init = start_larger, .fini = finish);

Test(pressed, full_pressure_stops_growth)
{
	uint32_t a = cache_of("a", 64);
	uint64_t pages = pool->pages.node[0].pages;
	uint64_t grown = pool->counts.grown_slabs;
	bool trim;
	cr_assert_lt(pages, pages_max(&pool->pages, 0));
	balance_press(pool, PLAN_NONE, PLAN_FULL);
	cr_expect_eq(ready_after(a, 0), pages);
	cr_expect_gt(pool->counts.grown_slabs, grown, "of what is ready");
	cr_expect_eq(MARK_WHY(pool_mark(pool, a, 0)->denied),
	             MARK_WHY_PRESSED);
	cr_expect(plan_says(PLAN_PRESSED, a, 0));
	cr_expect_eq(lines_with("the kernel is short of memory here; to repair "
	                        "it: free memory on the node"),
	             1);
	for (int i = 0; i < 20; i++) {
		test_clock_advance(CLOCK_S / 20);
		balance_tick(pool, BALANCE_PRESSURE, &trim);
		cr_expect_eq(ready_after(a, 0), pages);
	}
	balance_press(pool, PLAN_NONE, PLAN_CALM);
	marks_clear_denied(pool);
	cr_expect_eq(ready_after(a, 0), pages_max(&pool->pages, 0));
	cr_expect_eq(MARK_WHY(pool_mark(pool, a, 0)->denied),
	             MARK_WHY_AT_LIMIT);
}

/* A machine with so many free hugepages; the fixture's files stand for its. */
static void free_hugepages(unsigned n)
{
	char command[160];
	setenv("POOL", "kernel/mm/hugepages/hugepages-2048kB", 1);
	setenv("SYSFS", pool->backing.sysfs, 1);
	snprintf(command, sizeof(command),
	         "mkdir -p $SYSFS/$POOL && cd $SYSFS/$POOL && "
	         "echo %u | tee nr_hugepages >free_hugepages && "
	         "echo 0 | tee surplus_hugepages resv_hugepages "
	         ">nr_overcommit_hugepages", n);
	cr_assert_eq(system(command), 0);
}

/* Hugepages that are set aside already go on being taken, one by one, and none is
 * reserved for it. */
Test(pressed, full_pressure_leaves_free_hugepages_to_growth)
{
	uint32_t a = cache_of("a", 64);
	uint64_t pages = pool->pages.node[0].pages;
	strcpy(pool->backing.sysfs, "/tmp/slabd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(pool->backing.sysfs));
	pool->backing.node[0].kind = BACKING_2M;
	pool->backing.may_reserve = true;
	balance_press(pool, PLAN_NONE, PLAN_FULL);
	free_hugepages(0);
	cr_expect_eq(ready_after(a, 0), pages);
	cr_expect_eq(MARK_WHY(pool_mark(pool, a, 0)->denied),
	             MARK_WHY_PRESSED);
	marks_clear_denied(pool);
	free_hugepages(1);
	cr_expect_eq(ready_after(a, 0), pages_max(&pool->pages, 0));
	cr_expect_eq(MARK_WHY(pool_mark(pool, a, 0)->denied),
	             MARK_WHY_AT_LIMIT);
	cr_expect_eq(system("cd $SYSFS/$POOL && grep -q 1 nr_hugepages"), 0,
	             "none was added");
	cr_expect_eq(pool->backing.node[0].lack, BACKING_LACK_NONE);
	cr_expect_eq(lines_with("does not grow"), 0);
	cr_expect(pool->backing.may_reserve);
	pool->backing.node[0].kind = BACKING_4K;
	cr_expect_eq(system("rm -r $SYSFS"), 0);
}

Test(denied, a_new_reason_takes_the_place_of_the_old)
{
	uint32_t a = cache_of("a", 64);
	pool_fixture_use_up(&fixture, a, 0);
	be_denied(a, 0);
	pool_set_drain(pool, 0, true);
	be_denied(a, 0);
	cr_expect_eq(MARK_WHY(pool_mark(pool, a, 0)->denied),
	             MARK_WHY_DRAINED);
}

/* However often, by however many caches. */
Test(denied, one_line_at_each_end)
{
	uint32_t a = cache_of("a", 64);
	uint32_t b = cache_of("b", 64);
	pool_fixture_use_up(&fixture, a, 0);
	for (int i = 0; i < 40; i++) {
		be_denied(i % 2 ? a : b, 0);
		marks_clear_denied(pool);
		cr_expect(denied_settle(pool));
		test_clock_advance(50 * CLOCK_MS);
	}
	cr_expect_eq(lines_with("clients are refused memory"), 1);
	test_clock_advance(940 * CLOCK_MS);
	cr_expect(denied_settle(pool));
	cr_expect_eq(lines_with("not refused memory"), 0);
	test_clock_advance(10 * CLOCK_MS);
	cr_expect_not(denied_settle(pool));
	cr_expect_not(denied_settle(pool));
	cr_expect_eq(lines_with("clients are not refused memory of node 0 any "
	                        "longer; they were 40 times within 1.9 s"),
	             1);
	be_denied(a, 0);
	cr_expect_eq(lines_with("clients are refused memory"), 2);
}

Test(denied, what_came_is_denied_no_longer)
{
	uint32_t a = cache_of("a", 64);
	pool_fixture_use_up(&fixture, a, 0);
	be_denied(a, 0);
	pool_fixture_free_all(&fixture);
	denied_clear(pool, a, 0);
	cr_expect_eq(denied_why(pool, a, 0), PLAN_NO_REASON);
	cr_expect_not(plan_says(PLAN_AT_LIMIT, a, 0));
}
