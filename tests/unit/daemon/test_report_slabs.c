/* SPDX-License-Identifier: MIT */
/* The list of slabs, its parameters, and what is said of bad ones. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shm/partial.h"

TestSuite(report_slabs, .init = set_up, .fini = tear_down);

/* ---- slabs -------------------------------------------------------------- */

Test(report_slabs, one_by_one)
{
	uint32_t id = join("worker");
	uint32_t a = carve(orders, 0, 0);
	uint32_t b = carve(orders, 1, 0);
	struct partial list = partial_of(&first->view, orders, 0);
	claim(id, orders, 0, 4);
	partial_clear_any(&list, b);
	atom_store(&first->view.leases[b], id | 1u << 16);
	get("/slabs");
	has_keys("pools/0", " name total slabs ");
	has_keys("pools/0/slabs/0", " offset cache node list bytes objects "
	                            "used free listed lease ");
	cr_expect_eq(num("pools/0/total"), 2);
	cr_expect_eq(count("pools/0/slabs"), 2);
	cr_expect_eq(num("pools/0/slabs/0/offset"),
	             (long long)(a * UNIT_BYTES));
	cr_expect_str_eq(str("pools/0/slabs/0/cache"), "orders");
	cr_expect_eq(num("pools/0/slabs/0/node"), 0);
	cr_expect_eq(num("pools/0/slabs/0/bytes"), UNIT_BYTES);
	cr_expect_eq(num("pools/0/slabs/0/objects"), PER_SLAB);
	cr_expect_eq(num("pools/0/slabs/0/used"), 4);
	cr_expect_eq(num("pools/0/slabs/0/free"), PER_SLAB - 4);
	cr_expect(yes("pools/0/slabs/0/listed"));
	cr_expect_eq(num("pools/0/slabs/0/lease"), 0);
	cr_expect_eq(num("pools/0/slabs/1/offset"),
	             (long long)(b * UNIT_BYTES));
	cr_expect_eq(num("pools/0/slabs/1/node"), 1);
	cr_expect_eq(num("pools/0/slabs/1/list"), 0);
	cr_expect_not(yes("pools/0/slabs/1/listed"));
	cr_expect_eq(num("pools/0/slabs/1/lease"), id);
}

static void slabs(const char *query, long long total, size_t n)
{
	char path[100];
	snprintf(path, sizeof(path), "/slabs?%s", query);
	get(path);
	cr_expect_eq(status, 200, "%s", query);
	cr_expect_eq(num("pools/0/total"), total, "%s", query);
	cr_expect_eq(count("pools/0/slabs"), n, "%s", query);
}

Test(report_slabs, filtered)
{
	uint32_t big = make_cache(first, "big", 40000);
	for (int i = 0; i < 3; i++)
		carve(orders, 0, 0);
	carve(orders, 1, 1);
	carve(big, 1, 1);
	slabs("pool=default", 5, 5);
	slabs("cache=orders", 4, 4);
	slabs("cache=big", 1, 1);
	slabs("node=0", 3, 3);
	slabs("node=1&cache=orders", 1, 1);
	slabs("limit=2", 5, 2);
	slabs("limit=0", 5, 0);
	slabs("limit=100000&node=0&cache=big&pool=default", 0, 0);
}

Test(report_slabs, are_a_hundred_unless_told)
{
	pages_add(&first->pages, first->pages.node[0].pages, 3, 0);
	for (int i = 0; i < 103; i++)
		carve(orders, 0, 0);
	slabs("cache=orders", 103, 100);
	slabs("limit=103", 103, 103);
}

Test(report_slabs, bad_parameters)
{
	static const char limits[] = "limit is 0 to 100000, 100 if it is not "
	                             "given";
	make_cache(first, "big", 40000);
	refused("/slabs?limit=100001", 400, "bad limit \"100001\"", limits);
	refused("/slabs?limit=-1", 400, "bad limit \"-1\"", limits);
	refused("/slabs?limit=", 400, "bad limit \"\"", limits);
	refused("/slabs?node=2", 400, "no node \"2\"", "nodes: 0, 1");
	refused("/slabs?node=x", 400, "no node \"x\"", "nodes: 0, 1");
	refused("/slabs?node=4294967296", 400, "no node \"4294967296\"",
	        "nodes: 0, 1");
	refused("/slabs?cache=%ff", 400, "no cache \"\\xff\"",
	        "caches: orders, big");
	refused("/slabs?pool=x&limit=x", 404, "no pool \"x\"",
	        "pools: default");
	refused("/slabs?size=1", 400, "unknown parameter",
	        "parameters of /slabs: pool cache node client limit");
}

Test(report_slabs, many_names_are_cut)
{
	char name[NAME_BYTES];
	const char *remedy;
	for (int i = 0; i < 7; i++) {
		memset(name, 'a' + i, NAME_BYTES - 1);
		name[NAME_BYTES - 1] = '\0';
		make_cache(first, name, 64);
	}
	get("/slabs?cache=none");
	cr_expect_eq(status, 400);
	remedy = str("remedy");
	cr_expect_eq(strncmp(remedy, "caches: orders, aaa", 19), 0);
	cr_expect_str_eq(remedy + strlen(remedy) - 8, "ccc, ...");
}
