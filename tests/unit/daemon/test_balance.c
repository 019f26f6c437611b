/* SPDX-License-Identifier: MIT */
/* The balance on a real pool of simulated nodes: what is planned happens, is
 * noted, and leaves exact accounts. */
#include "daemon/balance/balance.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/balance/hand.h"
#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/slabs.h"
#include "shm/lease.h"
#include "shm/partial.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static struct config_balance config;
static struct remedy why;
static uint64_t done;

/* Of each node 2 MiB to begin with. */
static void start(const char *nodes, uint64_t max_mib)
{
	pool_fixture_start(&fixture, nodes, 2, max_mib);
	config = *balance_config(pool);
	config.hold_ms = 10;
	config.hold_max_ms = 10;
	config.lend_keep = 1;
	balance_configure(pool, &config);
	pool_client(pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
}

/* The books of slabs are what the unit words say. */
static void check_counts(uint32_t cache, uint32_t node)
{
	uint32_t at_home = 0;
	uint32_t listed = 0;
	for (uint32_t other = 0; other < pool->view.geo.n_nodes; other++) {
		at_home += pool_fixture_standing(&fixture, cache, node, other);
		listed += pool_fixture_standing(&fixture, cache, other, node);
	}
	cr_expect_eq(*pool_slabs(pool, cache, node), at_home);
	cr_expect_eq(pool_standing(pool, cache, node), listed);
}

static void finish(void)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t i = 0; i < pool->view.geo.n_nodes; i++)
			check_counts(cache, i);
	pool_fixture_agrees(&fixture);
	pool_fixture_stop(&fixture);
}

TestSuite(balance, .fini = finish, .timeout = 300);

/* What happened so far, for who reads a failure. */
static void show_log(void)
{
	const struct balance_event *e;
	for (uint32_t i = 0; (e = balance_event(pool, i)) != NULL; i++)
		fprintf(stderr,
		        "%llu %s%s %s: cache %u, %d -> %d, %u; did %llu, "
		        "%d %s\n",
		        (unsigned long long)e->seq, e->refused ? "no " : "",
		        plan_kind_name(e->step.kind),
		        plan_reason_name(e->step.reason), e->step.cache_ix,
		        (int)e->step.from, (int)e->step.to, e->step.n,
		        (unsigned long long)e->done, e->error, e->text);
}

static uint32_t cache_of(const char *name, uint64_t size, uint32_t flags)
{
	int cache = pool_fixture_cache(&fixture, name, size, 8, flags);
	cr_assert_gt(cache, 0);
	return (uint32_t)cache;
}

/* Until nothing is due at once. What the last one said. */
static int settle(void)
{
	bool trim;
	int64_t ns = 0;
	for (int i = 0; i < 1000 && ns >= 0; i++) {
		ns = balance_tick(pool, BALANCE_TIMER, &trim);
		if (ns > 10 * CLOCK_MS)
			break;
	}
	return ns < 0 ? -1 : (int)(ns / CLOCK_MS);
}

static const struct balance_event *last(enum plan_kind kind, bool refused)
{
	const struct balance_event *event;
	for (uint32_t i = 0; (event = balance_event(pool, i)) != NULL; i++)
		if (event->step.kind == kind && event->refused == refused)
			return event;
	show_log();
	cr_assert_fail("no such event");
	return NULL;
}

/* ---- lend and return ---------------------------------------------------- */

Test(balance, lends_where_a_node_is_full)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	/* The whole of both nodes but for a page, which a lender keeps. */
	cr_expect_eq(pool_fixture_use_up(&fixture, a, 1), (128 + 96) * 1024);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 96);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), pool->loans.n);
	cr_expect_eq(last(PLAN_LEND, false)->step.reason, PLAN_SHORT);
	cr_expect_eq(last(PLAN_LEND, false)->step.from, 0);
	cr_expect_eq(last(PLAN_LEND, false)->step.to, 1);
	cr_expect_eq(last(PLAN_LEND, false)->cause, BALANCE_SHORT);
	cr_expect_gt(balance_counts(pool)->done[PLAN_LEND], 0);
	cr_expect(last(PLAN_LEND, true)->refused, "and in the end it is not");
}

Test(balance, nearest_lends_first)
{
	uint32_t a;
	start("node:4 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	for (int i = 0; i < 1000 && pool->loans.n == 0; i++)
		if (wants_relieve(pool, a, 2) == 0)
			pool_fixture_claim_all(&fixture, 1, a, 2);
	cr_expect_gt(pool->loans.n, 0);
	cr_expect_eq(pool_fixture_standing(&fixture, a,
	                                   fixture.topo.node[2].nearest[1], 2),
	             pool->loans.n);
}

Test(balance, what_is_over_goes_back)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	pool_fixture_use_up(&fixture, a, 1);
	pool_fixture_free_all(&fixture);
	cr_assert_gt(pool->loans.n, 0);
	test_clock_advance(30 * CLOCK_MS);
	settle();
	cr_expect_eq(pool->loans.n, 0);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 0);
	cr_expect_eq(last(PLAN_RETURN, false)->step.reason, PLAN_LOAN_OVER);
}

/* An object of the lender is in it, and the borrower has nothing else, and no
 * memory for more. */
Test(balance, what_nobody_takes_from_goes_back)
{
	struct slab_user user = {
		.view = &pool->view, .id = 1, .epoch = 1};
	void *out;
	bool ring;
	uint32_t a;
	start("node:2 core:1 pu:1", 2);
	user.data = fixture.data;
	a = cache_of("a", 64, 0);
	pool_fixture_use_up(&fixture, cache_of("b", 64, CACHE_STRICT), 1);
	config.lend_keep = 0;
	balance_configure(pool, &config);
	cr_assert_eq(wants_relieve(pool, a, 0), 0);
	cr_assert_eq(slab_claim_any(&user, a, 0, 1, &out, &ring), 1);
	cr_assert_eq(balance_lend(pool, a, 0, 1, 1, &done, &why), 0);
	cr_assert_eq(pool_fixture_standing(&fixture, a, 0, 1), 1);
	test_clock_advance(30 * CLOCK_MS);
	settle();
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 1,
	             "it was lent just now");
	pool->loans.loan[0].since_ns -= 60 * CLOCK_S;
	settle();
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 1,
	             "somebody took of it lately");
	pool->loans.loan[0].taken_ns -= 60 * CLOCK_S;
	settle();
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 0);
	cr_expect_eq(last(PLAN_RETURN, false)->step.reason, PLAN_LOAN_OVER);
}

/* A slab whose lease is held can't go: no other goes in its place. */
Test(balance, what_is_in_use_stays_beside_what_is_held)
{
	uint32_t a;
	int error;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	pool_fixture_use_up(&fixture, cache_of("b", 64, CACHE_STRICT), 1);
	cr_assert_eq(move_carve(pool, a, 0, 1, 2, &error), 2);
	pool_fixture_claim_all(&fixture, 1, a, 1);
	for (int i = 0; i < 2; i++) {
		uint32_t head = pool->loans.loan[i].head;
		atom_store(&slab_tags(&pool->view, head)[0], TAG_FREE);
		slab_relist_any(&pool->view, head);
	}
	pool->loans.loan[0].taken_ns -= 60 * CLOCK_S;
	cr_assert(lease_take_any(
		&pool->view.leases[pool->loans.loan[0].head], 1, 1));
	test_clock_advance(30 * CLOCK_MS);
	settle();
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 2);
}

Test(balance, strict_caches_borrow_nothing)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 2);
	a = cache_of("a", 64, CACHE_STRICT);
	cr_expect_eq(pool_fixture_use_up(&fixture, a, 1), 32 * 1024);
	cr_expect_eq(pool->loans.n, 0);
	cr_expect_eq(last(PLAN_LEND, true)->step.reason, PLAN_STRICT);
	cr_expect_eq(balance_lend(pool, a, 0, 1, 1, &done, &why), -EPERM);
	cr_expect(strstr(why.what, "strict") != NULL);
}

Test(balance, lends_by_hand_and_calls_back)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 4);
	a = cache_of("a", 64, 0);
	cr_assert_eq(wants_relieve(pool, a, 0), 0);
	cr_assert_eq(balance_lend(pool, a, 0, 1, 1, &done, &why), 0);
	cr_expect_eq(done, 1);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 1);
	cr_expect_eq(last(PLAN_LEND, false)->cause, BALANCE_HAND);
	cr_expect_eq(balance_lend(pool, a, 0, 0, 9, &done, &why), 0);
	cr_expect_eq(done, 1);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 0), 1);
	cr_expect_eq(balance_lend(pool, a, 1, 0, 1, &done, &why), -ENOENT);
	cr_expect_eq(balance_lend(pool, a, 1, 1, 1, &done, &why), -ENOENT);
}

/* Though the borrower has memory of its own. */
Test(balance, what_was_lent_by_hand_stays_a_while)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 4);
	a = cache_of("a", 64, 0);
	cr_assert_eq(wants_relieve(pool, a, 0), 0);
	cr_assert_eq(balance_lend(pool, a, 0, 1, 1, &done, &why), 0);
	test_clock_advance(30 * CLOCK_MS);
	settle();
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 1);
	pool->loans.loan[0].since_ns -= 60 * CLOCK_S;
	settle();
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 1), 0);
}

/* The lender's own slabs stand behind many that it has borrowed. */
Test(balance, lends_its_own_behind_what_it_has_borrowed)
{
	uint32_t a;
	int error;
	start("node:3 core:1 pu:1", 64);
	a = cache_of("a", 64, 0);
	cr_assert_eq(move_carve(pool, a, 0, 1, 300, &error), 300);
	cr_assert_eq(move_carve(pool, a, 1, 2, 2, &error), 2);
	cr_assert_eq(move_return(pool, a, 1, 2, 2, &error), 2);
	cr_expect_eq(move_lend(pool, a, 1, 2, 2, &error), 2);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 1, 2), 2);
}

/* Who has the lease of the slab with most free, and stands still, keeps that
 * one alone. */
Test(balance, lends_another_where_the_best_is_held)
{
	uint32_t a;
	uint32_t head;
	int error;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	pool_fixture_claim_all(&fixture, 1, a, 0);
	atom_store(&slab_tags(&pool->view, head)[0], TAG_FREE);
	slab_relist_any(&pool->view, head);
	cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	cr_assert(lease_take_any(&pool->view.leases[head], 1, 1));
	cr_expect_eq(move_lend(pool, a, 0, 1, 1, &error), 1);
}

/* ---- pages -------------------------------------------------------------- */

static int migrate(uint32_t cache, uint32_t from, uint32_t to, uint64_t n)
{
	struct balance_moving moving = {cache, from, to, n, .done = 0};
	int r;
	while ((r = balance_migrate(pool, &moving, &why)) > 0)
		continue;
	done = moving.done;
	return r;
}

Test(balance, moves_a_page_with_its_slabs)
{
	uint32_t a;
	uint32_t b;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	b = cache_of("b", 100000, 0);
	cr_assert_eq(wants_relieve(pool, a, 0), 0);
	cr_assert_eq(wants_relieve(pool, b, 0), 0);
	pool_fixture_claim_all(&fixture, 1, a, 0);
	cr_assert_eq(migrate(a, 0, 1, 5), 0, "%s", why.what);
	cr_expect_eq(done, 1);
	cr_expect_eq(pages_node_of(&pool->pages, 0), 1);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 0, 0) +
	                     pool_fixture_standing(&fixture, b, 0, 0), 0);
	cr_expect_eq(*pool_slabs(pool, a, 1),
	             pool_fixture_standing(&fixture, a, 1, 1));
	cr_expect_eq(*pool_slabs(pool, b, 1),
	             pool_fixture_standing(&fixture, b, 1, 1));
	cr_expect_gt(pool_fixture_claim_all(&fixture, 1, b, 1), 0);
	pool_fixture_agrees(&fixture);
	cr_expect_eq(migrate(0, 1, 1, 1), -EINVAL);
	cr_expect_eq(migrate(a, 0, 1, 1), -EBUSY);
}

Test(balance, no_page_goes_to_a_full_node)
{
	start("node:2 core:1 pu:1", 2);
	cr_expect_eq(migrate(0, 0, 1, 1), -ENOSPC);
	cr_expect(strstr(why.todo, "raise max") != NULL);
}

/* A machine of two nodes, the second of which has no memory left. */
static void fill_second_node(void)
{
	char *sysfs = pool->backing.sysfs;
	strcpy(sysfs, "/tmp/slabd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(sysfs));
	setenv("SYSFS", sysfs, 1);
	cr_assert_eq(system("mkdir -p $SYSFS/devices/system/node/node1 && "
	                    "cd $SYSFS/devices/system/node && "
	                    "echo 0-1 >has_memory && "
	                    "echo Node 1 MemFree: 0 kB >node1/meminfo"), 0);
	fixture.topo.simulated = false;
	pool->backing.node[0].bound = true;
}

static void empty_second_node(void)
{
	cr_expect_eq(system("rm -r $SYSFS"), 0);
	strcpy(pool->backing.sysfs, "/sys");
	fixture.topo.simulated = true;
	pool->backing.node[0].bound = false;
}

/* What holds for one page holds for all, and is said each time. */
Test(balance, pages_that_no_node_has_memory_for_are_not_tried_one_by_one)
{
	char reason[200];
	char remedy[200];
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	if (!backing_may_move(reason, sizeof(reason), remedy, sizeof(remedy)))
		cr_skip("no right to move pages");
	a = cache_of("a", 64, CACHE_STRICT);
	pool_fixture_use_up(&fixture, a, 0);
	fill_second_node();
	cr_expect_eq(migrate(0, 0, 1, 4), -EBUSY);
	cr_expect(strstr(why.what, "MiB to give") != NULL, "%s", why.what);
	cr_expect_eq(balance_counts(pool)->failed[PLAN_MIGRATE], 1);
	wants_relieve(pool, cache_of("b", 64, CACHE_STRICT), 0);
	cr_expect_eq(migrate(0, 0, 1, 4), -EBUSY);
	cr_expect(strstr(why.what, "MiB to give") != NULL, "%s", why.what);
	empty_second_node();
}

/* A loan ends where the page comes to the borrower. */
Test(balance, a_lent_slab_whose_page_comes_is_lent_no_more)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 4);
	a = cache_of("a", 64, 0);
	cr_assert_eq(wants_relieve(pool, a, 0), 0);
	cr_assert_eq(balance_lend(pool, a, 0, 1, 1, &done, &why), 0);
	cr_assert_eq(migrate(a, 0, 1, 1), 0);
	cr_expect_eq(pool->loans.n, 0);
	cr_expect_eq(pool_fixture_standing(&fixture, a, 1, 1), 1);
}

Test(balance, gives_pages_back_down_to_the_floor_and_grows_again)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	pool_fixture_use_up(&fixture, a, 0);
	cr_assert_eq(pool->pages.node[0].pages, 4);
	pool_fixture_free_all(&fixture);
	balance_press(pool, 0, PLAN_FULL);
	test_clock_advance(30 * CLOCK_MS);
	settle();
	cr_expect_eq(pool->pages.node[0].pages, 1, "the floor is the start");
	cr_expect_eq(last(PLAN_SHRINK, false)->step.reason, PLAN_PRESSED);
	cr_expect_eq(pool->backing.node[0].ready_pages, 1);
	pool_fixture_agrees(&fixture);
	balance_press(pool, 0, PLAN_CALM);
	cr_expect_gt(pool_fixture_use_up(&fixture, a, 0), 4 * 31 * 1024);
	cr_expect_eq(pool->pages.node[0].pages, 4);
}

/* ---- drain -------------------------------------------------------------- */

Test(balance, drains_a_node_and_takes_it_back)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	cr_assert_eq(wants_relieve(pool, a, 1), 0);
	pool_fixture_claim_all(&fixture, 1, a, 1);
	cr_assert_eq(balance_drain(pool, 1, true, &why), 0);
	cr_expect_eq(balance_drain(pool, 0, true, &why), -EBUSY);
	settle();
	cr_expect_eq(pool->pages.node[1].pages, 0);
	cr_expect_eq(last(PLAN_DRAIN, false)->step.reason, PLAN_DRAINED);
	pool_fixture_agrees(&fixture);
	/* Its clients are served from elsewhere; it gets nothing anew. */
	cr_expect_gt(pool_fixture_use_up(&fixture, a, 1), 0);
	cr_expect_eq(pool->pages.node[1].pages, 0);
	cr_assert_eq(balance_drain(pool, 1, false, &why), 0);
	cr_expect_gt(pool_fixture_use_up(&fixture, a, 1), 0);
	cr_expect_gt(pool->pages.node[1].pages, 0);
}

/* Slabs that a client has the lease of, and stands still, can't be emptied:
 * their page moves with them. */
Test(balance, a_drain_does_not_wait_for_who_holds_an_empty_slab)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	cr_assert_eq(wants_relieve(pool, a, 1), 0);
	for (uint32_t unit = 0; unit < pool->view.geo.n_units; unit++)
		if (pool->view.words[unit] == WORD_MAKE(a, 1, 0, 1))
			cr_assert(
				lease_take_any(&pool->view.leases[unit], 1, 1));
	cr_assert_eq(balance_drain(pool, 1, true, &why), 0);
	settle();
	cr_expect_eq(pool->pages.node[1].pages, 0);
	cr_expect_eq(last(PLAN_DRAIN, false)->step.reason, PLAN_DRAINED);
}

/* Where nothing fits, it says so and goes on when there is room. */
Test(balance, a_drain_that_can_not_go_on_says_why)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 2);
	a = cache_of("a", 64, 0);
	pool_fixture_use_up(&fixture, a, 0);
	pool_fixture_use_up(&fixture, a, 1);
	cr_assert_eq(balance_drain(pool, 1, true, &why), 0);
	cr_expect_geq(settle(), 100);
	cr_expect_eq(pool->pages.node[1].pages, 1);
	cr_expect_eq(last(PLAN_DRAIN, true)->step.reason, PLAN_NO_ROOM);
	pool_fixture_free_all(&fixture);
	settle();
	cr_expect_eq(pool->pages.node[1].pages, 0);
}

/* ---- plan, log ---------------------------------------------------------- */

Test(balance, a_plan_is_shown_and_not_carried_out)
{
	uint32_t a;
	const struct plan *plan;
	start("node:2 core:1 pu:1", 8);
	a = cache_of("a", 64, 0);
	cr_assert_eq(wants_relieve(pool, a, 1), 0);
	cr_assert_eq(balance_drain(pool, 1, true, &why), 0);
	plan = balance_plan(pool);
	cr_expect_gt(plan->n_steps, 0);
	cr_expect_eq(pool->pages.node[1].pages, 1);
	cr_expect_null(balance_event(pool, 0));
}

Test(balance, the_same_again_is_one_event)
{
	uint32_t a;
	start("node:2 core:1 pu:1", 2);
	a = cache_of("a", 64, CACHE_STRICT);
	pool_fixture_use_up(&fixture, a, 0);
	for (int i = 0; i < 50; i++)
		wants_relieve(pool, a, 0);
	cr_expect_geq(last(PLAN_LEND, true)->times, 50);
	cr_expect_leq(balance_event(pool, 0)->seq, 20);
	for (uint32_t i = 0; i < 1000; i++)
		if (balance_event(pool, i) == NULL)
			return;
	cr_expect_fail("the log has no end");
}
