/* SPDX-License-Identifier: MIT */
#include "tests/lib/plan_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_node(struct policy_bed *bed, uint32_t ix, uint32_t n_nodes)
{
	uint8_t *nearest = bed->nearest[ix];
	for (uint32_t to = 0; to < n_nodes; to++) {
		uint32_t steps = to > ix ? to - ix : ix - to;
		uint32_t at = to;
		bed->distance[ix][to] = (uint16_t)(10 + 10 * steps);
		for (; at > 0 && bed->distance[ix][nearest[at - 1]] >
		                         bed->distance[ix][to];
		     at--)
			nearest[at] = nearest[at - 1];
		nearest[at] = (uint8_t)to;
	}
	bed->nodes[ix] = (struct policy_node){
		.os_id = ix,
		.has_cpu = true,
		.distance = bed->distance[ix],
		.nearest = nearest,
		.pages = 64,
		.pages_max = 128,
	};
}

struct policy_bed *bed_new(uint32_t n_nodes, uint32_t n_caches)
{
	struct policy_bed *bed = calloc(1, sizeof(*bed));
	cr_assert(bed != NULL && n_nodes <= BED_NODES &&
	          n_caches <= BED_CACHES);
	policy_defaults(&bed->config);
	bed->config.may_migrate = true;
	for (uint32_t ix = 0; ix < n_nodes; ix++)
		add_node(bed, ix, n_nodes);
	for (uint32_t ix = 0; ix < n_caches; ix++)
		bed->caches[ix] =
			(struct policy_cache){.slab_units = 1, .n_objs = 100};
	for (uint32_t at = 0; at < n_caches * n_nodes; at++)
		bed->cells[at] = (struct policy_cell){.slabs = 20,
		                                      .listed = 4,
		                                      .low = 2,
		                                      .held_ms = UINT32_MAX};
	bed->snap = (struct policy_snapshot){
		.n_nodes = n_nodes,
		.n_caches = n_caches,
		.page_units = 32,
		.nodes = bed->nodes,
		.caches = bed->caches,
		.cells = bed->cells,
		.loans = bed->loans,
		.pages = bed->pages,
	};
	return bed;
}

void bed_free(struct policy_bed *bed)
{
	free(bed);
}

struct policy_cell *bed_cell(struct policy_bed *bed, uint32_t cache,
                             uint32_t node)
{
	return &bed->cells[cache * bed->snap.n_nodes + node];
}

struct policy_loan *bed_lend(struct policy_bed *bed, uint32_t cache,
                             uint32_t home, uint32_t list, uint32_t slabs)
{
	struct policy_loan *loan = &bed->loans[bed->snap.n_loans++];
	cr_assert(bed->snap.n_loans <= BED_ROWS);
	*loan = (struct policy_loan){.cache = cache,
	                             .home = home,
	                             .list = list,
	                             .slabs = slabs,
	                             .age_ms = UINT32_MAX};
	bed_cell(bed, cache, home)->lent += slabs;
	bed_cell(bed, cache, list)->borrowed += slabs;
	bed_cell(bed, cache, list)->listed += slabs;
	return loan;
}

struct policy_page *bed_page(struct policy_bed *bed, uint32_t cache,
                             uint32_t lies, uint32_t target, uint64_t bytes)
{
	struct policy_page *page = &bed->pages[bed->snap.n_pages++];
	cr_assert(bed->snap.n_pages <= BED_ROWS);
	*page = (struct policy_page){.page = 100 + bed->snap.n_pages,
	                             .lies = lies,
	                             .target = target,
	                             .live_bytes = bytes,
	                             .target_bytes = bytes,
	                             .cache = cache};
	return page;
}

void bed_plan(struct policy_bed *bed)
{
	void *work = malloc(policy_work_bytes(&bed->snap));
	cr_assert(work != NULL);
	/* What was there before must not matter. */
	memset(work, 0xa5, policy_work_bytes(&bed->snap));
	policy_make(&bed->plan, &bed->snap, &bed->config, work);
	bed->seen = 0;
	free(work);
}

const struct policy_step *bed_step(struct policy_bed *bed,
                                   enum policy_kind kind)
{
	const struct policy_step *found = NULL;
	for (uint32_t i = 0; i < bed->plan.n_steps; i++) {
		if (bed->plan.steps[i].kind != kind)
			continue;
		cr_assert(found == NULL, "two steps to %s",
		          policy_kind_name(kind));
		found = &bed->plan.steps[i];
	}
	cr_assert(found != NULL, "no step to %s", policy_kind_name(kind));
	bed->seen++;
	return found;
}

void bed_no_more(struct policy_bed *bed)
{
	for (uint32_t i = 0; i < bed->plan.n_steps; i++)
		fprintf(stderr, "step: %s, %s\n",
		        policy_kind_name(bed->plan.steps[i].kind),
		        policy_reason_name(bed->plan.steps[i].reason));
	cr_assert_eq(bed->plan.n_steps, bed->seen);
	cr_assert_eq(bed->plan.more_steps, 0);
}

bool bed_refused(const struct policy_bed *bed, enum policy_kind kind,
                 enum policy_reason reason, uint32_t cache, uint32_t node)
{
	bool found = false;
	for (uint32_t i = 0; i < bed->plan.n_refusals; i++) {
		const struct policy_refusal *one = &bed->plan.refusals[i];
		if (one->kind != kind || one->node != node ||
		    one->cache != cache)
			continue;
		if (one->reason == reason)
			found = true;
		else
			fprintf(stderr, "refused: %s, %s\n",
			        policy_kind_name(kind),
			        policy_reason_name(one->reason));
	}
	return found;
}
