/* SPDX-License-Identifier: MIT */
/* One client with what it has, and lists of what lies somewhere alone. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/admin/owned.h"
#include "daemon/pool/clients.h"
#include "daemon/serve/peer.h"
#include "shm/slab.h"

TestSuite(report_owned, .init = set_up, .fini = tear_down);

static uint32_t a, b, quotes;

/* a: 5 orders at home on node 0, 7 on node 1; b: 3 quotes on node 1. */
static void fill(void)
{
	a = join("worker");
	b = join("other");
	quotes = make_cache(first, "quotes", 64);
	carve(orders, 0, 0);
	carve(orders, 1, 1);
	carve(quotes, 1, 1);
	claim(a, orders, 0, 5);
	claim(a, orders, 1, 7);
	claim(b, quotes, 1, 3);
}

static void get_of(const char *path, uint32_t id)
{
	char text[64];
	snprintf(text, sizeof(text), "%s%u", path, id);
	get(text);
}

Test(report_owned, a_client_by_cache_and_node)
{
	fill();
	get_of("/clients?client=", a);
	cr_assert_eq(status, 200);
	cr_expect_eq(count("pools/0/clients"), 1);
	cr_expect_eq(num("pools/0/clients/0/id"), a);
	cr_expect_eq(num("pools/0/clients/0/objects"), 12);
	has_keys("pools/0/client", " caches threads thread_nodes ");
	cr_expect_eq(count("pools/0/client/caches"), 2);
	has_keys("pools/0/client/caches/0",
	         " id cache node objects bytes held_objects given_objects ");
	cr_expect_str_eq(str("pools/0/client/caches/0/cache"), "orders");
	cr_expect_eq(num("pools/0/client/caches/0/node"), 0);
	cr_expect_eq(num("pools/0/client/caches/0/objects"), 5);
	cr_expect_eq(num("pools/0/client/caches/0/bytes"), 5 * STRIDE);
	cr_expect_eq(num("pools/0/client/caches/1/node"), 1);
	cr_expect_eq(num("pools/0/client/caches/1/objects"), 7);
	get_of("/clients?node=1&client=", a);
	cr_expect_eq(count("pools/0/client/caches"), 1, "the node's alone");
}

/* A client's word, which is cut to what its tags say; nonsense is left out. */
Test(report_owned, what_it_holds_is_its_word)
{
	struct peer_held_row rows[] = {{.cache = 1, .node = 0, .objects = 2},
	                               {.cache = 1, .node = 1, .objects = 900},
	                               {.cache = 99, .node = 0, .objects = 1},
	                               {.cache = 1, .node = 64, .objects = 1}};
	struct peer peer = {.pool = first, .sock = -1};
	fill();
	rows[0].cache = rows[1].cache = rows[3].cache = orders;
	peer.id = a;
	peer.held.rows = rows;
	peer.held.n = 4;
	peer.survey[SURVEY_HELD].heard = true;
	peer.survey[SURVEY_HELD].seq = 1000;
	server.peers = &peer;
	get_of("/clients?client=", a);
	cr_expect_eq(num("pools/0/client/caches/0/held_objects"), 2);
	cr_expect_eq(num("pools/0/client/caches/1/held_objects"), 7);
	peer.held.cut = true;
	get_of("/clients?client=", a);
	cr_expect_not(yes("pools/0/clients/0/held_known"));
	server.peers = NULL;
}

Test(report_owned, lists_of_what_is_somewhere)
{
	fill();
	get("/clients?cache=orders");
	cr_expect_eq(count("pools/0/clients"), 1);
	cr_expect_eq(num("pools/0/clients/0/matched_objects"), 12);
	cr_expect_eq(num("pools/0/clients/0/matched_bytes"), 12 * STRIDE);
	get("/clients?node=1");
	cr_expect_eq(count("pools/0/clients"), 2);
	cr_expect_eq(num("pools/0/clients/0/matched_objects"), 7);
	cr_expect_eq(num("pools/0/clients/0/objects"), 12, "all that it has");
	get("/clients?node=0&cache=quotes");
	cr_expect_eq(count("pools/0/clients"), 0);
	get("/caches?cache=quotes");
	cr_expect_eq(count("pools/0/caches"), 1);
	cr_expect_str_eq(str("pools/0/caches/0/name"), "quotes");
	get("/caches?node=0");
	cr_expect_eq(count("pools/0/caches"), 1);
	cr_expect_eq(count("pools/0/caches/0/nodes"), 1);
	cr_expect_eq(num("pools/0/caches/0/slabs"), 2, "all that there are");
	get("/nodes?node=1");
	cr_expect_eq(count("pools/0/nodes"), 1);
	cr_expect_eq(num("pools/0/nodes/0/node"), 1);
	get_of("/slabs?client=", b);
	cr_expect_eq(count("pools/0/slabs"), 1);
	cr_expect_str_eq(str("pools/0/slabs/0/cache"), "quotes");
	get_of("/arenas?client=", b);
	cr_expect_eq(count("pools/0/arenas"), 0);
}

Test(report_owned, more_pools)
{
	fill();
	set_up_pool(1, "second");
	get("/clients?node=1");
	cr_expect_eq(count("pools/0/clients"), 2);
	cr_expect_eq(count("pools/1/clients"), 0);
	refused("/clients?client=1", 400, "there are several pools",
	        "give pool, one of: default, second");
	get("/clients?client=1&pool=default");
	cr_expect_eq(count("pools/0/clients"), 1);
}

Test(report_owned, what_is_not_there)
{
	static const char see[] = "slabctl clients shows which there are";
	static const char ids[] = "client is 1 to 32766";
	fill();
	refused("/clients?client=3", 404, "no client 3", see);
	refused("/slabs?client=32766", 404, "no client 32766", see);
	refused("/arenas?client=9", 404, "no client 9", see);
	refused("/clients?client=32767", 400, "bad client \"32767\"", ids);
	refused("/clients?client=x", 400, "bad client \"x\"", ids);
	refused("/clients?cache=order", 400, "no cache \"order\"",
	        "caches: orders, quotes");
	refused("/caches?node=2", 400, "no node \"2\"", "nodes: 0, 1");
	refused("/nodes?node=7", 400, "no node \"7\"", "nodes: 0, 1");
}

/* Whatever a client writes into its tags is one of the characters. */
Test(report_owned, dump_of_a_slab)
{
	uint32_t id = join("worker"), dead = join("dead");
	uint32_t head = carve(orders, 1, 1);
	uint16_t *tags = slab_tags(&first->view, head);
	char path[48];
	claim(id, orders, 1, 6);
	claim(dead, orders, 1, 1);
	clients_reap(first, dead);
	atom_store(&tags[1], (uint16_t)(id | TAG_KNOWN));
	atom_store(&tags[2], (uint16_t)(id | TAG_KNOWN));
	atom_store(slab_gen_of(&first->view, tags) + 2, GEN_WAITING);
	atom_store(&tags[3], (uint16_t)TAG_SRV);
	atom_store(&tags[4], (uint16_t)12345);
	atom_store(&tags[5], (uint16_t)0xffff);
	snprintf(path, sizeof(path), "/dump?slab=%u", (head << UNIT_SHIFT) + 77);
	get(path);
	cr_assert_eq(status, 200);
	has_keys("", " pool offset cache size node list objects shown listed "
	             "lease counts owners map ");
	cr_expect_eq(strncmp(str("map"), "ohgs??d...", 10), 0, "%.10s",
	             str("map"));
	cr_expect_eq(strlen(str("map")), PER_SLAB);
	cr_expect_eq(num("objects"), PER_SLAB);
	cr_expect_eq(num("counts/o"), 1);
	cr_expect_eq(num("counts/?"), 2);
	cr_expect_eq(num("counts/."), PER_SLAB - 7);
	cr_expect_eq(num("offset"), head << UNIT_SHIFT);
	cr_expect_eq(count("owners"), 2);
	cr_expect_eq(num("owners/0/id"), id);
	cr_expect_eq(num("owners/0/objects"), 3);
	refused("/dump?slab=12000000", 404, "no slab at 0xb71b00",
	        "slabctl slabs lists them with their offsets");
	refused("/dump?slab=9223372036854775807", 404,
	        "no slab at 0x7fffffffffffffff",
	        "slabctl slabs lists them with their offsets");
	refused("/dump", 400, "no slab is given",
	        "slab, an offset that slabctl slabs shows");
}
