/* SPDX-License-Identifier: MIT */
/* Who has objects on a node that is emptied: counted while tags are. */
#include "daemon/pool/holders.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "daemon/pool/slabs.h"
#include "daemon/pool/usage.h"
#include "tests/lib/pool_fixture.h"

#define PER_SLAB 1024u

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static uint32_t a, b;

static void start(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 4);
	a = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	b = (uint32_t)pool_fixture_cache(&fixture, "b", 64, 8, 0);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(holders, .init = start, .fini = finish);

static void claim(uint32_t id, uint32_t cache, uint32_t node, uint32_t slabs)
{
	uint32_t head;
	while (slabs-- > 0)
		cr_assert_eq(slabs_carve(pool, cache, node, node, &head), 0);
	pool_fixture_claim_all(&fixture, id, cache, node);
}

Test(holders, are_counted_where_a_node_is_emptied)
{
	struct usage usage;
	struct holder most[3];
	claim(1, a, 0, 1);
	claim(1, a, 1, 1);
	claim(2, a, 1, 3);
	claim(2, b, 1, 2);
	cr_assert_eq(usage_take(&usage, pool), 0);
	cr_expect_null(usage.holders);
	usage_done(&usage);
	pool_set_drain(pool, 1, true);
	cr_assert_eq(usage_take(&usage, pool), 0);
	cr_assert_not_null(usage.holders);
	cr_expect_eq(holders_most(usage.holders, 0, most, 3), 0);
	cr_expect_eq(holders_most(usage.holders, 1, most, 1), 1);
	cr_expect_eq(holders_most(usage.holders, 1, most, 3), 3);
	cr_expect_eq(most[0].client, 2);
	cr_expect_eq(most[0].cache, a);
	cr_expect_eq(most[0].objects, 3 * PER_SLAB);
	cr_expect_eq(most[0].bytes, 3 * PER_SLAB * 64);
	cr_expect_eq(most[1].cache, b);
	cr_expect_eq(most[1].objects, 2 * PER_SLAB);
	cr_expect_eq(most[2].client, 1);
	cr_expect_eq(most[2].objects, PER_SLAB);
	usage_done(&usage);
}

/* More than there is room for: some are left out, none is taken for another. */
Test(holders, beyond_the_room_for_them)
{
	struct holders *holders = calloc(1, sizeof(*holders));
	struct holder most;
	uint16_t *tags;
	uint32_t head;
	cr_assert_not_null(holders);
	cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	tags = slab_tags(&pool->view, head);
	for (uint32_t from = 1; from < 10 * PER_SLAB; from += PER_SLAB) {
		for (uint32_t i = 0; i < PER_SLAB; i++)
			tags[i] = (uint16_t)(from + i);
		holders_add(holders, pool, head);
	}
	cr_expect_eq(holders_most(holders, 0, &most, 1), 1);
	cr_expect_eq(most.objects, 1);
	for (uint32_t i = 0; i < PER_SLAB; i++)
		tags[i] = TAG_FREE;
	holders_add(holders, pool, head);
	cr_expect_eq(holders_most(holders, 1, &most, 1), 0);
	free(holders);
}
