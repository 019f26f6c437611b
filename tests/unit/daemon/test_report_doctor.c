/* SPDX-License-Identifier: MIT */
/* Each thing that can be wrong, brought about alone, is found and named. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/balance/wants.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/peer.h"
#include "shm/arena_live.h"
#include "shm/slab.h"

TestSuite(report_doctor, .init = set_up, .fini = tear_down);

/* The finding whose text has that in it; its number, or -1. */
static int found(const char *what)
{
	char path[64];
	for (size_t i = 0; i < count("findings"); i++) {
		snprintf(path, sizeof(path), "findings/%zu/what", i);
		if (strstr(str(path), what) != NULL)
			return (int)i;
	}
	return -1;
}

static const char *of(int i, const char *key)
{
	static char path[64];
	snprintf(path, sizeof(path), "findings/%d/%s", i, key);
	return str(path);
}

/* The only thing wrong, but that nobody supervises a test's slabd. */
static void finds(const char *urgency, const char *what, const char *todo)
{
	int i;
	get("/doctor");
	i = found(what);
	cr_assert(i >= 0, "%s is not found", what);
	cr_expect_str_eq(of(i, "urgency"), urgency);
	cr_expect(strstr(of(i, "todo"), todo) != NULL, "%s: do: %s", what,
	          of(i, "todo"));
	cr_expect_eq(count("findings"), 2, "%zu findings", count("findings"));
	cr_expect(found("nobody supervises") >= 0);
}

Test(report_doctor, a_slabd_that_nobody_supervises)
{
	get("/doctor");
	has_keys("", " findings ");
	cr_assert_eq(count("findings"), 1);
	has_keys("findings/0", " urgency pool node what todo ");
	cr_expect_str_eq(str("findings/0/urgency"), "soon");
	cr_expect(strstr(str("findings/0/todo"), "--supervise") != NULL);
}

Test(report_doctor, a_pool_set_aside)
{
	first->head->aside = 1;
	finds("now", "set aside", "end its clients");
}

Test(report_doctor, pages_smaller_than_wanted)
{
	struct backing_node *node = &first->backing.node[1];
	snprintf(node->reason, sizeof(node->reason), "no hugepages");
	snprintf(node->remedy, sizeof(node->remedy), "reserve some");
	finds("soon", "no hugepages", "reserve some");
	cr_expect_eq(num(found("no hugepages") == 0 ? "findings/0/node"
	                                            : "findings/1/node"),
	             first->view.nodes[1].os_id);
}

/* They are as they are to be, and the kernel has no more. */
Test(report_doctor, no_more_pages)
{
	struct backing_node *node = &first->backing.node[1];
	node->lack = BACKING_LACK_PAGES;
	snprintf(node->reason, sizeof(node->reason), "0 free hugepages");
	snprintf(node->remedy, sizeof(node->remedy), "reserve some");
	finds("soon", "it does not grow: 0 free hugepages", "reserve some");
	get("/nodes");
	cr_expect(yes("pools/0/nodes/0/grows"));
	cr_expect_not(yes("pools/0/nodes/1/grows"));
}

/* Nobody is refused anything yet. */
Test(report_doctor, a_machine_that_is_short_of_memory)
{
	server.kernel = PLAN_SOME;
	get("/doctor");
	cr_expect_lt(found("very short of memory"), 0);
	server.kernel = PLAN_FULL;
	finds("soon", "the kernel is very short of memory", "slabctl trim");
	server.kernel = PLAN_CALM;
}

/* It is the running pool's: what a reload changed is looked at anew. */
Test(report_doctor, settings_that_wait)
{
	static struct config_pool other;
	other = *first->config;
	other.start_bytes = 8 * MIB;
	other.page = CONFIG_PAGE_2M;
	first->config = &other;
	get("/doctor");
	cr_assert(found("page = 2m in slabd.conf waits for a pool made anew") >=
	          0);
	cr_expect_str_eq(of(found("page = 2m in slabd.conf"), "todo"),
	                 "end its clients, then stop slabd and start it");
	cr_expect_eq(count("findings"), 3);
	get("/status");
	cr_expect_eq(count("pools/0/waiting"), 2);
	has_keys("pools/0/waiting/0", " key configured running restart ");
	cr_expect_not(yes("pools/0/waiting/0/restart"));
	cr_expect(yes("pools/0/waiting/1/restart"));
	other.page = CONFIG_PAGE_4K;
	finds("soon", "start = 8 MiB in slabd.conf waits for a start of slabd",
	      "restart slabd once its clients have ended: nobody keeps its "
	      "pools");
}

Test(report_doctor, a_machine_that_lacks_what_is_configured)
{
	static struct config other;
	other = *server.config;
	other.pools[0].max_bytes = UINT64_C(1) << 40;
	server.config = &other;
	finds("note", "key \"max\" in [pool default] is 1048576 MiB, and node 0",
	      "lower max");
}

Test(report_doctor, a_client_that_is_stopped)
{
	uint32_t id = join("asleep");
	struct peer peer = {.pool = first, .id = id, .sock = 0};
	pid_t child = fork();
	char todo[64];
	if (child == 0)
		for (;;)
			pause();
	server.peers = &peer;
	pool_client(first, id)->pid = child;
	carve(orders, 0, 0);
	claim(id, orders, 0, 64);
	get("/doctor");
	cr_expect_eq(found("is stopped"), -1);
	kill(child, SIGSTOP);
	cr_assert_eq(waitpid(child, NULL, WUNTRACED), child);
	snprintf(todo, sizeof(todo), "kill -CONT %d, or end it", child);
	finds("soon", "asleep) is stopped, and owns 6 KiB", todo);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	server.peers = NULL;
}

Test(report_doctor, a_client_far_from_its_memory)
{
	uint32_t id = join("far");
	uint64_t *stats = first->view.stats + (uint64_t)id * STATS_WORDS;
	atom_store(&stats[STAT_REFILLED], UINT64_C(9999));
	atom_store(&stats[STAT_REMOTE_ALLOCS], UINT64_C(9999));
	get("/doctor");
	cr_expect_eq(found("from other nodes"), -1);
	atom_store(&stats[STAT_REFILLED], UINT64_C(20000));
	atom_store(&stats[STAT_REMOTE_ALLOCS], UINT64_C(1999));
	get("/doctor");
	cr_expect_eq(found("from other nodes"), -1);
	atom_store(&stats[STAT_REMOTE_ALLOCS], UINT64_C(5000));
	get("/doctor");
	cr_expect(found("gets 25 % of its objects from other nodes") >= 0);
	/* Any number may stand there. */
	atom_store(&stats[STAT_REFILLED], UINT64_MAX);
	atom_store(&stats[STAT_REMOTE_ALLOCS], UINT64_MAX);
	get("/doctor");
	cr_expect(found("gets 100 % of its objects") >= 0);
}

Test(report_doctor, a_client_that_lost_its_connection)
{
	uint32_t id = join("mute");
	finds("soon", "lost its connection", "slabctl evict");
	clients_ban(first, id);
	finds("soon", "(pid 4242, mute) is shut out", "end it: kill 4242");
}

Test(report_doctor, a_node_that_is_being_emptied)
{
	pool_set_drain(first, 0, true);
	finds("note", "being emptied", "slabctl nodes");
}

/* All live in one process here, of one user. */
Test(report_doctor, places_that_are_taken)
{
	static struct config_pool other;
	struct peer peer[2] = {{.pool = first, .id = join("a"), .sock = 0},
	                       {.pool = first, .id = join("b"), .sock = 0}};
	peer[0].next = &peer[1];
	server.peers = peer;
	other = *first->config;
	other.max_clients = 3;
	other.max_clients_process = other.max_clients_user = 3;
	first->config = &other;
	get("/doctor");
	cr_expect_eq(count("findings"), 1);
	other.max_clients = 2;
	finds("soon", "all of its max_clients = 2 are taken: more are refused",
	      "raise it in slabd.conf, and reload slabd");
	other.max_clients = 9;
	other.max_clients_process = 2;
	finds("soon", "all of its max_clients_process = 2 are taken by process 4242",
	      "slabctl clients");
	server.peers = NULL;
}

/* All of the pool, by one owner; a list that asks for more is refused it. */
static void fill(uint32_t id)
{
	hold_still();
	for (uint32_t node = 0; node < 2; node++) {
		while (wants_relieve(first, orders, node) == 0) {
			struct slab_user user = {
				.view = &first->view,
				.data = (char *)(UINT64_C(1) << 40),
				.id = id,
				.epoch = clients_epoch(first, id)};
			void *out[SLAB_RUN_MAX];
			bool ring;
			while (slab_claim_any(&user, orders, node, SLAB_RUN_MAX,
			                      out, &ring) > 0)
				continue;
		}
	}
}

Test(report_doctor, a_full_pool_and_whose_root_has_it)
{
	struct remedy why;
	char name[NAME_BYTES] = "book";
	char want[48];
	int root = roots_open(first, join("maker"), name, &why);
	cr_assert_gt(root, 0, "%s", why.what);
	fill((uint32_t)root);
	get("/doctor");
	snprintf(want, sizeof(want), "%% by a root or a channel, id %d", root);
	cr_expect(found(want) >= 0);
}

Test(report_doctor, a_full_pool_and_who_has_it)
{
	uint32_t id = join("hoarder");
	char text[80];
	int i;
	fill(id);
	get("/doctor");
	i = found("of its max of 16 MiB are in use");
	cr_assert(i >= 0);
	snprintf(text, sizeof(text), "client %u (pid %d, hoarder)", id,
	         first->view.clients[id].pid);
	cr_expect(strstr(of(i, "what"), text) != NULL, "%s", of(i, "what"));
}

/* What a client says in each chunk of its slab. */
static void say(uint32_t head, uint64_t bytes)
{
	struct arena_live live = {.magic = ARENA_LIVE_MAGIC,
	                          .since_ns = 1,
	                          .bytes = bytes,
	                          .name = "session"};
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(pwrite(first->backing.node[0].fd, &live,
		                    sizeof(live),
		                    (off_t)(head << UNIT_SHIFT) + i * 8192),
		             (ssize_t)sizeof(live));
}

Test(report_doctor, an_arena_that_nobody_resets)
{
	struct config_pool *config = (struct config_pool *)(uintptr_t)first->config;
	uint32_t cache = make_cache(first, "arena-8192", 8192);
	uint32_t head = carve(cache, 0, 0);
	uint32_t id = join("gateway");
	config->arena_warn_s = 1;
	claim(id, cache, 0, 1);
	say(head, 15 * MIB);
	get("/doctor");
	cr_expect_eq(found("arena"), -1, "it is small");
	say(head, 16 * MIB);
	get("/doctor");
	cr_assert(found("arena session of client") >= 0);
	cr_expect_str_eq(of(found("arena session"), "urgency"), "soon");
	cr_expect(strstr(of(found("arena session"), "what"), "never reset in "));
	cr_expect(strstr(of(found("arena session"), "todo"), "arena_warn_age"));
	get("/arenas");
	cr_expect(yes("pools/0/arenas/0/overdue"));
	config->arena_warn_s = 0;
	get("/doctor");
	cr_expect_eq(found("arena"), -1, "never");
}

Test(report_doctor, the_most_urgent_come_first)
{
	pool_set_drain(first, 0, true);
	first->head->aside = 1;
	get("/doctor");
	cr_assert_eq(count("findings"), 3);
	cr_expect_str_eq(str("findings/0/urgency"), "now");
	cr_expect_str_eq(str("findings/1/urgency"), "soon");
	cr_expect_str_eq(str("findings/2/urgency"), "note");
}
