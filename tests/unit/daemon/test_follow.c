/* SPDX-License-Identifier: MIT */
#include "daemon/balance/follow.h"

#include <criterion/criterion.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "tests/lib/pool_fixture.h"

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

TestSuite(follow, .init = start, .fini = finish, .timeout = 300);

static uint8_t *cpu_byte(uint32_t cpu)
{
	return (uint8_t *)(uintptr_t)&pool->view.cpus[cpu];
}

Test(follow, nothing_changed)
{
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_NOTHING);
}

Test(follow, a_cpu_comes_or_was_wrong)
{
	*cpu_byte(3) = NODE_NONE;
	*cpu_byte(4) = 0;
	cr_expect_eq(view_cpu_node(&pool->view, 3), 0);
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_CPUS);
	cr_expect_eq(view_cpu_node(&pool->view, 3), 1);
	cr_expect_eq(view_cpu_node(&pool->view, 4), 2);
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_NOTHING);
}

/* As at a start with those CPUs offline, which come later. */
Test(follow, a_node_gets_its_first_cpu)
{
	struct topo whole = now;
	now.cpu_node[4] = now.cpu_node[5] = TOPO_NODE_NONE;
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_CPUS);
	cr_expect_eq(pool->view.nodes[2].flags & NODE_HAS_CPU, 0);
	cr_expect_neq(pool->view.nodes[1].flags & NODE_HAS_CPU, 0);
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_NOTHING);
	now.cpu_node[5] = 2;
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_CPUS);
	cr_expect_neq(pool->view.nodes[2].flags & NODE_HAS_CPU, 0);
	cr_expect_eq(follow_nodes(pool, &whole), FOLLOW_NOTHING);
}

Test(follow, a_cpu_that_goes_changes_nothing)
{
	now.cpu_node[3] = TOPO_NODE_NONE;
	now.n_cpus = 5;
	cr_expect_eq(follow_nodes(pool, &now), FOLLOW_NOTHING);
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

Test(follow, a_nodes_memory_goes_and_comes_back)
{
	struct topo whole = now;
	int cache = pool_fixture_cache(&fixture, "c", 64, 8, 0);
	uint64_t pages = pool->pages.node[1].pages;
	uint64_t unit;
	lose_node_1();
	cr_expect_eq(follow_nodes(pool, &now),
	             FOLLOW_CPUS | FOLLOW_MEMORY);
	cr_expect(pool->offline[1]);
	cr_expect_not(pool->offline[2]);
	/* Its CPUs count for a node that is there, the others as before. */
	cr_expect_eq(view_cpu_node(&pool->view, 2), 0);
	cr_expect_eq(view_cpu_node(&pool->view, 4), 2);
	/* Nothing more is taken of it. */
	while (pages_take(&pool->pages, 1, 1, &unit) == 0)
		;
	cr_expect_not(ahead_work(pool) && pool->pages.node[1].pages > pages);
	cr_expect_eq(pool->pages.node[1].pages, pages);
	for (uint64_t i = 0; i < pool->pages.page_units; i++)
		pages_give(&pool->pages, pages_first(&pool->pages, 1) *
		              pool->pages.page_units + i, 1);
	cr_expect_eq(follow_nodes(pool, &whole),
	             FOLLOW_CPUS | FOLLOW_MEMORY);
	cr_expect_not(pool->offline[1]);
	cr_expect_eq(view_cpu_node(&pool->view, 2), 1);
	cr_expect_gt(cache, 0);
}

Test(follow, pages_are_looked_at_in_bounds)
{
	uint64_t page = 0;
	unsigned calls = 0;
	while (follow_pages(pool, &page, 5))
		calls++;
	cr_expect_eq(page, PAGES_NONE);
	/* Those that are ready alone. */
	cr_expect_eq(calls, (pool->pages.node[0].pages +
	                     pool->pages.node[1].pages) / 5);
}
