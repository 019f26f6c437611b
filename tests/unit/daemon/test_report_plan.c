/* SPDX-License-Identifier: MIT */
/* What would be done, what was done, and the settings. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/hand.h"

TestSuite(report_plan, .init = set_up, .fini = tear_down);

#define STEP_KEYS                                                              \
	" kind reason text cache from to n donor n_given page distance bytes " \
	"fresh "

Test(report_plan, of_a_pool_at_rest)
{
	get("/plan");
	cr_assert_eq(status, 200);
	has_keys("pools/0", " name enabled steps refusals more_steps "
	                    "more_refusals ");
	cr_expect_str_eq(str("pools/0/name"), "default");
	cr_expect(yes("pools/0/enabled"));
	cr_expect_eq(count("pools/0/steps"), 0);
	cr_expect_eq(num("pools/0/more_steps"), 0);
	refused("/plan?pool=x", 404, "no pool \"x\"", "pools: default");
	get("/log");
	cr_expect_eq(count("pools/0/events"), 0, "a plan is not a deed");
}

/* A node that is to be emptied and has a page with something in it. */
Test(report_plan, says_what_it_would_do)
{
	uint32_t id = join("worker");
	struct remedy why;
	pool_node(first, 1)->os_id = 9;
	carve(orders, 1, 1);
	claim(id, orders, 1, 3);
	cr_assert_eq(balance_drain(first, 1, true, &why), 0);
	get("/plan");
	cr_assert_eq(count("pools/0/steps"), 2);
	cr_expect_str_eq(str("pools/0/steps/0/kind"), "trim");
	cr_expect_eq(num("pools/0/steps/0/to"), 9);
	has_keys("pools/0/steps/1", STEP_KEYS);
	cr_expect_str_eq(str("pools/0/steps/1/kind"), "drain");
	cr_expect_str_eq(str("pools/0/steps/1/reason"), "drained");
	cr_expect_str_eq(str("pools/0/steps/1/text"),
	                 "the node is to be emptied");
	cr_expect_eq(num("pools/0/steps/1/from"), 9);
	cr_expect_eq(num("pools/0/steps/1/to"), 0);
	cr_expect_eq(num("pools/0/steps/1/n"), 1);
	cr_expect_eq(num("pools/0/steps/1/distance"), 20);
	cr_expect_eq(num("pools/0/steps/1/bytes"), 2 * MIB);
	cr_expect_geq(num("pools/0/steps/1/page"), 1);
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/1/here_pages"), 1,
	             "it is but a plan");
}

Test(report_plan, log_of_a_cache_or_node_alone)
{
	carve(orders, 0, 0);
	hold_still();
	post("/lend", "cache=orders&from=0&to=1&n=2");
	get("/log?cache=orders");
	cr_expect_eq(count("pools/0/events"), 1);
	get("/log?node=1");
	cr_expect_eq(count("pools/0/events"), 1);
	get("/log?cache=orders&node=0&limit=0");
	cr_expect_eq(count("pools/0/events"), 0);
	refused("/log?cache=none", 400, "no cache \"none\"",
	        "caches: orders");
	make_cache(first, "fills", 64);
	get("/log?cache=fills");
	cr_expect_eq(count("pools/0/events"), 0);
}

Test(report_plan, log_has_what_was_done)
{
	carve(orders, 0, 0);
	hold_still();
	post("/lend", "cache=orders&from=0&to=1&n=2");
	post("/lend", "cache=orders&from=0&to=0");
	get("/log");
	has_keys("pools/0", " name now_ms events counts ");
	cr_assert_eq(count("pools/0/events"), 2);
	has_keys("pools/0/events/0", STEP_KEYS
	         "seq at_ms last_ms cause refused times done error us "
	         "told ");
	cr_expect_eq(num("pools/0/events/0/seq"), 2);
	cr_expect_str_eq(str("pools/0/events/0/kind"), "return");
	cr_expect_str_eq(str("pools/0/events/1/kind"), "lend");
	cr_expect_str_eq(str("pools/0/events/1/cause"),
	                 balance_cause_name(BALANCE_HAND));
	cr_expect_str_eq(str("pools/0/events/1/reason"), "asked");
	cr_expect_str_eq(str("pools/0/events/1/text"), "slabctl asked for it");
	cr_expect_eq(num("pools/0/events/1/n"), 2);
	cr_expect_eq(num("pools/0/events/1/done"), 1);
	cr_expect_str_eq(str("pools/0/events/1/error"), "no more was to be had");
	cr_expect_eq(num("pools/0/events/1/times"), 1);
	cr_expect_str_eq(str("pools/0/events/1/cache"), "orders");
	cr_expect_not(yes("pools/0/events/1/refused"));
	cr_expect(num("pools/0/now_ms") - num("pools/0/events/1/at_ms") <
	          60000);
	cr_expect_geq(num("pools/0/now_ms"), num("pools/0/events/0/last_ms"));
	has_keys("pools/0/counts",
	         " plans steps done failed refused moved_bytes plan_ns_max "
	         "snapshot_ns_max move_ns_max ");
	has_keys("pools/0/counts/done", " carve reassign lend migrate return "
	                                "trim shrink drain ");
	cr_expect_eq(num("pools/0/counts/steps/lend"), 1);
	cr_expect_eq(num("pools/0/counts/done/lend"), 1);
	cr_expect_eq(num("pools/0/counts/done/return"), 1);
	cr_expect_eq(num("pools/0/counts/refused/none-plenty"), 0);
	get("/log?limit=1");
	cr_expect_eq(count("pools/0/events"), 1);
	get("/log?limit=0");
	cr_expect_eq(count("pools/0/events"), 0);
	post("/lend", "cache=orders&from=1&to=1");
	get("/log?limit=1");
	cr_expect_str_eq(str("pools/0/events/0/told"), "no more was to be had");
	refused("/log?limit=257", 400, "bad limit \"257\"",
	        "limit is 0 to 256, 50 if it is not given");
}

Test(report_plan, settings)
{
	get("/set");
	cr_assert_eq(count("pools/0/keys"), 13);
	has_keys("pools/0/keys/0", " key value configured ");
	cr_expect_str_eq(str("pools/0/keys/3/key"), "hold");
	cr_expect_str_eq(str("pools/0/keys/3/value"), "1s");
	post("/set", "key=hold&value=250ms");
	cr_assert_eq(status, 200);
	has_keys("pools/0", " name key old value ");
	cr_expect_str_eq(str("pools/0/old"), "1s");
	cr_expect_str_eq(str("pools/0/value"), "250ms");
	cr_expect_eq(balance_config(first)->hold_ms, 250);
	get("/set");
	cr_expect_str_eq(str("pools/0/keys/3/value"), "250ms");
	cr_expect_str_eq(str("pools/0/keys/3/configured"), "1s");
	post("/set", "key=enabled&value=no");
	get("/plan");
	cr_expect_not(yes("pools/0/enabled"));
}

Test(report_plan, settings_are_checked_as_those_of_the_file)
{
	post_refused("/set", "key=hold&value=1", 400,
	             "key \"hold\": \"1\" is not a valid value",
	             "allowed: a duration from 10ms to 1h, such as 500ms or "
	             "2s");
	post_refused("/set", "key=hold&value=2h", 400,
	             "key \"hold\": \"2h\" is out of range",
	             "allowed: a duration from 10ms to 1h, such as 500ms or "
	             "2s");
	post_refused("/set", "key=hold_max&value=500ms", 400,
	             "key \"hold_max\" (500ms) contradicts key \"hold\" (1s)",
	             "allowed: hold_max of at least hold, so set the other "
	             "first");
	post("/set", "key=holdd&value=1s");
	cr_expect_eq(status, 400);
	cr_expect_str_eq(str("error"), "key \"holdd\" is unknown");
	cr_expect(strstr(str("remedy"), "allowed: enabled, migrate, far"));
	post_refused("/set", "key=hold", 400, "no key or no value is given",
	             "give both; GET /set shows all keys");
	post("/set", "key=hold&value=%1b%ff");
	cr_expect_eq(status, 400);
	cr_expect(strstr(str("error"), "\\x1b\\xff"), "%s", str("error"));
	cr_expect_eq(balance_config(first)->hold_ms, 1000);
}

/* The longest that can be set: the next look is later, not never. */
Test(report_plan, a_long_idle_time_is_waited_for)
{
	bool trim;
	post("/migrate", "from=0&to=1");
	post("/set", "key=idle&value=720h");
	cr_assert_eq(status, 200);
	/* While a page is above the floor; after a few looks it waits for
	 * something to happen. */
	for (int i = 0; i < 3; i++)
		cr_expect_gt(balance_tick(first, BALANCE_TIMER, &trim), 0);
}

Test(report_plan, set_in_one_pool_or_all)
{
	set_up_pool(1, "trade");
	post("/set", "pool=trade&key=hold&value=50s");
	cr_expect_eq(count("pools"), 1);
	cr_expect_eq(balance_config(first)->hold_ms, 1000);
	cr_expect_eq(balance_config(&server.pools[1])->hold_ms, 50000);
	/* One pool can't have it: none has. */
	post("/set", "key=hold_max&value=40s");
	cr_expect_eq(status, 400);
	cr_expect_eq(balance_config(first)->hold_max_ms, 60000);
	post("/set", "key=lend_max&value=7");
	cr_expect_eq(count("pools"), 2);
	cr_expect_eq(balance_config(first)->lend_max, 7);
	cr_expect_eq(balance_config(&server.pools[1])->lend_max, 7);
}
