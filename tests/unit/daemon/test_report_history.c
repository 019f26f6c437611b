/* SPDX-License-Identifier: MIT */
/* The history against what was done to the pool. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>

#include "daemon/balance/wants.h"
#include "daemon/serve/sampling.h"

static void begin(void)
{
	set_up();
	cr_assert_eq(sampling_open(&server), 0);
}

static void end(void)
{
	sampling_close(&server);
	tear_down();
}

TestSuite(report_history, .init = begin, .fini = end);

Test(report_history, asked_for_the_first_time)
{
	get("/history");
	cr_assert_eq(status, 200);
	has_keys("pools/0", " name schema span_s step_s points ");
	cr_expect_eq(num("pools/0/schema"), 1);
	cr_expect_eq(num("pools/0/span_s"), 3600);
	cr_expect_eq(num("pools/0/step_s"), 10);
	cr_assert_eq(count("pools/0/points"), 1);
	has_keys("pools/0/points/0",
	         " at_ms ago_s counted_ms asked_ms clients caches nodes rings "
	         "grown_slabs taken_slabs denied deaths swept_objects steps "
	         "moved_bytes refills refilled flushed remote_allocs "
	         "remote_frees waits failures ");
	has_keys("pools/0/points/0/nodes/0",
	         " node ready_bytes carved_bytes owned_bytes held_bytes "
	         "free_bytes lent_bytes ");
	cr_expect_eq(num("pools/0/points/0/caches"), 1);
	cr_expect_eq(num("pools/0/points/0/nodes/0/ready_bytes"), 2 * MIB);
	cr_expect_eq(num("pools/0/points/0/nodes/0/carved_bytes"), 0);
}

Test(report_history, follows_what_happens)
{
	uint32_t id = join("worker");
	cr_assert_eq(wants_relieve(first, orders, 0), 0);
	claim(id, orders, 0, 10);
	get("/nodes");
	get("/history?span=60");
	cr_expect_eq(num("pools/0/step_s"), 1);
	cr_expect_eq(num("pools/0/points/0/clients"), 1);
	cr_expect_gt(num("pools/0/points/0/grown_slabs"), 0);
	cr_expect_gt(num("pools/0/points/0/nodes/0/carved_bytes"), 0);
	cr_expect_eq(num("pools/0/points/0/nodes/0/owned_bytes"), 10 * STRIDE);
	cr_expect_eq(num("pools/0/points/0/nodes/0/held_bytes"), 0);
	cr_expect_gt(num("pools/0/points/0/nodes/0/free_bytes"), 0);
}

/* What is counted for the sake of the past alone. */
Test(report_history, counts_by_itself)
{
	uint32_t id = join("worker");
	cr_assert_eq(wants_relieve(first, orders, 0), 0);
	claim(id, orders, 0, 10);
	sampling_take(&server);
	while (server.samples[0].asked_ns != 0)
		event_base_loop(server.base, EVLOOP_ONCE);
	get("/history?span=60");
	cr_expect_eq(num("pools/0/points/0/nodes/0/owned_bytes"), 10 * STRIDE);
	cr_expect_gt(server.samples[0].next_ns, 0);
}

/* Where nothing changes no timer is left. */
Test(report_history, rests)
{
	sampling_take(&server);
	while (server.samples[0].asked_ns != 0)
		event_base_loop(server.base, EVLOOP_ONCE);
	evtimer_del(server.sample);
	sampling_take(&server);
	cr_expect_not(evtimer_pending(server.sample, NULL));
	cr_expect_not(evtimer_pending(server.tally, NULL));
	first->counts.rings++;
	sampling_take(&server);
	cr_expect(evtimer_pending(server.sample, NULL));
}

Test(report_history, bad_spans)
{
	static const char allowed[] = "span is 1 to 43200, 3600 if it is not "
	                              "given";
	refused("/history?span=0", 400, "bad span \"0\"", allowed);
	refused("/history?span=43201", 400, "bad span \"43201\"", allowed);
	refused("/history?span=x", 400, "bad span \"x\"", allowed);
}
