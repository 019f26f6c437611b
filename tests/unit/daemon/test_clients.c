/* SPDX-License-Identifier: MIT */
#include "daemon/pool/clients.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/balance/wants.h"
#include "daemon/base/clock.h"
#include "daemon/pool/slabs.h"
#include "daemon/pool/sweep.h"
#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/tags.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;

static void start(void)
{
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 2);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(clients, .init = start, .fini = finish);

static uint32_t take(const char *comm)
{
	int id = clients_take(&fixture.pool, 77, 1000, comm);
	cr_assert_gt(id, 0);
	cr_assert_lt(id, (int)CLIENT_IDS);
	return (uint32_t)id;
}

static void reap(uint32_t id)
{
	clients_reap(&fixture.pool, id);
	sweep_rest(&fixture.pool);
}

static void sweep_again(uint32_t id)
{
	sweep_join(&fixture.pool, id);
	sweep_rest(&fixture.pool);
	clients_free(&fixture.pool, id);
}

static void reap_and_free(uint32_t id)
{
	reap(id);
	sweep_again(id);
}

/* As slabd_give does. */
static void give(uint32_t from, uint32_t to, uint16_t *tag, uint32_t head)
{
	view_touch_any(&fixture.pool.view, to, head);
	cr_assert(tags_give_own(tag, slab_gen_of(&fixture.pool.view, tag),
	                        (uint16_t)from, (uint16_t)to));
}

static enum client_state state_of(uint32_t id)
{
	return (enum client_state)(fixture.pool.view.clients[id].word & 0xff);
}

Test(clients, lives_dies_and_is_free)
{
	uint32_t id = take("worker");
	const struct layout_client *row = &fixture.pool.view.clients[id];
	cr_expect(view_client_live(&fixture.pool.view, id));
	cr_expect_eq(row->pid, 77);
	cr_expect_eq(row->uid, 1000);
	cr_expect_str_eq(row->comm, "worker");
	cr_expect_eq(fixture.pool.n_clients, 1);
	reap(id);
	cr_expect_eq(state_of(id), CLIENT_DEAD);
	cr_expect_not(view_client_live(&fixture.pool.view, id));
	cr_expect_eq(fixture.pool.n_clients, 0);
	sweep_again(id);
	cr_expect_eq(state_of(id), CLIENT_FREE);
	cr_expect_not(view_client_live(&fixture.pool.view, id));
}

/* By a clock that nobody sets: how long somebody has been there. */
Test(clients, came_at_a_time_that_stays)
{
	test_clock_set(INT64_C(5000) * CLOCK_S);
	cr_expect_eq(pool_client(&fixture.pool, take("new"))->since, 5000);
	test_clock_run();
}

Test(clients, long_name_is_cut)
{
	uint32_t id = take("a name of more than fifteen");
	cr_expect_str_eq(fixture.pool.view.clients[id].comm, "a name of more ");
}

Test(clients, nobody_is_not_live)
{
	cr_expect_not(view_client_live(&fixture.pool.view, 0));
	cr_expect_not(view_client_live(&fixture.pool.view, CLIENT_IDS));
	cr_expect_not(view_client_live(&fixture.pool.view, UINT32_MAX));
}

/* An id comes again only after every other had its turn. */
Test(clients, reused_as_late_as_possible, .timeout = 300)
{
	static bool seen[CLIENT_IDS];
	uint32_t stays = take("stays");
	uint32_t id = 0;
	seen[stays] = true;
	for (uint32_t i = 1; i < CLIENT_ID_MAX; i++) {
		id = take("comes and goes");
		cr_assert_leq(id, CLIENT_ID_MAX);
		cr_assert_not(seen[id], "id %u again after %u", id, i);
		seen[id] = true;
		cr_assert_eq(clients_epoch(&fixture.pool, id), 1);
		reap_and_free(id);
	}
	for (uint32_t i = 0; i < 10; i++) {
		id = take("second round");
		cr_assert_neq(id, stays);
		cr_assert_eq(clients_epoch(&fixture.pool, id), 2);
		reap_and_free(id);
	}
}

/* Between reap and free an id is nobody's to have. */
Test(clients, dead_is_passed_over)
{
	uint32_t id = take("dead");
	reap(id);
	fixture.pool.last_id = id - 1 + (id == 1) * CLIENT_ID_MAX;
	cr_expect_neq(take("other"), id);
	cr_expect_eq(clients_epoch(&fixture.pool, id), 1);
}

Test(clients, as_many_as_configured)
{
	uint32_t ids[4];
	for (uint32_t i = 0; i < 4; i++)
		ids[i] = take("one of four");
	cr_expect_eq(clients_take(&fixture.pool, 1, 1, "fifth"), -EAGAIN);
	cr_expect_eq(fixture.pool.n_clients, 4);
	reap(ids[2]);
	cr_expect_gt(clients_take(&fixture.pool, 1, 1, "fifth"), 0);
	cr_expect_eq(clients_take(&fixture.pool, 1, 1, "sixth"), -EAGAIN);
}

Test(clients, counts_begin_at_zero)
{
	uint32_t id = take("counts");
	view_count(&fixture.pool.view, id, STAT_REFUSED, 7);
	reap_and_free(id);
	fixture.pool.last_id = id - 1 + (id == 1) * CLIENT_ID_MAX;
	cr_assert_eq(take("again"), id);
	for (uint32_t i = 0; i < STATS_WORDS; i++)
		cr_expect_eq(fixture.pool.view.stats[id * STATS_WORDS + i], 0);
}

/* ---- sweeps ------------------------------------------------------------- */

/* A cache with two slabs, all free. */
static uint32_t two_slabs(void)
{
	int cache = pool_fixture_cache(&fixture, "objects", 6000, 8, 0);
	struct layout_mark *mark = pool_mark(&fixture.pool, (uint32_t)cache, 0);
	cr_assert_eq(wants_relieve(&fixture.pool, (uint32_t)cache, 0), 0);
	mark->low_slabs = 2;
	cr_assert_eq(wants_relieve(&fixture.pool, (uint32_t)cache, 0), 0);
	cr_assert_eq(pool_fixture_free(&fixture, (uint32_t)cache, 0), 20);
	return (uint32_t)cache;
}

Test(clients, reap_frees_what_it_held)
{
	uint32_t cache = two_slabs();
	uint32_t id = take("dies");
	uint32_t other = take("lives");
	uint16_t *tags = slab_tags(&fixture.pool.view, 0);
	cr_assert_eq(pool_fixture_claim_all(&fixture, id, cache, 0), 20);
	give(id, other, &tags[3], 0);
	cr_assert(lease_take_any(&fixture.pool.view.leases[0], id, 1));
	reap(id);
	cr_expect_eq(fixture.pool.counts.swept_objects, 19);
	cr_expect_eq(fixture.pool.due.swept.by_id[id], 19);
	cr_expect_eq(fixture.pool.counts.swept_leases, 1);
	cr_expect_eq(fixture.pool.counts.repaired_bits, 2);
	cr_expect_eq(tags[3], other | TAG_KNOWN);
	cr_expect_eq(pool_fixture_free(&fixture, cache, 0), 19);
	pool_fixture_agrees(&fixture);
	cr_expect_eq(pool_fixture_claim_all(&fixture, other, cache, 0), 19);
}

/* A give raced with the receiver's death: its tag appears after the sweep. */
Test(clients, give_to_the_dead_is_swept)
{
	uint32_t cache = two_slabs();
	uint32_t giver = take("giver");
	uint32_t dead = take("dead");
	uint16_t *tags = slab_tags(&fixture.pool.view, 0);
	cr_assert_eq(pool_fixture_claim_all(&fixture, giver, cache, 0), 20);
	reap(dead);
	give(giver, dead, &tags[9], 0);
	pool_fixture_agrees(&fixture);
	sweep_again(dead);
	cr_expect_eq(tags[9], TAG_FREE);
	cr_expect_eq(pool_fixture_free(&fixture, cache, 0), 1);
	pool_fixture_agrees(&fixture);
	cr_expect_eq(pool_fixture_claim_all(&fixture, giver, cache, 0), 1);
}

/* A giver killed half way may leave an object under an id that was freed, and
 * its note forgotten, before: its own death brings it back. */
Test(clients, stray_comes_back_with_its_giver)
{
	uint32_t cache = two_slabs();
	uint32_t giver = take("giver");
	uint32_t other = take("lives");
	uint32_t dead = take("dead");
	uint16_t *tags = slab_tags(&fixture.pool.view, 0);
	cr_assert_eq(pool_fixture_claim_all(&fixture, giver, cache, 0), 20);
	give(giver, other, &tags[2], 0);
	view_touch_any(&fixture.pool.view, dead, 0);
	reap_and_free(dead);
	cr_assert_not(sweep_has_touched(&fixture.pool, dead));
	cr_assert(tags_give_own(&tags[9],
	                        slab_gen_of(&fixture.pool.view, &tags[9]),
	                        (uint16_t)giver, (uint16_t)dead));
	reap(giver);
	cr_expect_eq(tags[9], TAG_FREE);
	cr_expect_eq(tags[2], other | TAG_KNOWN);
	cr_expect_eq(pool_fixture_free(&fixture, cache, 0), 19);
	pool_fixture_agrees(&fixture);
}

/* Slower still: the give lands after the id was freed. That is not the next
 * one to be used then. */
Test(clients, later_give_is_swept_before_reuse)
{
	uint32_t cache = two_slabs();
	uint32_t giver = take("giver");
	uint32_t dead = take("dead");
	uint16_t *tags = slab_tags(&fixture.pool.view, 0);
	cr_assert_eq(pool_fixture_claim_all(&fixture, giver, cache, 0), 20);
	reap_and_free(dead);
	give(giver, dead, &tags[9], 0);
	fixture.pool.last_id = dead - 1;
	cr_assert_neq(take("next"), dead);
	sweep_rest(&fixture.pool);
	cr_expect_eq(tags[9], TAG_FREE, "it is not the next one's");
	fixture.pool.last_id = dead - 1;
	cr_assert_eq(take("later"), dead);
	pool_fixture_agrees(&fixture);
}

/* Somebody noted something of every id: some are passed over, not all. */
Test(clients, notes_do_not_use_up_the_ids)
{
	uint32_t first = take("first");
	two_slabs();
	for (uint32_t i = 0; i < 100; i++)
		reap_and_free(take("comes and goes"));
	for (uint32_t id = first + 1; id <= first + 100; id++)
		view_touch_any(&fixture.pool.view, id, 0);
	fixture.pool.last_id = first;
	cr_expect_eq(take("next"), first + 65);
}

/* For givers it is the client that it was; the next to have the id is free. */
Test(clients, barred_until_its_end)
{
	const struct view *view = &fixture.pool.view;
	uint32_t id = take("bad");
	uint64_t word = view_client_word(view, id);
	uint32_t epoch = clients_epoch(&fixture.pool, id);
	cr_expect_not(clients_is_banned(&fixture.pool, id));
	clients_ban(&fixture.pool, id);
	cr_expect(clients_is_banned(&fixture.pool, id));
	cr_expect_eq(view_client_word(view, id), word);
	cr_expect_eq(clients_epoch(&fixture.pool, id), epoch);
	reap_and_free(id);
	fixture.pool.last_id = id - 1;
	cr_assert_eq(take("next"), id);
	cr_expect_not(clients_is_banned(&fixture.pool, id));
	cr_expect_eq(clients_epoch(&fixture.pool, id), epoch + 1);
}

/* The slab lies above pages that went back to the kernel. */
Test(clients, sets_bits_that_are_due)
{
	uint32_t large, small, head, id;
	struct partial list;
	pool_fixture_stop(&fixture);
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 6, 6);
	id = take("became another");
	large = (uint32_t)pool_fixture_cache(&fixture, "pages", 2000000, 8, 0);
	small = (uint32_t)pool_fixture_cache(&fixture, "objects", 6000, 8, 0);
	cr_assert_eq(slabs_carve(&fixture.pool, large, 0, 0, &head), 0);
	cr_assert_eq(slabs_carve(&fixture.pool, large, 0, 0, &head), 0);
	cr_assert_eq(slabs_carve(&fixture.pool, small, 0, 0, &head), 0);
	cr_assert_eq(head, 64);
	for (uint32_t page = 0; page < 2; page++) {
		cr_assert_eq(slabs_reclaim(&fixture.pool, page * 32), 0);
		pages_drop(&fixture.pool.pages, page);
		cr_assert_eq(backing_purge(&fixture.pool.backing, 0, page, 1),
		             0);
	}
	list = partial_of(&fixture.pool.view, small, 0);
	view_touch_any(&fixture.pool.view, id, head);
	partial_clear_any(&list, head);
	test_clock_advance(0); /* so that a look takes no time */
	cr_assert(clients_relist(&fixture.pool, id));
	sweep_rest(&fixture.pool);
	cr_expect(partial_has(&list, head));
	cr_expect_not(clients_relist(&fixture.pool, id), "a moment ago");
	test_clock_advance(51 * CLOCK_MS - 1);
	cr_expect_not(clients_relist(&fixture.pool, id));
	test_clock_advance(1);
	cr_expect(clients_relist(&fixture.pool, id));
	pool_fixture_agrees(&fixture);
}
