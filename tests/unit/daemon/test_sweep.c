/* SPDX-License-Identifier: MIT */
#include "daemon/pool/sweep.h"

#include <criterion/criterion.h>

#include "daemon/pool/clients.h"
#include "daemon/pool/slabs.h"
#include "shm/lease.h"
#include "shm/partial.h"
#include "tests/lib/pool_fixture.h"
#include "tests/lib/rng.h"

#define GRANULES 24u
#define GRANULE_UNITS (1u << GRANULE_SHIFT)
#define TINY 16u /* bytes: some 4,096 objects a slab */

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static uint32_t cache;

/* All of the pool is slabs of tiny objects. */
static void start(void)
{
	uint32_t head;
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 4 * GRANULES,
	                   4 * GRANULES);
	cache = (uint32_t)pool_fixture_cache(&fixture, "tiny", TINY, 8, 0);
	while (slabs_carve(pool, cache, 0, 0, &head) == 0)
		continue;
	cr_assert_eq(pool->due.n_granules, GRANULES);
	cr_assert_eq(pool_end_unit(pool, 0), GRANULES * GRANULE_UNITS);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(sweep, .init = start, .fini = finish, .timeout = 300);

static uint32_t take(void)
{
	int id = clients_take(pool, 77, 1000, "client");
	cr_assert_gt(id, 0);
	return (uint32_t)id;
}

/* An object of the first slab of a granule. */
static uint16_t *tag_in(uint32_t granule)
{
	return &slab_tags(&pool->view, granule * GRANULE_UNITS)[granule];
}

static void own(uint32_t id, uint32_t granule)
{
	view_touch_any(&pool->view, id, granule * GRANULE_UNITS);
	*tag_in(granule) = (uint16_t)id;
}

static uint64_t looked_at(void)
{
	return pool->counts.swept_granules;
}

Test(sweep, looks_where_the_dead_were_alone)
{
	uint32_t dies = take();
	uint32_t lives = take();
	own(dies, 3);
	own(lives, 4);
	own(dies, 17);
	clients_reap(pool, dies);
	sweep_rest(pool);
	cr_expect_eq(looked_at(), 2);
	cr_expect_eq(*tag_in(3), TAG_FREE);
	cr_expect_eq(*tag_in(4), lives);
	cr_expect_eq(*tag_in(17), TAG_FREE);
	pool_fixture_agrees(&fixture);
}

/* The bound that an answer waits for. */
Test(sweep, a_slice_has_its_bound)
{
	uint32_t id = take();
	uint64_t per_granule = GRANULE_UNITS * pool->view.caches[0].n_objs;
	uint64_t per_slice = (SWEEP_SLICE_LOOKS + per_granule) /
	                     (per_granule + SWEEP_GRANULE_LOOKS);
	uint64_t before = 0;
	for (uint32_t granule = 0; granule < GRANULES; granule++)
		own(id, granule);
	clients_reap(pool, id);
	while (sweep_is_due(pool)) {
		sweep_slice(pool, INT64_MAX);
		cr_expect_leq(looked_at() - before, per_slice);
		cr_expect_leq(pool->due.swept.looks,
		              pool->counts.sweep_slices *
		                      (SWEEP_SLICE_LOOKS + per_granule));
		before = looked_at();
	}
	cr_expect_eq(looked_at(), GRANULES);
	cr_expect_geq(pool->counts.sweep_slices, GRANULES / per_slice);
	cr_expect_eq(pool->due.swept.by_id[id], GRANULES);
}

/* Where looks take long, a slice ends by the clock. */
Test(sweep, a_slice_without_time_looks_at_one)
{
	uint32_t id = take();
	own(id, 3);
	own(id, 17);
	clients_reap(pool, id);
	sweep_slice(pool, INT64_MIN);
	cr_expect_eq(looked_at(), 1);
	cr_expect(sweep_is_due(pool));
	sweep_slice(pool, INT64_MIN);
	cr_expect_eq(looked_at(), 2);
	cr_expect_not(sweep_is_due(pool));
}

/* One look serves all who had been there. */
Test(sweep, a_crowd_costs_one_look_a_granule)
{
	uint32_t ids[4];
	uint64_t through[4];
	for (uint32_t i = 0; i < 4; i++) {
		ids[i] = take();
		for (uint32_t granule = 0; granule < GRANULES; granule++)
			view_touch_any(&pool->view, ids[i],
			               granule * GRANULE_UNITS);
	}
	for (uint32_t granule = 0; granule < GRANULES; granule++)
		own(ids[granule % 4], granule);
	for (uint32_t i = 0; i < 4; i++)
		through[i] = clients_reap(pool, ids[i]);
	sweep_rest(pool);
	cr_expect_eq(looked_at(), GRANULES);
	for (uint32_t i = 0; i < 4; i++) {
		cr_expect(due_through(&pool->due, through[i]));
		cr_expect_eq(pool->due.swept.by_id[ids[i]], GRANULES / 4);
	}
	pool_fixture_agrees(&fixture);
}

/* What one left in granules that the sweep has passed is looked at again. */
Test(sweep, who_joins_late_is_through_late)
{
	uint32_t first = take();
	uint32_t second = take();
	uint64_t through[2];
	for (uint32_t granule = 0; granule < GRANULES; granule++)
		own(first, granule);
	own(second, 0);
	own(second, 20);
	through[0] = clients_reap(pool, first);
	sweep_slice(pool, INT64_MAX);
	cr_expect_eq(*tag_in(0), second);
	through[1] = clients_reap(pool, second);
	while (!due_through(&pool->due, through[0]))
		sweep_slice(pool, INT64_MAX);
	cr_expect_not(due_through(&pool->due, through[1]) &&
	              *tag_in(0) != TAG_FREE);
	sweep_rest(pool);
	cr_expect(due_through(&pool->due, through[1]));
	cr_expect_eq(*tag_in(0), TAG_FREE);
	cr_expect_eq(looked_at(), GRANULES + 1);
}

/* Others die all the time: nobody waits for more than a round. */
Test(sweep, nobody_waits_for_ever)
{
	uint32_t first = take();
	uint64_t through;
	for (uint32_t granule = 0; granule < GRANULES; granule++)
		own(first, granule);
	through = clients_reap(pool, first);
	while (!due_through(&pool->due, through)) {
		uint32_t next = take();
		for (uint32_t granule = 0; granule < GRANULES; granule++)
			view_touch_any(&pool->view, next,
			               granule * GRANULE_UNITS);
		sweep_slice(pool, INT64_MAX);
		clients_reap(pool, next);
	}
	cr_expect_leq(looked_at(), GRANULES + 8);
	for (uint32_t granule = 0; granule < GRANULES; granule++)
		cr_expect_eq(*tag_in(granule), TAG_FREE);
	cr_expect(sweep_is_due(pool));
}

/* By any order of deaths and slices: through means free, and who lives keeps
 * all. */
Test(sweep, through_means_free)
{
	struct rng rng = rng_start("through_means_free");
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t ids[4];
		uint64_t through[3] = {0};
		uint32_t dead = 0;
		for (uint32_t i = 0; i < 4; i++)
			ids[i] = take();
		for (uint32_t granule = 0; granule < GRANULES; granule++)
			own(ids[rng_below(&rng, 4)], granule);
		while (dead < 3 || sweep_is_due(pool)) {
			if (dead < 3 && rng_below(&rng, 2) == 0) {
				through[dead] = clients_reap(pool, ids[dead]);
				dead++;
			} else {
				sweep_slice(pool, INT64_MAX);
			}
			for (uint32_t g = 0; g < GRANULES; g++)
				for (uint32_t i = 0; i < dead; i++)
					cr_assert(*tag_in(g) != ids[i] ||
					          !due_through(&pool->due,
					                       through[i]));
		}
		for (uint32_t g = 0; g < GRANULES; g++)
			cr_assert(*tag_in(g) == TAG_FREE ||
			          *tag_in(g) == ids[3]);
		clients_reap(pool, ids[3]);
		sweep_rest(pool);
		for (uint32_t i = 0; i < 4; i++)
			clients_free(pool, ids[i]);
	}
}

/* It cleared its record, or another did: the lap comes by. */
Test(sweep, the_lap_finds_what_was_not_noted)
{
	uint32_t dies = take();
	uint32_t lives = take();
	uint32_t steps = 1;
	own(dies, 11);
	own(lives, 12);
	sweep_forget(pool, dies);
	cr_expect_not(sweep_lap_runs(pool));
	clients_reap(pool, dies);
	sweep_rest(pool);
	cr_expect_eq(*tag_in(11), dies);
	cr_expect(sweep_lap_runs(pool));
	for (; sweep_lap(pool); steps++) {
		cr_expect_leq(pool->due.n, SWEEP_LAP_GRANULES);
		sweep_rest(pool);
	}
	sweep_rest(pool);
	cr_expect_eq(steps, GRANULES / SWEEP_LAP_GRANULES);
	cr_expect_eq(*tag_in(11), TAG_FREE);
	cr_expect_eq(*tag_in(12), lives);
	cr_expect_eq(looked_at(), GRANULES);
	cr_expect_not(sweep_lap_runs(pool));
	cr_expect_not(sweep_lap(pool));
	cr_expect_not(sweep_is_due(pool));
}

/* Who died during a lap has another, and not before it ends. */
Test(sweep, a_lap_is_not_begun_anew)
{
	uint32_t first = take();
	uint32_t second = take();
	clients_reap(pool, first);
	cr_expect(sweep_lap(pool));
	clients_reap(pool, second);
	cr_expect(sweep_lap(pool));
	cr_expect_not(sweep_lap(pool));
	cr_expect(sweep_lap_runs(pool));
	cr_expect(sweep_lap(pool));
}

/* A client that notes what is not there has slabd look at what is. */
Test(sweep, notes_of_what_is_not_there)
{
	uint32_t id;
	uint64_t *touched;
	pool_fixture_stop(&fixture);
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 4 * GRANULES);
	cr_assert_eq(pool->due.n_granules, GRANULES);
	id = take();
	touched = view_touched(&pool->view, id);
	for (uint64_t i = 0; i < pool->view.geo.touched_words; i++)
		touched[i] = UINT64_MAX;
	clients_reap(pool, id);
	sweep_rest(pool);
	cr_expect_eq(looked_at(), GRANULES);
	cr_expect_eq(pool->due.swept.looks, 0);
	clients_free(pool, id);
	cr_expect_not(sweep_has_touched(pool, id));
}

/* A granule of which one half is another node's. */
Test(sweep, nodes_may_share_a_granule)
{
	uint32_t id;
	uint32_t head;
	pool_fixture_stop(&fixture);
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 2);
	cache = (uint32_t)pool_fixture_cache(&fixture, "tiny", TINY, 8, 0);
	cr_assert_eq(pool->view.nodes[1].first_unit, 32);
	cr_assert_eq(slabs_carve(pool, cache, 0, 0, &head), 0);
	cr_assert_eq(slabs_carve(pool, cache, 1, 1, &head), 0);
	id = take();
	cr_assert_gt(pool_fixture_claim_all(&fixture, id, cache, 0), 4000);
	cr_assert_gt(pool_fixture_claim_all(&fixture, id, cache, 1), 4000);
	cr_assert(lease_take_any(&pool->view.leases[33], id, 1));
	clients_reap(pool, id);
	sweep_rest(pool);
	cr_expect_eq(looked_at(), 1);
	cr_expect_eq(pool->counts.swept_leases, 1);
	cr_expect_gt(pool_fixture_free(&fixture, cache, 0), 4000);
	cr_expect_gt(pool_fixture_free(&fixture, cache, 1), 4000);
	pool_fixture_agrees(&fixture);
}

/* A claim leaves its note, whatever comes of it. */
Test(sweep, a_claim_is_noted)
{
	struct slab_user user = {
		.view = &pool->view, .data = fixture.data, .epoch = 1};
	struct partial list = partial_of(&pool->view, cache, 0);
	void *object;
	bool ring;
	user.id = take();
	cr_expect_not(sweep_has_touched(pool, user.id));
	/* Slabs of another cache would be here: the bits are cleared. */
	for (uint32_t unit = 0; unit < GRANULE_UNITS; unit++)
		partial_clear_any(&list, unit);
	cr_assert_eq(slab_claim_any(&user, cache, 0, 1, &object, &ring), 1);
	cr_expect_eq(view_touched(&pool->view, user.id)[0], 2);
	pool->view.leases[0] = 7;
	partial_set_any(&list, 0);
	cr_assert_eq(slab_claim_any(&user, cache, 0, 1, &object, &ring), 1);
	cr_expect_eq(view_touched(&pool->view, user.id)[0], 3);
}
