/* SPDX-License-Identifier: MIT */
/* Who has what nobody may need any more, and in which order. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/pool/clients.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/peer.h"

TestSuite(report_leaks, .init = set_up, .fini = tear_down);

Test(report_leaks, of_an_empty_pool)
{
	get("/leaks");
	cr_assert_eq(status, 200);
	has_keys("pools/0", " name total leaks ");
	cr_expect_eq(num("pools/0/total"), 0);
	cr_expect_eq(count("pools/0/leaks"), 0);
}

/* Dead before unlinked before one that has just come. */
Test(report_leaks, the_most_suspicious_first)
{
	uint32_t young = join("young");
	uint32_t lost = join("lost");
	uint32_t dead = join("dead");
	struct peer peer = {.pool = first, .id = young, .sock = 0};
	server.peers = &peer;
	carve(orders, 0, 0);
	claim(young, orders, 0, 20);
	claim(lost, orders, 0, 5);
	claim(dead, orders, 0, 1);
	clients_reap(first, dead);
	get("/leaks");
	has_keys("pools/0/leaks/0",
	         " suspicion kind id pid name objects bytes age_s what todo ");
	cr_expect_eq(num("pools/0/total"), 3);
	cr_expect_str_eq(str("pools/0/leaks/0/suspicion"), "likely");
	cr_expect_str_eq(str("pools/0/leaks/0/kind"), "dead");
	cr_expect_eq(num("pools/0/leaks/0/id"), dead);
	cr_expect(strstr(str("pools/0/leaks/0/what"),
	                 "has ended, and 1 object of it is not back yet"));
	cr_expect(strstr(str("pools/0/leaks/1/what"), "owns 5 objects, and"));
	cr_expect_str_eq(str("pools/0/leaks/1/kind"), "unlinked");
	cr_expect_eq(num("pools/0/leaks/1/objects"), 5);
	cr_expect_eq(num("pools/0/leaks/1/bytes"), 5 * STRIDE);
	cr_expect_str_eq(str("pools/0/leaks/2/suspicion"), "kept");
	cr_expect_str_eq(str("pools/0/leaks/2/name"), "young");
	server.peers = NULL;
}

Test(report_leaks, one_that_has_it_for_long)
{
	uint32_t old = join("old");
	struct peer peer = {.pool = first, .id = old, .sock = 0};
	server.peers = &peer;
	carve(orders, 0, 0);
	claim(old, orders, 0, 2);
	pool_client(first, old)->since -= 3599;
	get("/leaks");
	cr_expect_str_eq(str("pools/0/leaks/0/suspicion"), "kept");
	pool_client(first, old)->since -= 3;
	get("/leaks");
	cr_expect_str_eq(str("pools/0/leaks/0/suspicion"), "possible");
	cr_expect(real("pools/0/leaks/0/age_s") >= 3600);
	cr_expect(strstr(str("pools/0/leaks/0/todo"), "slabctl clients"));
	server.peers = NULL;
}

/* An id of the pool's own has what is in its tags, whoever made it. */
Test(report_leaks, a_root_that_names_nothing)
{
	struct remedy why;
	uint32_t id = join("worker");
	char name[NAME_BYTES] = "book";
	int root = roots_open(first, id, name, &why);
	cr_assert_gt(root, 0, "%s", why.what);
	get("/leaks");
	cr_expect_eq(num("pools/0/total"), 0, "it has nothing");
	carve(orders, 0, 0);
	claim((uint32_t)root, orders, 0, 3);
	get("/leaks");
	cr_expect_eq(num("pools/0/total"), 1);
	cr_expect_str_eq(str("pools/0/leaks/0/kind"), "root");
	cr_expect_str_eq(str("pools/0/leaks/0/suspicion"), "likely");
	cr_expect_str_eq(str("pools/0/leaks/0/name"), "book");
	cr_expect_eq(num("pools/0/leaks/0/objects"), 3);
}

Test(report_leaks, at_most_so_many)
{
	uint32_t a = join("a");
	uint32_t b = join("b");
	char path[32];
	carve(orders, 0, 0);
	claim(a, orders, 0, 3);
	claim(b, orders, 0, 9);
	get("/leaks?limit=1");
	cr_expect_eq(num("pools/0/total"), 2);
	cr_expect_eq(count("pools/0/leaks"), 1);
	cr_expect_eq(num("pools/0/leaks/0/id"), b);
	snprintf(path, sizeof(path), "/leaks?client=%u", a);
	get(path);
	cr_expect_eq(num("pools/0/total"), 1);
	cr_expect_eq(num("pools/0/leaks/0/id"), a);
	refused("/leaks?limit=1001", 400, "bad limit \"1001\"",
	        "limit is 0 to 1000, 100 if it is not given");
	refused("/leaks?client=4", 404, "no client 4",
	        "slabctl clients shows which there are");
}
