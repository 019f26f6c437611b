/* SPDX-License-Identifier: MIT */
#include "daemon/balance/wants.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "daemon/balance/balance.h"
#include "daemon/pool/ends.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"
#include "tests/lib/pool_fixture.h"

#define TWO_NODES "node:2 core:1 pu:1"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;

/* On each node 2 MiB to begin with; nothing is lent. */
static void start(uint64_t max_mib)
{
	struct config_balance alone;
	pool_fixture_start(&fixture, TWO_NODES, 2, max_mib);
	alone = *balance_config(pool);
	alone.enabled = false;
	alone.keep_slabs = 0;
	balance_configure(pool, &alone);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(wants, .fini = finish);

static uint32_t cache_of(const char *name, uint64_t size)
{
	int cache = pool_fixture_cache(&fixture, name, size, 8, 0);
	cr_assert_gt(cache, 0);
	return (uint32_t)cache;
}

static uint32_t slabs(uint32_t cache, uint32_t node)
{
	return *pool_slabs(pool, cache, node);
}

static uint32_t low_mark(uint32_t cache, uint32_t node)
{
	return pool_mark(pool, cache, node)->low_slabs;
}

static bool denied(uint32_t cache, uint32_t node)
{
	return pool_mark(pool, cache, node)->denied != 0;
}

static uint64_t ready_mib(uint32_t node)
{
	return pool_ready_units(pool, node) * UNIT_BYTES / FIXTURE_MIB;
}

static uint32_t listed(uint32_t cache, uint32_t node)
{
	struct partial list = partial_of(&pool->view, cache, node);
	return partial_count(&list, UINT32_MAX);
}

/* Grows and claims for client 1 until nothing more is to be had. */
static uint64_t use_up(uint32_t cache, uint32_t node)
{
	uint64_t sum = 0;
	while (wants_relieve(pool, cache, node) == 0)
		sum += pool_fixture_claim_all(&fixture, 1, cache, node);
	return sum;
}

static void end_client_1(void)
{
	pool_fixture_free_all(&fixture);
}

/* So that the audit knows the owner of what tests claim. */
static void live_client_1(void)
{
	pool_client(pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
}

/* ---- slabs where they are short ----------------------------------------- */

Test(wants, carves_on_the_node_that_wants)
{
	uint32_t cache;
	start(4);
	cache = cache_of("a", 64);
	cr_assert_eq(wants_relieve(pool, cache, 1), 0);
	cr_expect_eq(slabs(cache, 0), 0);
	cr_expect_geq(slabs(cache, 1), 1);
	cr_expect_eq(listed(cache, 1), slabs(cache, 1));
	cr_expect_eq(listed(cache, 0), 0);
	cr_expect_eq(pool_fixture_free(&fixture, cache, 1),
	             slabs(cache, 1) * 1024);
	cr_expect_eq(pool->counts.grown_slabs, slabs(cache, 1));
	pool_fixture_agrees(&fixture);
}

/* At the low mark nothing is carved, below it something is. */
Test(wants, carves_below_the_low_mark_alone)
{
	uint32_t cache;
	uint32_t before;
	start(4);
	cache = cache_of("a", 6000);
	cr_assert_eq(wants_relieve(pool, cache, 0), 0);
	before = slabs(cache, 0);
	cr_assert_eq(wants_relieve(pool, cache, 0), 0);
	cr_expect_eq(slabs(cache, 0), before);
	pool_fixture_claim_all(&fixture, 1, cache, 0);
	cr_assert_eq(wants_relieve(pool, cache, 0), 0);
	cr_expect_gt(slabs(cache, 0), before);
}

/* The more slabs a cache has, the earlier its clients ring. */
Test(wants, low_mark_follows_the_count)
{
	uint32_t cache;
	uint32_t last = 1;
	start(16);
	cache = cache_of("a", 64);
	while (wants_relieve(pool, cache, 0) == 0) {
		last = slabs(cache, 0) / 8;
		last = last < 16 ? last : 16;
		cr_assert_geq(low_mark(cache, 0), last);
		cr_assert_leq(low_mark(cache, 0), 256);
		pool_fixture_claim_all(&fixture, 1, cache, 0);
	}
	cr_expect_eq(slabs(cache, 0), 256);
	cr_expect_eq(last, 16);
	cr_expect_eq(low_mark(cache, 1), 1);
}

Test(wants, up_to_max_then_no_more)
{
	uint32_t cache;
	start(6);
	cache = cache_of("a", 64);
	live_client_1();
	cr_expect_eq(use_up(cache, 0), 6 * FIXTURE_MIB / 64);
	cr_expect_eq(wants_relieve(pool, cache, 0), -ENOSPC);
	cr_expect_eq(ready_mib(0), 6);
	cr_expect_eq(ready_mib(1), 2, "the other node is left alone");
	cr_expect_eq(slabs(cache, 0), 6 * 16);
	cr_expect_eq(pool_fixture_free(&fixture, cache, 0), 0);
	cr_expect_eq(wants_relieve(pool, cache, 1), 0);
	pool_fixture_agrees(&fixture);
}

/* Something is left on the list: low, but no shortage. */
Test(wants, low_is_not_empty)
{
	uint32_t cache;
	struct partial list;
	start(2);
	cache = cache_of("a", 6000);
	use_up(cache, 0);
	list = partial_of(&pool->view, cache, 0);
	slab_tags(&pool->view, 5)[0] = TAG_FREE;
	partial_set_any(&list, 5);
	cr_assert_gt(low_mark(cache, 0), 1);
	cr_expect_eq(wants_relieve(pool, cache, 0), 0);
	cr_expect_eq(pool_fixture_claim_all(&fixture, 1, cache, 0), 1);
	cr_expect_eq(wants_relieve(pool, cache, 0), -ENOSPC);
}

Test(wants, whole_pages_as_slabs)
{
	uint32_t cache;
	start(4);
	cache = cache_of("page", 2 * FIXTURE_MIB);
	cr_expect_eq(use_up(cache, 1), 2);
	cr_expect_eq(pool->view.words[64] & 0xffff, cache, "node 1 begins");
	cr_expect_eq(slabs(cache, 1), 2);
}

/* ---- from another cache ------------------------------------------------- */

Test(wants, takes_an_empty_slab)
{
	uint32_t a;
	uint32_t b;
	start(2);
	a = cache_of("a", 64);
	b = cache_of("b", 6000);
	live_client_1();
	use_up(a, 0);
	cr_assert_eq(wants_relieve(pool, b, 0), -ENOSPC, "none is empty");
	cr_expect_eq(slabs(a, 0), 32);
	end_client_1();
	cr_expect_eq(wants_relieve(pool, b, 0), 0);
	cr_expect_geq(slabs(b, 0), 1);
	cr_expect_eq(slabs(a, 0) + slabs(b, 0), 32);
	cr_expect_eq(pool->counts.taken_slabs, slabs(b, 0));
	cr_expect_eq(pool_fixture_claim_all(&fixture, 1, b, 0),
	             slabs(b, 0) * 10);
	cr_expect_eq(pool_fixture_claim_all(&fixture, 1, a, 0),
	             slabs(a, 0) * 1024);
	pool_fixture_agrees(&fixture);
}

/* One object in use keeps a slab. */
Test(wants, never_takes_one_in_use)
{
	uint32_t a;
	uint32_t b;
	start(2);
	a = cache_of("a", 64);
	b = cache_of("b", 6000);
	live_client_1();
	use_up(a, 0);
	end_client_1();
	for (uint32_t head = 0; head < 32; head++)
		slab_tags(&pool->view, head)[head * 32] = 1;
	cr_expect_eq(wants_relieve(pool, b, 0), -ENOSPC);
	cr_expect_eq(slabs(a, 0), 32);
	slab_tags(&pool->view, 7)[7 * 32] = TAG_FREE;
	cr_expect_eq(wants_relieve(pool, b, 0), 0);
	cr_expect_eq(slabs(a, 0), 31);
	cr_expect_eq(WORD_CACHE(pool->view.words[7]), b);
	pool_fixture_agrees(&fixture);
}

Test(wants, takes_several_for_a_larger_one)
{
	uint32_t a;
	uint32_t b;
	start(2);
	a = cache_of("a", 64);
	b = cache_of("b", 100000); /* 8 units */
	live_client_1();
	use_up(a, 0);
	end_client_1();
	/* Units 8 to 15 alone are wholly free. */
	for (uint32_t head = 0; head < 32; head += head == 6 ? 10 : 2)
		slab_tags(&pool->view, head)[0] = 1;
	cr_expect_eq(wants_relieve(pool, b, 0), 0);
	cr_expect_eq(slabs(b, 0), 1);
	cr_expect_eq(WORD_CACHE(pool->view.words[8]), b);
	pool_fixture_agrees(&fixture);
}

Test(wants, takes_a_larger_one_for_small_ones)
{
	uint32_t a;
	uint32_t b;
	start(2);
	a = cache_of("a", 100000);
	b = cache_of("b", 64);
	live_client_1();
	use_up(a, 0);
	cr_assert_eq(slabs(a, 0), 4);
	end_client_1();
	/* The last one stays, as long as clients asked for it lately. */
	cr_expect_eq(use_up(b, 0), 24 * 1024);
	cr_expect_eq(slabs(a, 0), 1);
	cr_expect_eq(slabs(b, 0), 24);
	cr_expect_eq(pool->counts.taken_slabs, 3);
	pool_fixture_agrees(&fixture);
}

Test(wants, takes_nothing_of_other_nodes)
{
	uint32_t a;
	uint32_t b;
	start(2);
	a = cache_of("a", 64);
	b = cache_of("b", 6000);
	live_client_1();
	use_up(a, 1);
	end_client_1();
	use_up(a, 0);
	cr_expect_eq(wants_relieve(pool, b, 0), -ENOSPC);
	cr_expect_eq(slabs(a, 1), 32);
}

/* ---- wants -------------------------------------------------------------- */

Test(wants, serves_wants)
{
	uint32_t a;
	uint32_t b;
	uint32_t seq;
	start(4);
	a = cache_of("a", 64);
	b = cache_of("b", 128);
	seq = pool->head->grow_seq;
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_NOTHING);
	cr_expect_eq(pool->head->grow_seq, seq, "nobody is woken");
	pool_fixture_want(&fixture, a, 1);
	pool_fixture_want(&fixture, b, 0);
	cr_expect_not(view_want_any(&pool->view, b, 0), "once is enough");
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_DONE);
	cr_expect_neq(pool->head->grow_seq, seq);
	cr_expect_geq(slabs(a, 1), 1);
	cr_expect_geq(slabs(b, 0), 1);
	cr_expect_eq(slabs(a, 0) + slabs(b, 1), 0);
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_NOTHING);
	pool_fixture_want(&fixture, b, 0);
}

Test(wants, denied_until_retried)
{
	uint32_t a;
	uint32_t seq;
	start(2);
	a = cache_of("a", 64);
	live_client_1();
	use_up(a, 0);
	seq = pool->head->grow_seq;
	pool_fixture_want(&fixture, a, 0);
	pool_fixture_want(&fixture, a, 1);
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_DENIED);
	cr_expect(denied(a, 0));
	cr_expect_not(denied(a, 1));
	cr_expect_neq(pool->head->grow_seq, seq, "who waits is told");
	cr_expect_eq(pool->counts.denied, 1);
	marks_clear_denied(pool);
	cr_expect_not(denied(a, 0));
	end_client_1();
	pool_fixture_want(&fixture, a, 0);
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_DONE);
	cr_expect_not(denied(a, 0));
}

/* A bad client raised wants for caches that are not. */
Test(wants, garbage_wants_are_ignored)
{
	uint32_t a;
	uint32_t seq;
	start(2);
	a = cache_of("a", 64);
	seq = pool->head->grow_seq;
	for (uint64_t w = 0; w < pool->view.geo.want_words; w++)
		pool->view.wants[w] = ~UINT64_C(3);
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_NOTHING);
	cr_expect_eq(pool->head->grow_seq, seq);
	cr_expect_eq(pool->counts.denied, 0);
	cr_expect_eq(pool->view.words[0], 0);
	for (uint64_t w = 0; w < pool->view.geo.want_words; w++)
		cr_expect_eq(pool->view.wants[w], 0);
	pool->view.wants[0] = ~UINT64_C(0);
	cr_expect_eq(pool_fixture_serve(&fixture), WANTS_DONE);
	cr_expect_geq(slabs(a, 0), 1);
	cr_expect_geq(slabs(a, 1), 1);
	pool_fixture_agrees(&fixture);
}

/* ---- in slices ---------------------------------------------------------- */

/* One slice that has no time left. */
static enum wants_outcome slice(bool *more)
{
	return wants_serve(pool, INT64_MIN, more);
}

static bool is_wanted(uint32_t cache, uint32_t node)
{
	uint64_t ix = (uint64_t)(cache - 1) * 2 + node;
	return (pool->view.wants[ix / 64] >> ix % 64 & 1) != 0;
}

Test(wants, a_slice_takes_one_want)
{
	uint32_t caches[4];
	bool more;
	start(8);
	for (uint32_t i = 0; i < 4; i++) {
		caches[i] = cache_of((char[]){(char)('a' + i), 0}, 64);
		pool_fixture_want(&fixture, caches[i], 1);
	}
	cr_expect_eq(slice(&more), WANTS_NOTHING);
	cr_expect_not(more, "nobody rang");
	wants_rung(pool);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t seq = pool->head->grow_seq;
		cr_expect_eq(slice(&more), WANTS_NOTHING);
		cr_expect(more);
		cr_expect_neq(pool->head->grow_seq, seq, "who waits is told");
		for (uint32_t k = 0; k < 4; k++) {
			cr_expect_eq(slabs(caches[k], 1) > 0, k <= i);
			cr_expect_eq(is_wanted(caches[k], 1), k > i);
		}
	}
	cr_expect_eq(slice(&more), WANTS_DONE);
	cr_expect_not(more);
	cr_expect_eq(slice(&more), WANTS_NOTHING);
	pool_fixture_agrees(&fixture);
}

/* Behind the cursor or before it, one that is raised and rung for is served;
 * and who raises it again and again keeps nobody from being served. */
Test(wants, a_ring_in_the_middle_of_a_round_is_not_lost)
{
	uint32_t a;
	uint32_t b;
	uint32_t c;
	bool more;
	start(8);
	a = cache_of("a", 64);
	b = cache_of("b", 64);
	c = cache_of("c", 64);
	pool_fixture_want(&fixture, b, 0);
	wants_rung(pool);
	slice(&more);
	cr_assert_gt(slabs(b, 0), 0);
	pool_fixture_want(&fixture, a, 0);
	pool_fixture_want(&fixture, b, 0);
	pool_fixture_want(&fixture, c, 0);
	wants_rung(pool);
	slice(&more);
	cr_expect_gt(slabs(c, 0), 0, "this round still comes by it");
	cr_expect_eq(slabs(a, 0), 0);
	cr_expect_eq(slice(&more), WANTS_DONE);
	cr_expect(more, "another one is due");
	slice(&more);
	cr_expect_gt(slabs(a, 0), 0);
	cr_expect(is_wanted(b, 0));
	slice(&more);
	cr_expect_not(is_wanted(b, 0));
	cr_expect_eq(slice(&more), WANTS_DONE);
	cr_expect_not(more);
}

Test(wants, nothing_is_denied_before_all_were_carved_for)
{
	uint32_t a;
	uint32_t b;
	bool more;
	unsigned slices = 0;
	start(2);
	a = cache_of("a", 64);
	b = cache_of("b", 128);
	live_client_1();
	use_up(a, 0);
	use_up(a, 1);
	pool_fixture_want(&fixture, a, 0);
	pool_fixture_want(&fixture, b, 0);
	pool_fixture_want(&fixture, b, 1);
	wants_rung(pool);
	while (is_wanted(a, 0) || is_wanted(b, 0) || is_wanted(b, 1)) {
		cr_expect_eq(slice(&more), WANTS_NOTHING);
		cr_expect_eq(pool->counts.denied, 0);
		cr_assert_lt(slices++, 10);
	}
	while (slice(&more) == WANTS_NOTHING)
		cr_assert_lt(slices++, 20);
	cr_expect_not(more);
	cr_expect_eq(pool->counts.denied, 3);
	cr_expect_eq(wants_unmet(pool)->n, 3);
	cr_expect(denied(a, 0) && denied(b, 0) && denied(b, 1));
	cr_expect_not(denied(a, 1), "it did not ask");
}

/* Its row may be another's before the round ends. */
Test(wants, a_cache_that_ends_meanwhile_is_not_denied)
{
	uint32_t a;
	uint32_t b;
	bool more;
	start(2);
	a = cache_of("a", 64);
	b = cache_of("b", 128);
	live_client_1();
	use_up(a, 0);
	pool_fixture_want(&fixture, b, 0);
	wants_rung(pool);
	slice(&more);
	cr_assert_eq(ends_retire(pool, b, &(struct remedy){.what = ""}), 0);
	while (slice(&more), more)
		continue;
	cr_expect_eq(pool->counts.denied, 0);
	cr_expect_not(denied(b, 0));
}
