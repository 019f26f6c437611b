/* SPDX-License-Identifier: MIT */
/* Each change of a slab keeps all books of it: word, maps, counts, loans. */
#include "daemon/pool/slabs.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static uint32_t a;
static uint32_t head;

/* Of each node 2 MiB to begin with, 32 units a page; a slab is one unit. */
static void start(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 4);
	a = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	cr_assert_eq(a, 1);
}

static void finish(void)
{
	pool_fixture_agrees(&fixture);
	pool_fixture_stop(&fixture);
}

TestSuite(slabs, .init = start, .fini = finish);

static uint32_t carve(uint32_t home, uint32_t list)
{
	cr_assert_eq(slabs_carve(pool, a, home, list, &head), 0);
	cr_assert_eq(pool->view.words[head], WORD_MAKE(a, home, 0, list));
	return head;
}

static void hold(uint32_t slab)
{
	atom_store(&pool->view.leases[slab], UINT64_C(1));
}

static void let_go(uint32_t slab)
{
	atom_store(&pool->view.leases[slab], UINT64_C(0));
}

/* Slabs of the cache at home, standing and lent, all told. */
static void has(uint32_t home0, uint32_t home1, uint32_t list0, uint32_t list1,
                uint32_t lent)
{
	cr_expect_eq(*pool_slabs(pool, a, 0), home0);
	cr_expect_eq(*pool_slabs(pool, a, 1), home1);
	cr_expect_eq(pool_standing(pool, a, 0), list0);
	cr_expect_eq(pool_standing(pool, a, 1), list1);
	cr_expect_eq(pool->loans.n, lent);
	pool_fixture_agrees(&fixture);
}

Test(slabs, carved_and_reclaimed)
{
	carve(0, 0);
	carve(1, 1);
	has(1, 1, 1, 1, 0);
	cr_expect_eq(pool->counts.grown_slabs, 2);
	cr_expect_eq(slabs_reclaim(pool, head), 0);
	has(1, 0, 1, 0, 0);
	cr_expect_eq(pool->counts.taken_slabs, 1);
	cr_expect_eq(slabs_reclaim(pool, head), -EINVAL, "no slab is there");
}

Test(slabs, lent_and_returned)
{
	carve(0, 0);
	cr_expect_eq(slabs_lend(pool, head, 1), 0);
	has(1, 0, 0, 1, 1);
	cr_expect_eq(slabs_return(pool, head), 0);
	has(1, 0, 1, 0, 0);
}

Test(slabs, what_is_made_for_another_list_is_a_loan)
{
	carve(0, 1);
	has(1, 0, 0, 1, 1);
	cr_expect_eq(slabs_reclaim(pool, head), 0);
	has(0, 0, 0, 0, 0);
}

Test(slabs, what_a_client_holds_stays)
{
	carve(0, 0);
	hold(head);
	cr_expect_eq(slabs_lend(pool, head, 1), -EBUSY);
	cr_expect_eq(slabs_reclaim(pool, head), -EBUSY);
	let_go(head);
	has(1, 0, 1, 0, 0);
	cr_expect_eq(slabs_lend(pool, head, 1), 0);
	hold(head);
	cr_expect_eq(slabs_return(pool, head), -EBUSY);
	let_go(head);
	has(1, 0, 0, 1, 1);
}

Test(slabs, nothing_is_lent_that_can_not_be_noted)
{
	uint32_t max = pool->loans.max;
	uint64_t units = pages_used_units(&pool->pages);
	carve(0, 0);
	pool->loans.max = 0;
	cr_expect_eq(slabs_lend(pool, head, 1), -ENOSPC);
	cr_expect_eq(slabs_carve(pool, a, 0, 1, &head), -ENOSPC);
	cr_expect_eq(pages_used_units(&pool->pages), units + 1);
	pool->loans.max = max;
	has(1, 0, 1, 0, 0);
}

/* One that was lent there is at home now, and one that was borrowed is lent. */
Test(slabs, a_page_takes_its_slabs_along)
{
	carve(0, 0);
	carve(0, 1);
	has(2, 0, 1, 1, 1);
	slabs_rehome(pool, 0, 1);
	has(0, 2, 0, 2, 0);
	cr_expect_eq(pages_node_of(&pool->pages, 0), 1);
}

Test(slabs, a_drained_node_gets_none)
{
	pool_set_drain(pool, 0, true);
	cr_expect_eq(slabs_carve(pool, a, 0, 0, &head), -ENOSPC);
	pool_set_drain(pool, 0, false);
	carve(0, 0);
}

Test(slabs, a_node_without_memory_does_not_grow)
{
	uint32_t n = 0;
	pool->offline[0] = true;
	while (slabs_carve(pool, a, 0, 0, &head) == 0)
		n++;
	cr_expect_eq(n, 32, "what was ready is used");
	pool->offline[0] = false;
	carve(0, 0);
	cr_expect_eq(pool->pages.node[0].pages, 2);
}
