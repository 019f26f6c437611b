/* SPDX-License-Identifier: MIT */
/* What slabctl asks to be done: done where it can be, and else refused with
 * the reason and the remedy, and nothing changed. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/hand.h"
#include "daemon/pool/slabs.h"
#include "shm/slab.h"

TestSuite(report_act, .init = set_up, .fini = tear_down);

static unsigned list_of(uint32_t head)
{
	return WORD_LIST(first->view.words[head]);
}

/* ---- lend --------------------------------------------------------------- */

Test(report_act, lends_and_has_back)
{
	uint32_t a = carve(orders, 0, 0);
	uint32_t b = carve(orders, 0, 0);
	hold_still();
	post("/lend", "cache=orders&from=0&to=1");
	cr_assert_eq(status, 200);
	has_keys("", " pool cache from to n done bytes text ");
	cr_expect_str_eq(str("pool"), "default");
	cr_expect_str_eq(str("cache"), "orders");
	cr_expect_eq(num("from"), 0);
	cr_expect_eq(num("to"), 1);
	cr_expect_eq(num("n"), 1);
	cr_expect_eq(num("done"), 1);
	cr_expect_eq(num("bytes"), UNIT_BYTES);
	cr_expect_eq(list_of(a) + list_of(b), 1);
	post("/lend", "cache=orders&from=0&to=1&n=9");
	cr_expect_eq(num("n"), 9);
	cr_expect_eq(num("done"), 1);
	cr_expect_eq(list_of(a) + list_of(b), 2);
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/0/lent_bytes"), 2 * UNIT_BYTES);
	cr_expect_eq(num("pools/0/nodes/1/borrowed_bytes"), 2 * UNIT_BYTES);
	post("/lend?cache=orders&from=0", "to=0&n=9");
	cr_expect_eq(num("done"), 2);
	cr_expect_eq(num("bytes"), 2 * UNIT_BYTES);
	cr_expect_eq(list_of(a) + list_of(b), 0);
	get("/audit");
	cr_expect(yes("agree"));
}

Test(report_act, lend_has_to_make_sense)
{
	uint32_t a = carve(orders, 0, 0);
	const char *n = "n is 1 to 65536, 1 if it is not given";
	post_refused("/lend", "cache=order&from=0&to=1", 400,
	             "no cache \"order\"", "caches: orders");
	post_refused("/lend", "from=0&to=1", 400, "no cache is given",
	             "caches: orders");
	post_refused("/lend", "cache=orders&from=2&to=1", 400, "no node \"2\"",
	             "nodes: 0, 1");
	post_refused("/lend", "cache=orders&from=0&to=-1", 400,
	             "no node \"-1\"", "nodes: 0, 1");
	post_refused("/lend", "cache=orders&to=1", 400,
	             "no \"from\" node is given", "nodes: 0, 1");
	post_refused("/lend", "cache=orders&from=0", 400,
	             "no \"to\" node is given", "nodes: 0, 1");
	post_refused("/lend", "cache=orders&from=0&to=1&n=0", 400,
	             "bad n \"0\"", n);
	post_refused("/lend", "cache=orders&from=0&to=1&n=65537", 400,
	             "bad n \"65537\"", n);
	post_refused("/lend", "cache=orders&from=0&to=1&n=some", 400,
	             "bad n \"some\"", n);
	post_refused("/lend", "cache=orders&from=0&to=1&node=1", 400,
	             "unknown parameter",
	             "parameters of /lend: pool cache from to n");
	post_refused("/lend", "pool=p&cache=orders&from=0&to=1", 404,
	             "no pool \"p\"", "pools: default");
	cr_expect_eq(list_of(a), 0);
	get("/log");
	cr_expect_eq(count("pools/0/events"), 0, "nothing was tried");
}

Test(report_act, lends_what_is_there_alone)
{
	post("/lend", "cache=orders&from=1&to=0&n=2");
	cr_expect_eq(status, 409);
	cr_expect(strstr(str("error"), "node 1 has no slab of orders"), "%s",
	          str("error"));
	cr_expect(strstr(str("remedy"), "slabctl slabs"));
	post("/lend", "cache=orders&from=1&to=1");
	cr_expect_eq(status, 409);
	cr_expect(strstr(str("error"), "node 1 has lent no slabs of orders"),
	          "%s", str("error"));
	get("/lend");
	cr_expect_eq(status, 405);
}

Test(report_act, one_pool_or_a_name)
{
	uint32_t lots;
	set_up_pool(1, "trade");
	lots = make_cache(&server.pools[1], "lots", 64);
	cr_expect_eq(lots, 1);
	carve(orders, 0, 0);
	hold_still();
	post_refused("/lend", "cache=orders&from=0&to=1", 400,
	             "there are several pools",
	             "give pool, one of: default, trade");
	post_refused("/migrate", "from=0&to=1", 400, "there are several pools",
	             "give pool, one of: default, trade");
	post_refused("/lend", "pool=trade&cache=orders&from=0&to=1", 400,
	             "no cache \"orders\"", "caches: lots");
	post("/lend", "pool=default&cache=orders&from=0&to=1");
	cr_expect_eq(num("done"), 1);
}

/* ---- migrate ------------------------------------------------------------ */

Test(report_act, moves_pages)
{
	uint32_t a = carve(orders, 0, 0);
	hold_still();
	post("/migrate", "from=0&to=1");
	cr_assert_eq(status, 200);
	has_keys("", " pool cache from to n done bytes text ");
	cr_expect_eq(num("done"), 1);
	cr_expect_eq(num("bytes"), 2 * MIB);
	cr_expect_eq(WORD_HOME(first->view.words[a]), 1);
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/0/here_pages"), 0);
	cr_expect_eq(num("pools/0/nodes/1/here_pages"), 2);
	cr_expect_eq(num("pools/0/nodes/1/here_bytes"), 4 * MIB);
	cr_expect_eq(num("pools/0/nodes/1/carved_bytes"), UNIT_BYTES);
	post("/migrate", "from=1&to=0&cache=orders&n=5");
	cr_expect_eq(num("done"), 1);
	cr_expect_str_eq(str("cache"), "orders");
	cr_expect_eq(WORD_HOME(first->view.words[a]), 0);
	get("/audit");
	cr_expect(yes("agree"));
}

Test(report_act, moves_within_reason)
{
	post("/migrate", "from=0&to=0");
	cr_expect_eq(status, 409);
	cr_expect(strstr(str("error"), "from and to are both node 0"), "%s",
	          str("error"));
	post_refused("/migrate", "from=0&to=1&n=513", 400, "bad n \"513\"",
	             "n is 1 to 512, 1 if it is not given");
	post_refused("/migrate", "from=0&to=1&n=0", 400, "bad n \"0\"",
	             "n is 1 to 512, 1 if it is not given");
	post_refused("/migrate", "from=0&to=1&cache=x", 400, "no cache \"x\"",
	             "caches: orders");
	post("/migrate", "from=0&to=1&cache=orders");
	cr_expect_eq(status, 409, "no page has slabs of it");
	cr_expect_str_neq(str("remedy"), "");
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/0/here_pages"), 1);
}

/* ---- drain -------------------------------------------------------------- */

static long long pages_of(unsigned node)
{
	char path[60];
	snprintf(path, sizeof(path), "pools/0/nodes/%u/here_pages", node);
	get("/nodes");
	return num(path);
}

Test(report_act, drains_one_but_not_the_last)
{
	uint32_t id = join("worker");
	uint32_t a = carve(orders, 1, 1);
	claim(id, orders, 1, 7);
	post("/drain", "node=1");
	cr_assert_eq(status, 200);
	has_keys("pools/0", " name node draining was_draining bytes ");
	cr_expect_eq(num("pools/0/node"), 1);
	cr_expect(yes("pools/0/draining"));
	cr_expect_eq(num("pools/0/bytes"), 2 * MIB);
	/* The loop that answers also does the work. */
	for (int i = 0; i < 1000 && pages_of(1) > 0; i++)
		continue;
	cr_expect_eq(pages_of(1), 0);
	cr_expect(yes("pools/0/nodes/1/draining"));
	cr_expect_eq(WORD_HOME(first->view.words[a]), 0);
	post("/drain", "node=0");
	cr_expect_eq(status, 409);
	cr_expect(strstr(str("error"), "node 0 is the last"), "%s",
	          str("error"));
	cr_expect(strstr(str("remedy"), "drain NODE --undo"));
	post("/migrate", "from=0&to=1");
	cr_expect_eq(status, 409, "nothing is moved to a drained node");
	post("/undrain", "node=1");
	cr_expect_not(yes("pools/0/draining"));
	cr_expect(yes("pools/0/was_draining"));
	post("/undrain", "node=1");
	cr_expect_not(yes("pools/0/was_draining"));
	get("/nodes");
	cr_expect_not(yes("pools/0/nodes/1/draining"));
	post_refused("/drain", "node=7", 400, "no node \"7\"", "nodes: 0, 1");
	post_refused("/drain", "", 400, "no node is given", "nodes: 0, 1");
	post_refused("/undrain", "", 400, "no node is given", "nodes: 0, 1");
	get("/audit");
	cr_expect(yes("agree"));
}

Test(report_act, says_who_holds_a_node_up)
{
	uint32_t id = join("worker");
	struct remedy why;
	carve(orders, 1, 1);
	claim(id, orders, 1, 7);
	cr_assert_eq(balance_drain(first, 1, true, &why), 0);
	get("/nodes");
	cr_expect(yes("pools/0/nodes/1/draining"));
	cr_expect_not(yes("pools/0/nodes/0/draining"));
	cr_expect_eq(count("pools/0/nodes/0/holdups"), 0);
	cr_assert_eq(count("pools/0/nodes/1/holdups"), 1);
	has_keys("pools/0/nodes/1/holdups/0",
	         " client pid name cache objects bytes ");
	cr_expect_eq(num("pools/0/nodes/1/holdups/0/client"), id);
	cr_expect_eq(num("pools/0/nodes/1/holdups/0/pid"), 4242);
	cr_expect_str_eq(str("pools/0/nodes/1/holdups/0/name"), "worker");
	cr_expect_str_eq(str("pools/0/nodes/1/holdups/0/cache"), "orders");
	cr_expect_eq(num("pools/0/nodes/1/holdups/0/objects"), 7);
	cr_expect_eq(num("pools/0/nodes/1/holdups/0/bytes"), 7 * STRIDE);
}

Test(report_act, drains_in_all_pools_or_none)
{
	set_up_pool(1, "trade");
	post("/drain", "node=0&pool=trade");
	cr_expect_eq(count("pools"), 1);
	post("/drain", "node=1");
	cr_expect_eq(status, 409, "it is trade's last");
	get("/nodes");
	cr_expect_not(yes("pools/0/nodes/1/draining"));
	cr_expect_not(yes("pools/1/nodes/1/draining"));
	cr_expect(yes("pools/1/nodes/0/draining"));
	post("/undrain", "node=0");
	cr_expect_eq(count("pools"), 2);
	post("/drain", "node=1");
	cr_expect_eq(status, 200);
	cr_expect(yes("pools/0/draining"));
	cr_expect(yes("pools/1/draining"));
}

/* Pages that nobody can take. */
Test(report_act, says_why_a_node_is_not_emptied)
{
	struct remedy why;
	uint32_t head;
	carve(orders, 1, 1);
	claim(join("worker"), orders, 1, 7);
	cr_assert_eq(balance_drain(first, 1, true, &why), 0);
	get("/nodes");
	cr_expect_eq(count("pools/0/nodes/1/obstacles"), 0);
	while (slabs_carve(first, orders, 0, 0, &head) == 0)
		continue;
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/0/here_bytes"), 8 * MIB);
	cr_assert_eq(count("pools/0/nodes/1/obstacles"), 1);
	has_keys("pools/0/nodes/1/obstacles/0", " reason text remedy ");
	cr_expect_str_eq(str("pools/0/nodes/1/obstacles/0/reason"), "no-room");
	cr_expect_eq(count("pools/0/nodes/0/obstacles"), 0);
	get("/plan");
	cr_assert_geq(count("pools/0/refusals"), 1);
	has_keys("pools/0/refusals/0", " kind reason text remedy cache node ");
	cr_expect_str_eq(str("pools/0/refusals/0/kind"), "drain");
	cr_expect_eq(num("pools/0/refusals/0/node"), 1);
	cr_expect(strstr(str("pools/0/refusals/0/remedy"), "slabctl trim"));
}

/* ---- trim --------------------------------------------------------------- */

Test(report_act, trims_down_to_the_floor)
{
	post("/trim", "");
	cr_assert_eq(status, 200);
	has_keys("pools/0", " name node asked pages bytes slabs left_bytes "
	                    "floor_bytes text ");
	cr_expect_eq(num("pools/0/pages"), 0, "what was there at the start");
	cr_expect_str_neq(str("pools/0/text"), "");
	cr_expect_eq(num("pools/0/asked"), 0, "nobody is connected");
	post("/migrate", "from=0&to=1");
	cr_assert_eq(num("done"), 1);
	post("/trim", "node=0");
	cr_expect_eq(num("pools/0/pages"), 0);
	cr_expect_eq(num("pools/0/node"), 0);
	post("/trim", "node=1&ask=0");
	cr_expect_eq(num("pools/0/pages"), 1);
	cr_expect_eq(num("pools/0/bytes"), 2 * MIB);
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/1/here_pages"), 1);
	post_refused("/trim", "node=9", 400, "no node \"9\"", "nodes: 0, 1");
	post_refused("/trim", "ask=2", 400, "bad ask \"2\"",
	             "ask is 0 to 1, 1 if it is not given");
	get("/audit");
	cr_expect(yes("agree"));
}

/* Slabs that are empty go as a whole, the last of a cache too. */
Test(report_act, trim_takes_every_empty_slab)
{
	uint32_t head[96];
	uint16_t id;
	hold_still();
	for (unsigned i = 0; i < 96; i++)
		head[i] = carve(orders, 0, 0);
	id = (uint16_t)join("worker");
	slab_tags(&first->view, head[0])[3] = id;
	slab_tags(&first->view, head[95])[0] = id;
	post("/trim", "");
	cr_expect_eq(num("pools/0/slabs"), 94);
	cr_expect_eq(num("pools/0/pages"), 1);
	cr_expect_eq(num("pools/0/left_bytes"), 2 * MIB, "beyond the floor");
	cr_expect_eq(num("pools/0/floor_bytes"), 4 * MIB, "of two nodes");
	cr_expect(strstr(str("pools/0/text"), "has objects in it"), "%s",
	          str("pools/0/text"));
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/0/carved_bytes"), 2 * UNIT_BYTES);
	cr_expect_eq(num("pools/0/nodes/0/here_pages"), 2);
	get("/audit");
	cr_expect(yes("agree"));
}
