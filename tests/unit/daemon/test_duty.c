/* SPDX-License-Identifier: MIT */
#include "daemon/serve/duty.h"

#include <criterion/criterion.h>

#include "daemon/balance/balance.h"
#include "daemon/base/clock.h"
#include "daemon/serve/share.h"
#include "daemon/watch/psi.h"
#include "tests/lib/clock.h"
#include "tests/lib/report_fixture.h"

static struct pool *const other = &server.pools[1];
static int64_t next_ns;

static void begin(void)
{
	set_up();
	set_up_pool(1, "other");
	test_clock_set(100 * CLOCK_S);
}

static void end(void)
{
	test_clock_run();
	tear_down();
}

TestSuite(duty, .init = begin, .fini = end, .timeout = 300);

/* Clients of the first pool lack slabs on a node. */
static void lack(uint32_t node)
{
	struct unmet unmet = {.n = 1, .want = {{orders, node, 3}}};
	duty_note_denied(&server, first, &unmet);
}

Test(duty, at_rest)
{
	cr_expect_not(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(next_ns, -1);
}

Test(duty, another_pool_is_pressed_for_a_while)
{
	lack(1);
	cr_expect(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(next_ns, PSI_STAYS_NS);
	cr_expect_eq(balance_pressure(other, 1), PLAN_SOME);
	cr_expect_eq(balance_pressure(other, 0), PLAN_CALM);
	cr_expect_eq(balance_pressure(first, 1), PLAN_CALM);
	/* Nothing got worse since. */
	test_clock_advance(PSI_STAYS_NS - 1);
	cr_expect_not(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(next_ns, 1);
	test_clock_advance(1);
	cr_expect_not(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(next_ns, -1);
	cr_expect_eq(balance_pressure(other, 1), PLAN_CALM);
}

/* It could have no more of the node if all others gave theirs up. */
Test(duty, nobody_is_pressed_for_a_pool_that_has_all_it_may_have)
{
	uint64_t pages = first->pages.node[1].pages;
	first->pages.node[1].pages = pages_size(&first->pages, 1);
	lack(1);
	cr_expect_not(duty_tell_levels(&server, &next_ns));
	first->pages.node[1].pages = pages;
}

Test(duty, the_kernel_presses_those_that_want_to_know)
{
	struct config_balance deaf = *balance_config(other);
	deaf.pressure_ms = 0;
	balance_configure(other, &deaf);
	cr_assert_gt(balance_config(first)->pressure_ms, 0);
	server.kernel = PLAN_FULL;
	cr_expect(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(next_ns, -1);
	for (uint32_t node = 0; node < 2; node++) {
		cr_expect_eq(balance_pressure(first, node), PLAN_FULL);
		cr_expect_eq(balance_pressure(other, node), PLAN_CALM);
	}
	lack(0);
	cr_expect(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(balance_pressure(other, 0), PLAN_SOME);
	server.kernel = PLAN_CALM;
	cr_expect_not(duty_tell_levels(&server, &next_ns));
	cr_expect_eq(balance_pressure(first, 0), PLAN_CALM);
	cr_expect_eq(balance_pressure(other, 0), PLAN_SOME);
}

/* ---- a share of a turn --------------------------------------------------- */

static void turn(void)
{
	event_base_loop(server.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void use_share(struct share *share)
{
	share->pass = server.passes;
	share->used_ns = CLOCK_S;
}

static void begin_loop(void)
{
	cr_assert_eq(share_open(&server), 0);
	cr_assert_eq(duty_open(&server), 0);
}

Test(duty, a_ring_is_served_at_once)
{
	begin_loop();
	view_want_any(&first->view, orders, 0);
	duty_serve_pool(&server, first);
	cr_expect_gt(first->counts.grown_slabs, 0);
	cr_expect_not(server.wants_of[0].due);
	duty_close(&server);
	share_close(&server);
}

/* Those that come when the pool's share is used up wait for the next turn; the
 * other pool is served meanwhile. */
Test(duty, a_pool_has_its_share_of_a_turn)
{
	begin_loop();
	use_share(&server.wants_of[0].share);
	view_want_any(&first->view, orders, 0);
	for (int i = 0; i < 500; i++)
		duty_serve_pool(&server, first);
	cr_expect_eq(first->counts.grown_slabs, 0);
	cr_expect(server.wants_of[0].due);
	duty_serve_pool(&server, other);
	cr_expect_not(server.wants_of[1].due);
	turn();
	cr_expect_gt(first->counts.grown_slabs, 0);
	cr_expect_not(server.wants_of[0].due);
	duty_close(&server);
	share_close(&server);
}

Test(duty, all_pools_have_a_share_of_a_turn)
{
	begin_loop();
	use_share(&server.wants_of_all);
	view_want_any(&first->view, orders, 0);
	duty_serve_pool(&server, first);
	duty_serve_pool(&server, other);
	cr_expect_eq(first->counts.grown_slabs, 0);
	cr_expect(server.wants_of[0].due && server.wants_of[1].due);
	turn();
	cr_expect_gt(first->counts.grown_slabs, 0);
	cr_expect_not(server.wants_of[0].due || server.wants_of[1].due);
	duty_close(&server);
	share_close(&server);
}
