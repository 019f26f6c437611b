/* SPDX-License-Identifier: MIT */
/* The documents against what was done to the pool. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/balance/wants.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/sweep.h"
#include "daemon/serve/peer.h"
#include "shm/slab.h"

TestSuite(report, .init = set_up, .fini = tear_down);

/* ---- status ------------------------------------------------------------- */

Test(report, status_of_an_empty_pool)
{
	get("/status");
	cr_assert_eq(status, 200);
	has_keys("",
	         " version layout_version pid uptime_s dropped slowed supervisor pressure "
	         "limits "
	         "orphans left config turns pools startup ");
	has_keys("pools/0",
	         " name nodes page_bytes max_bytes ready_bytes carved_bytes "
	         "used_bytes held_bytes held_unknown free_bytes metadata_bytes "
	         "caches clients deaths "
	         "swept_objects rings grown_slabs taken_slabs denied "
	         "ended_caches given_back_bytes refilled_bytes stray_pages aside leaving "
	         "waiting swept_granules sweep_slices ");
	has_keys("turns", " count total_us p50_us p99_us p999_us longest_us "
	                  "longest_what longest_part_us longest_at_s silent_us "
	                  "waited_us buckets ");
	has_keys("dropped", " garbage short oversized version descriptors "
	                    "flood timeout refused limit ");
	has_keys("startup/0", " pool node backing pages ms reason remedy ");
	cr_expect_str_eq(str("version"), PACKAGE_VERSION);
	cr_expect_eq(num("layout_version"), LAYOUT_VERSION);
	cr_expect_eq(num("pid"), getpid());
	cr_expect(real("uptime_s") >= 5 && real("uptime_s") < 60);
	cr_expect_eq(num("pools/0/nodes"), 2);
	cr_expect_eq(num("pools/0/page_bytes"), 2 * MIB);
	cr_expect_eq(num("pools/0/max_bytes"), 16 * MIB);
	cr_expect_eq(num("pools/0/ready_bytes"), 4 * MIB);
	cr_expect_eq(num("pools/0/carved_bytes"), 0);
	cr_expect_eq(num("pools/0/caches"), 1);
	cr_expect_eq(num("pools/0/clients"), 0);
}

Test(report, status_counts_what_was_done)
{
	uint32_t id = join("worker");
	uint32_t head;
	cr_assert_eq(wants_relieve(first, orders, 0), 0);
	head = carve(orders, 1, 1);
	claim(id, orders, 0, 10);
	claim(id, orders, 1, 20);
	server.drops.count[DROP_FLOOD] = 3;
	first->counts.rings = 7;
	get("/status");
	cr_expect_eq(num("dropped/flood"), 3);
	cr_expect_eq(num("dropped/garbage"), 0);
	has_keys("pressure", " watched reason remedy ");
	cr_expect_eq(num("pools/0/carved_bytes"), 2 * UNIT_BYTES);
	cr_expect_eq(num("pools/0/used_bytes"), 30 * STRIDE);
	cr_expect_eq(num("pools/0/free_bytes"), (2 * PER_SLAB - 30) * STRIDE);
	cr_expect_eq(num("pools/0/grown_slabs"), 2);
	cr_expect_eq(num("pools/0/clients"), 1);
	cr_expect_eq(num("pools/0/rings"), 7);
	clients_reap(first, id);
	sweep_rest(first);
	cr_assert_eq(slab_reclaim_srv(&first->view, head), 0);
	get("/status");
	cr_expect_eq(num("pools/0/carved_bytes"), UNIT_BYTES);
	cr_expect_eq(num("pools/0/used_bytes"), 0);
	cr_expect_eq(num("pools/0/free_bytes"), PER_SLAB * STRIDE);
	cr_expect_eq(num("pools/0/clients"), 0);
	cr_expect_eq(num("pools/0/swept_objects"), 30);
}

/* Of turns it is known within an eighth how long they took, but for the longest. */
Test(report, status_has_no_turn_above_the_longest)
{
	struct turns *turns = (struct turns *)(uintptr_t)turn_counts();
	int64_t longest_us = (int64_t)turn_below_us(20) - 1;
	memset(turns, 0, sizeof(*turns));
	turns->count = turns->bucket[20] = 1;
	turns->longest_ns = longest_us * CLOCK_US;
	turns->longest_what = "admin";
	get("/status");
	cr_expect_eq(num("turns/longest_us"), longest_us);
	cr_expect_eq(num("turns/p50_us"), longest_us);
	cr_expect_eq(num("turns/p999_us"), longest_us);
}

Test(report, status_knows_resident_metadata)
{
	struct stat a;
	struct stat b;
	long long before;
	get("/status");
	before = num("pools/0/metadata_bytes");
	cr_assert_eq(fstat(first->control_fd, &a), 0);
	cr_assert_eq(fstat(first->shared_fd, &b), 0);
	cr_expect_eq(before, (a.st_blocks + b.st_blocks) * 512);
	/* Sparse: the last page of the tags has not been touched yet. */
	cr_assert_lt(before, (long long)(first->view.geo.control_bytes +
	                                 first->view.geo.shared_bytes));
	((char *)first->shared)[first->view.geo.shared_bytes - 1] = 1;
	get("/status");
	cr_expect_eq(num("pools/0/metadata_bytes"), before + 4096);
}

Test(report, startup_is_what_the_start_gave)
{
	struct backing *b = &first->backing;
	b->n_steps = 3;
	b->steps[0] = (struct backing_step){1, BACKING_1G, "no 1g", "get 1g",
	                                     BACKING_LACK_KIND};
	b->steps[1] = (struct backing_step){1, BACKING_2M, "no 2m", "get 2m",
	                                     BACKING_LACK_KIND};
	b->steps[2] = (struct backing_step){1, BACKING_THP, "no thp", "",
	                                     BACKING_LACK_KIND};
	b->node[0].populate_ns = 12500000;
	strcpy(b->node[0].reason, "the last growth lacked memory");
	pages_add(&first->pages, first->pages.node[0].pages, 1, 0);
	get("/status");
	cr_expect_eq(count("startup"), 2);
	cr_expect_str_eq(str("startup/0/pool"), "default");
	cr_expect_eq(num("startup/0/node"), 0);
	cr_expect_eq(num("startup/0/pages"), 1);
	cr_expect_eq(real("startup/0/ms"), 12.5);
	cr_expect_str_eq(str("startup/0/backing"), "4k");
	cr_expect_str_eq(str("startup/0/reason"), "");
	cr_expect_str_eq(str("startup/0/remedy"), "");
	cr_expect_eq(num("startup/1/node"), 1);
	cr_expect_str_eq(str("startup/1/reason"), "no 2m");
	cr_expect_str_eq(str("startup/1/remedy"), "get 2m");
	cr_expect_eq(num("pools/0/ready_bytes"), 6 * MIB);
}

/* ---- nodes and caches --------------------------------------------------- */

Test(report, nodes_hold_what_is_at_home)
{
	uint32_t id = join("worker");
	carve(orders, 0, 0);
	carve(orders, 0, 1);
	carve(orders, 1, 1);
	claim(id, orders, 0, 5);
	get("/nodes");
	has_keys("pools/0", " name page_bytes remote_with_room nodes "
	                    "held_unknown ");
	has_keys("pools/0/nodes/0",
	         " node cpus has_cpu simulated backing grows reason remedy "
	         "max_bytes ready_bytes empty_bytes carved_bytes "
	         "used_bytes held_bytes free_bytes empty_slabs "
	         "waste_bytes lent_bytes lent_used_bytes borrowed_bytes slabs "
	         "partial here_pages here_bytes draining offline pressure holdups "
	         "obstacles distance short ");
	cr_expect_eq(num("pools/0/page_bytes"), 2 * MIB);
	cr_expect_eq(count("pools/0/nodes"), 2);
	cr_expect_str_eq(str("pools/0/nodes/1/cpus"), "1");
	cr_expect(yes("pools/0/nodes/0/has_cpu"));
	cr_expect(yes("pools/0/nodes/0/simulated"));
	cr_expect_str_eq(str("pools/0/nodes/0/backing"), "4k");
	cr_expect_eq(num("pools/0/nodes/0/max_bytes"), 8 * MIB);
	cr_expect_eq(num("pools/0/nodes/0/ready_bytes"), 2 * MIB);
	cr_expect_eq(num("pools/0/nodes/0/carved_bytes"), 2 * UNIT_BYTES);
	cr_expect_eq(num("pools/0/nodes/0/used_bytes"), 5 * STRIDE);
	cr_expect_eq(num("pools/0/nodes/0/free_bytes"),
	             (2 * PER_SLAB - 5) * STRIDE);
	cr_expect_eq(num("pools/0/nodes/0/waste_bytes"),
	             2 * (UNIT_BYTES - PER_SLAB * STRIDE));
	cr_expect_eq(num("pools/0/nodes/0/slabs"), 2);
	cr_expect_eq(num("pools/0/nodes/0/partial"), 2);
	cr_expect_eq(num("pools/0/nodes/0/lent_bytes"), UNIT_BYTES);
	cr_expect_eq(num("pools/0/nodes/0/borrowed_bytes"), 0);
	cr_expect_eq(num("pools/0/nodes/0/lent_used_bytes"), 0);
	cr_expect_str_eq(str("pools/0/nodes/0/pressure"), "calm");
	cr_expect_eq(num("pools/0/nodes/1/carved_bytes"), UNIT_BYTES);
	cr_expect_eq(num("pools/0/nodes/1/lent_bytes"), 0);
	cr_expect_eq(num("pools/0/nodes/1/borrowed_bytes"), UNIT_BYTES);
	/* The lent one's turn comes when the node's own has nothing left. */
	claim(id, orders, 1, 256);
	claim(id, orders, 1, 256);
	claim(id, orders, 1, PER_SLAB - 512);
	claim(id, orders, 1, 9);
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/0/lent_used_bytes"), 9 * STRIDE);
	balance_press(first, 1, PLAN_FULL);
	get("/nodes");
	cr_expect_str_eq(str("pools/0/nodes/0/pressure"), "calm");
	cr_expect_str_eq(str("pools/0/nodes/1/pressure"), "full");
	cr_expect_eq(num("pools/0/nodes/0/distance/0"), 10);
	cr_expect_eq(num("pools/0/nodes/0/distance/1"), 20);
	cr_expect_eq(count("pools/0/nodes/1/distance"), 2);
}

Test(report, nodes_tell_what_growth_lacks)
{
	strcpy(first->backing.node[1].reason, "no room");
	strcpy(first->backing.node[1].remedy, "make room");
	get("/nodes");
	cr_expect_str_eq(str("pools/0/nodes/0/reason"), "");
	cr_expect_str_eq(str("pools/0/nodes/1/reason"), "no room");
	cr_expect_str_eq(str("pools/0/nodes/1/remedy"), "make room");
}

Test(report, nodes_go_by_the_kernels_id)
{
	pool_node(first, 1)->os_id = 9;
	carve(orders, 1, 0);
	get("/nodes");
	cr_expect_eq(num("pools/0/nodes/1/node"), 9);
	get("/caches");
	cr_expect_eq(num("pools/0/caches/0/nodes/1/node"), 9);
	get("/status");
	cr_expect_eq(num("startup/1/node"), 9);
	get("/slabs?node=9");
	cr_expect_eq(num("pools/0/slabs/0/node"), 9);
	cr_expect_eq(num("pools/0/slabs/0/list"), 0);
	get("/slabs?node=1");
	cr_expect_eq(status, 400);
	cr_expect_str_eq(str("remedy"), "nodes: 0, 9");
}

Test(report, caches_hold_their_own)
{
	uint32_t id = join("worker");
	uint32_t big = make_cache(first, "big", 40000);
	carve(orders, 0, 0);
	carve(big, 0, 1);
	carve(big, 1, 1);
	claim(id, orders, 0, 7);
	claim(id, big, 1, 2);
	get("/caches");
	has_keys("pools/0/caches/0",
	         " id name size align stride slab_bytes objects_per_slab "
	         "colours "
	         "waste_pct flags slabs objects used held free empty_slabs "
	         "openers version "
	         "nodes ");
	has_keys("pools/0/caches/0/nodes/0", " node slabs used held free lent ");
	cr_expect_eq(count("pools/0/caches"), 2);
	cr_expect_eq(num("pools/0/caches/0/id"), orders);
	cr_expect_str_eq(str("pools/0/caches/0/name"), "orders");
	cr_expect_eq(num("pools/0/caches/0/size"), 96);
	cr_expect_eq(num("pools/0/caches/0/align"), 16);
	cr_expect_eq(num("pools/0/caches/0/stride"), STRIDE);
	cr_expect_eq(num("pools/0/caches/0/slab_bytes"), UNIT_BYTES);
	cr_expect_eq(num("pools/0/caches/0/objects_per_slab"), PER_SLAB);
	cr_expect_float_eq(real("pools/0/caches/0/waste_pct"), 6400. / 65536,
	                   1e-6);
	cr_expect_eq(num("pools/0/caches/0/slabs"), 1);
	cr_expect_eq(num("pools/0/caches/0/objects"), PER_SLAB);
	cr_expect_eq(num("pools/0/caches/0/used"), 7);
	cr_expect_eq(num("pools/0/caches/0/free"), PER_SLAB - 7);
	cr_expect_eq(num("pools/0/caches/0/nodes/0/used"), 7);
	cr_expect_eq(num("pools/0/caches/0/nodes/1/slabs"), 0);
	cr_expect_eq(num("pools/0/caches/1/slab_bytes"), 2 * UNIT_BYTES);
	cr_expect_eq(num("pools/0/caches/1/objects_per_slab"), 3);
	cr_expect_eq(num("pools/0/caches/1/slabs"), 2);
	cr_expect_eq(num("pools/0/caches/1/used"), 2);
	cr_expect_eq(num("pools/0/caches/1/nodes/0/lent"), 1);
	cr_expect_eq(num("pools/0/caches/1/nodes/1/lent"), 0);
	cr_expect_eq(num("pools/0/caches/1/nodes/0/free") +
	                     num("pools/0/caches/1/nodes/1/free"),
	             4);
}

/* ---- clients ------------------------------------------------------------ */

Test(report, clients_hold_what_carries_their_id)
{
	uint32_t a = join("worker");
	uint32_t b = join("other");
	struct peer peer = {.pool = first, .id = b, .sock = 0};
	char name[NAME_BYTES] = "eu-2";
	struct remedy why;
	server.peers = &peer;
	carve(orders, 0, 0);
	claim(a, orders, 0, 5);
	claim(b, orders, 0, 9);
	view_count(&first->view, b, STAT_REFILLS, 3);
	view_count(&first->view, b, STAT_REFUSED, 1);
	cr_assert_eq(clients_rename(first, b, name, &why), 0);
	get("/clients");
	has_keys("pools/0/clients/0",
	         " id epoch pid uid name process state connected age_s "
	         "objects bytes held_known held_objects held_bytes used_bytes "
	         "given_objects given_bytes "
	         "refills refilled flushes flushed depot_gets depot_puts "
	         "remote_allocs remote_frees rings waits failures refused "
	         "resumes remote_with_room ");
	cr_expect_eq(count("pools/0/clients"), 2);
	cr_expect_eq(num("pools/0/clients/0/id"), a);
	cr_expect_eq(num("pools/0/clients/0/epoch"), 1);
	cr_expect_eq(num("pools/0/clients/0/pid"), 4242);
	cr_expect_eq(num("pools/0/clients/0/uid"), 1000);
	cr_expect_str_eq(str("pools/0/clients/0/name"), "worker");
	cr_expect_str_eq(str("pools/0/clients/0/process"), "worker");
	cr_expect_str_eq(str("pools/0/clients/1/name"), "eu-2");
	cr_expect_str_eq(str("pools/0/clients/1/process"), "other");
	cr_expect_str_eq(str("pools/0/clients/0/state"), "live");
	cr_expect_not(yes("pools/0/clients/0/connected"));
	cr_expect(real("pools/0/clients/0/age_s") >= 0);
	cr_expect(real("pools/0/clients/0/age_s") < 60);
	cr_expect_eq(num("pools/0/clients/0/objects"), 5);
	cr_expect_eq(num("pools/0/clients/0/bytes"), 5 * STRIDE);
	cr_expect_eq(num("pools/0/clients/0/refills"), 0);
	cr_expect(yes("pools/0/clients/1/connected"));
	cr_expect_eq(num("pools/0/clients/1/objects"), 9);
	cr_expect_eq(num("pools/0/clients/1/refills"), 3);
	cr_expect_eq(num("pools/0/clients/1/refused"), 1);
	server.peers = NULL;
}

Test(report, clients_count_for_themselves)
{
	static const char *const keys[] = {
	        "refills",    "refilled",   "flushes",       "flushed",
	        "depot_gets", "depot_puts", "remote_allocs", "remote_frees",
	        "rings",      "waits",      "failures",      "refused",
	        "resumes",    "remote_with_room",
	};
	uint32_t id = join("worker");
	char path[64];
	for (uint32_t i = 0; i < STATS_WORDS; i++)
		view_count(&first->view, id, (enum stats_word)i, 100 + i);
	get("/clients");
	for (unsigned i = 0; i < 14; i++) {
		snprintf(path, sizeof(path), "pools/0/clients/0/%s", keys[i]);
		cr_expect_eq(num(path), 100 + i, "%s", keys[i]);
	}
}

Test(report, clients_die_and_go)
{
	uint32_t a = join("worker");
	uint32_t b = join("other");
	carve(orders, 0, 0);
	claim(a, orders, 0, 5);
	claim(b, orders, 0, 9);
	clients_reap(first, a);
	sweep_rest(first);
	get("/clients");
	cr_expect_eq(count("pools/0/clients"), 2);
	cr_expect_str_eq(str("pools/0/clients/0/state"), "dead");
	cr_expect_eq(num("pools/0/clients/0/objects"), 0);
	cr_expect_eq(num("pools/0/clients/0/bytes"), 0);
	cr_expect_eq(num("pools/0/clients/1/objects"), 9);
	clients_free(first, a);
	get("/clients");
	cr_expect_eq(count("pools/0/clients"), 1);
	cr_expect_eq(num("pools/0/clients/0/id"), b);
}

Test(report, clients_may_say_anything)
{
	uint32_t id = join("\xff\x1b[2J");
	pool_client(first, id)->since += 1000;
	for (uint32_t i = 0; i < STATS_WORDS; i++)
		atom_store(&first->view.stats[id * STATS_WORDS + i],
		           UINT64_MAX);
	get("/clients");
	cr_expect_eq(status, 200);
	cr_expect_str_eq(str("pools/0/clients/0/name"), "\\xff\\x1b[2J");
	cr_expect_eq(num("pools/0/clients/0/rings"), INT64_MAX);
	cr_expect_eq(real("pools/0/clients/0/age_s"), 0);
}

/* ---- several pools ------------------------------------------------------ */

Test(report, pools_apart)
{
	static const char *const paths[] = {"status", "nodes", "caches",
	                                    "clients", "slabs", "audit"};
	set_up_pool(1, "trade");
	make_cache(&server.pools[1], "lots", 64);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/%s", paths[i]);
		get(path);
		cr_expect_eq(count("pools"), 2);
		cr_expect_str_eq(str("pools/0/name"), "default");
		cr_expect_str_eq(str("pools/1/name"), "trade");
		strcat(path, "?pool=trade");
		get(path);
		cr_expect_eq(count("pools"), 1);
		cr_expect_str_eq(str("pools/0/name"), "trade");
		strcat(path, "s");
		refused(path, 404, "no pool \"trades\"",
		        "pools: default, trade");
	}
	get("/status?pool=trade");
	cr_expect_eq(count("startup"), 2);
	cr_expect_str_eq(str("startup/0/pool"), "trade");
	get("/slabs?cache=lots");
	cr_expect_eq(status, 200);
	refused("/slabs?cache=lots&pool=default", 400, "no cache \"lots\"",
	        "caches: orders");
	/* As they are where that is a text, and else as in the log. */
	refused("/slabs?cache=%e6%bc%a2%1b&pool=default", 400,
	        "no cache \"\xe6\xbc\xa2\x1b\"", "caches: orders");
	refused("/slabs?cache=%ff%1b&pool=default", 400,
	        "no cache \"\\xff\\x1b\"", "caches: orders");
	make_cache(first, "\xe6\xbc\xa2", 64);
	refused("/slabs?cache=lots&pool=default", 400, "no cache \"lots\"",
	        "caches: orders, \xe6\xbc\xa2");
}
