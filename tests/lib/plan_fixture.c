/* SPDX-License-Identifier: MIT */
#include "tests/lib/plan_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/balance/settings.h"

static void add_node(struct plan_fixture *fixture, uint32_t ix,
                     uint32_t n_nodes)
{
	uint8_t *nearest = fixture->nearest[ix];
	for (uint32_t to = 0; to < n_nodes; to++) {
		uint32_t steps = to > ix ? to - ix : ix - to;
		uint32_t at = to;
		fixture->distance[ix][to] = (uint16_t)(10 + 10 * steps);
		for (; at > 0 && fixture->distance[ix][nearest[at - 1]] >
		                         fixture->distance[ix][to];
		     at--)
			nearest[at] = nearest[at - 1];
		nearest[at] = (uint8_t)to;
	}
	fixture->nodes[ix] = (struct snapshot_node){
		.os_id = ix,
		.has_cpu = true,
		.distance = fixture->distance[ix],
		.nearest = nearest,
		.pages = 64,
		.pages_max = 128,
	};
}

struct plan_fixture *fixture_new(uint32_t n_nodes, uint32_t n_caches)
{
	struct plan_fixture *fixture = calloc(1, sizeof(*fixture));
	cr_assert(fixture != NULL && n_nodes <= FIXTURE_NODES &&
	          n_caches <= FIXTURE_CACHES);
	balance_default_settings(&fixture->config);
	/* By default a page at distance 20 is never worth its move. */
	fixture->config.migrate_cost = 25;
	for (uint32_t ix = 0; ix < n_nodes; ix++)
		add_node(fixture, ix, n_nodes);
	for (uint32_t ix = 0; ix < n_caches; ix++)
		fixture->caches[ix] =
			(struct snapshot_cache){.slab_units = 1, .n_objs = 100};
	for (uint32_t at = 0; at < n_caches * n_nodes; at++)
		fixture->cells[at] =
			(struct snapshot_cell){.slabs = 20,
		                               .listed = 4,
		                               .low = 2,
		                               .held_ms = UINT32_MAX};
	fixture->snap = (struct snapshot){
		.n_nodes = n_nodes,
		.n_caches = n_caches,
		.page_units = 32,
		.page_bytes = UINT64_C(2) << 20,
		.nodes = fixture->nodes,
		.caches = fixture->caches,
		.cells = fixture->cells,
		.loans = fixture->loans,
		.pages = fixture->pages,
	};
	return fixture;
}

void fixture_free(struct plan_fixture *fixture)
{
	free(fixture);
}

struct snapshot_cell *fixture_cell(struct plan_fixture *fixture, uint32_t cache,
                                   uint32_t node)
{
	return &fixture->cells[cache * fixture->snap.n_nodes + node];
}

struct snapshot_loan *fixture_lend(struct plan_fixture *fixture, uint32_t cache,
                                   uint32_t home, uint32_t list, uint32_t slabs)
{
	struct snapshot_loan *loan = &fixture->loans[fixture->snap.n_loans++];
	cr_assert(fixture->snap.n_loans <= FIXTURE_ROWS);
	*loan = (struct snapshot_loan){.cache_ix = cache,
	                               .home = home,
	                               .list = list,
	                               .slabs = slabs,
	                               .age_ms = UINT32_MAX};
	fixture_cell(fixture, cache, home)->lent += slabs;
	fixture_cell(fixture, cache, list)->borrowed += slabs;
	fixture_cell(fixture, cache, list)->listed += slabs;
	return loan;
}

struct snapshot_page *fixture_page(struct plan_fixture *fixture, uint32_t cache,
                                   uint32_t lies, uint32_t target,
                                   uint64_t bytes)
{
	struct snapshot_page *page = &fixture->pages[fixture->snap.n_pages++];
	cr_assert(fixture->snap.n_pages <= FIXTURE_ROWS);
	*page = (struct snapshot_page){.page = 100 + fixture->snap.n_pages,
	                               .lies = lies,
	                               .target = target,
	                               .live_bytes = bytes,
	                               .target_bytes = bytes,
	                               .cache_ix = cache};
	return page;
}

void fixture_plan(struct plan_fixture *fixture)
{
	void *work = malloc(plan_work_bytes(&fixture->snap));
	cr_assert(work != NULL);
	/* What was there before must not matter. */
	memset(work, 0xa5, plan_work_bytes(&fixture->snap));
	plan_make(&fixture->plan, &fixture->snap, &fixture->config, work);
	fixture->seen = 0;
	free(work);
}

const struct plan_step *fixture_step(struct plan_fixture *fixture,
                                     enum plan_kind kind)
{
	const struct plan_step *found = NULL;
	for (uint32_t i = 0; i < fixture->plan.n_steps; i++) {
		if (fixture->plan.steps[i].kind != kind)
			continue;
		cr_assert(found == NULL, "two steps to %s",
		          plan_kind_name(kind));
		found = &fixture->plan.steps[i];
	}
	cr_assert(found != NULL, "no step to %s", plan_kind_name(kind));
	fixture->seen++;
	return found;
}

void fixture_no_more(struct plan_fixture *fixture)
{
	for (uint32_t i = 0; i < fixture->plan.n_steps; i++)
		fprintf(stderr, "step: %s, %s\n",
		        plan_kind_name(fixture->plan.steps[i].kind),
		        plan_reason_name(fixture->plan.steps[i].reason));
	cr_assert_eq(fixture->plan.n_steps, fixture->seen);
	cr_assert_eq(fixture->plan.more_steps, 0);
}

bool fixture_refused(const struct plan_fixture *fixture, enum plan_kind kind,
                     enum plan_reason reason, uint32_t cache, uint32_t node)
{
	bool found = false;
	for (uint32_t i = 0; i < fixture->plan.n_refusals; i++) {
		const struct plan_refusal *one = &fixture->plan.refusals[i];
		if (one->kind != kind || one->node != node ||
		    one->cache_ix != cache)
			continue;
		if (one->reason == reason)
			found = true;
		else
			fprintf(stderr, "refused: %s, %s\n",
			        plan_kind_name(kind),
			        plan_reason_name(one->reason));
	}
	return found;
}
