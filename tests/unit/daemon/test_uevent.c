/* SPDX-License-Identifier: MIT */
#include "daemon/watch/uevent.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "tests/lib/pool_fixture.h"

/* ---- messages ----------------------------------------------------------- */

#define PARSE(text) uevent_parse(text, sizeof(text))

Test(hotplug, messages_of_the_kernel)
{
	cr_expect_eq(PARSE("online@/devices/system/cpu/cpu1\0ACTION=online\0"
	                   "DEVPATH=/devices/system/cpu/cpu1\0SUBSYSTEM=cpu\0"
	                   "SEQNUM=7"), UEVENT_CPUS);
	cr_expect_eq(PARSE("offline@/devices/system/memory/memory9\0"
	                   "ACTION=offline\0SUBSYSTEM=memory"),
	             UEVENT_MEMORY);
	cr_expect_eq(PARSE("add@/devices/system/node/node4\0ACTION=add\0"
	                   "SUBSYSTEM=node"), UEVENT_MEMORY);
}

Test(hotplug, garbage_is_nothing)
{
	char noise[4096];
	uint32_t seed = 1;
	cr_expect_eq(uevent_parse("", 0), UEVENT_NOTHING);
	cr_expect_eq(PARSE(""), UEVENT_NOTHING);
	cr_expect_eq(PARSE("add@/x\0ACTION=add\0SUBSYSTEM=net"),
	             UEVENT_NOTHING);
	cr_expect_eq(PARSE("bind@/x\0ACTION=bind\0SUBSYSTEM=cpu"),
	             UEVENT_NOTHING);
	cr_expect_eq(PARSE("add@/x\0ACTION=add"), UEVENT_NOTHING);
	cr_expect_eq(PARSE("add@/x\0SUBSYSTEM=cpu"), UEVENT_NOTHING);
	cr_expect_eq(PARSE("libudev\0ACTION=add\0SUBSYSTEM=cpu"),
	             UEVENT_NOTHING);
	/* Not ended: nothing beyond it may be read. */
	cr_expect_eq(uevent_parse("add@/x\0ACTION=add\0SUBSYSTEM=cpu", 30),
	             UEVENT_NOTHING);
	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof(noise); i++) {
			seed = seed * 1664525u + 1013904223u;
			noise[i] = (char)(seed >> 24 & (round % 2 ? 0x7f : 1));
		}
		noise[sizeof(noise) - 1] = '\0';
		cr_expect_eq(uevent_parse(noise, sizeof(noise)),
		             UEVENT_NOTHING);
	}
}

/* ---- the loop ----------------------------------------------------------- */

static unsigned told;
static struct event_base *base;

static void on_change(void *arg, unsigned what)
{
	(void)arg;
	told |= what;
	event_base_loopbreak(base);
}

/* What others send to the group is no message of the kernel's. */
Test(hotplug, only_the_kernel_is_heard, .timeout = 300)
{
	static const char text[] = "online@/x\0ACTION=online\0SUBSYSTEM=cpu";
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = 1};
	struct uevent_request want = {.changed = on_change};
	struct timeval while_ = {.tv_usec = 300000};
	struct uevent *hotplug;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
	                NETLINK_KOBJECT_UEVENT);
	want.base = base = event_base_new();
	if (fd < 0 || uevent_open(&hotplug, &want) < 0)
		cr_skip_test("no netlink here");
	if (sendto(fd, text, sizeof(text), 0, (void *)&to, sizeof(to)) < 0)
		cr_skip_test("the right to send is root's");
	event_base_loopexit(base, &while_);
	event_base_dispatch(base);
	cr_expect_eq(told & UEVENT_CPUS, 0);
	uevent_close(hotplug);
	event_base_free(base);
	close(fd);
}

/* ---- followed ----------------------------------------------------------- */

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static struct topo now;

static void start(void)
{
	pool_fixture_start(&fixture, "node:3 core:2 pu:1", 2, 8);
	now = fixture.topo;
}

static void finish(void)
{
	pool_fixture_agrees(&fixture);
	pool_fixture_stop(&fixture);
}

TestSuite(follow_nodes, .init = start, .fini = finish, .timeout = 300);

static uint8_t *cpu_byte(uint32_t cpu)
{
	return (uint8_t *)(uintptr_t)&pool->view.cpus[cpu];
}

Test(follow_nodes, nothing_changed)
{
	cr_expect_eq(follow_nodes(pool, &now), UEVENT_NOTHING);
}

Test(follow_nodes, a_cpu_comes_or_was_wrong)
{
	*cpu_byte(3) = NODE_NONE;
	*cpu_byte(4) = 0;
	cr_expect_eq(view_cpu_node(&pool->view, 3), 0);
	cr_expect_eq(follow_nodes(pool, &now), UEVENT_CPUS);
	cr_expect_eq(view_cpu_node(&pool->view, 3), 1);
	cr_expect_eq(view_cpu_node(&pool->view, 4), 2);
	cr_expect_eq(follow_nodes(pool, &now), UEVENT_NOTHING);
}

Test(follow_nodes, a_cpu_that_goes_changes_nothing)
{
	now.cpu_node[3] = TOPO_NODE_NONE;
	now.n_cpus = 5;
	cr_expect_eq(follow_nodes(pool, &now), UEVENT_NOTHING);
	cr_expect_eq(view_cpu_node(&pool->view, 3), 1);
	cr_expect_eq(view_cpu_node(&pool->view, 5), 2);
}

/* Without node 1 the others have other indexes: their ids count. */
static void lose_node_1(void)
{
	now.n_nodes = 2;
	now.node[1] = now.node[2];
	for (unsigned cpu = 0; cpu < now.n_cpus; cpu++)
		now.cpu_node[cpu] = (uint8_t)(now.cpu_node[cpu] == 2);
}

Test(follow_nodes, a_nodes_memory_goes_and_comes_back)
{
	struct topo whole = now;
	int cache = pool_fixture_cache(&fixture, "c", 64, 8, 0);
	uint64_t pages = pool->pages.node[1].pages;
	uint64_t unit;
	lose_node_1();
	cr_expect_eq(follow_nodes(pool, &now),
	             UEVENT_CPUS | UEVENT_MEMORY);
	cr_expect(pool->offline[1]);
	cr_expect_not(pool->offline[2]);
	/* Its CPUs count for a node that is there, the others as before. */
	cr_expect_eq(view_cpu_node(&pool->view, 2), 0);
	cr_expect_eq(view_cpu_node(&pool->view, 4), 2);
	/* Nothing more is taken of it. */
	while (pages_take(&pool->pages, 1, 1, &unit) == 0)
		;
	cr_expect_not(wants_ahead(pool) && pool->pages.node[1].pages > pages);
	cr_expect_eq(pool->pages.node[1].pages, pages);
	for (uint64_t i = 0; i < pool->pages.page_units; i++)
		pages_give(&pool->pages, pages_first(&pool->pages, 1) *
		              pool->pages.page_units + i, 1);
	cr_expect_eq(follow_nodes(pool, &whole),
	             UEVENT_CPUS | UEVENT_MEMORY);
	cr_expect_not(pool->offline[1]);
	cr_expect_eq(view_cpu_node(&pool->view, 2), 1);
	cr_expect_gt(cache, 0);
}

Test(follow_nodes, pages_are_looked_at_in_bounds)
{
	uint64_t page = 0;
	unsigned calls = 0;
	while (follow_pages(pool, &page, 5))
		calls++;
	cr_expect_eq(page, pool->pages.n_pages);
	cr_expect_eq(calls, (pool->pages.n_pages - 1) / 5);
}
