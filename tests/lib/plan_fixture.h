/* SPDX-License-Identifier: MIT */
/* A small picture for the policy to look at, and what it made of it. */
#ifndef TESTS_LIB_PLAN_FIXTURE_H
#define TESTS_LIB_PLAN_FIXTURE_H

#include "daemon/plan/plan.h"

#define BED_NODES 6u
#define BED_CACHES 12u
#define BED_ROWS 16u

struct policy_bed {
	struct policy_config config;
	struct policy_snapshot snap;
	uint16_t distance[BED_NODES][BED_NODES];
	uint8_t nearest[BED_NODES][BED_NODES];
	struct policy_node nodes[BED_NODES];
	struct policy_cache caches[BED_CACHES];
	struct policy_cell cells[BED_CACHES * BED_NODES];
	struct policy_loan loans[BED_ROWS];
	struct policy_page pages[BED_ROWS];
	struct policy_plan plan;
	uint32_t seen; /* steps that were asked for */
};

/* Nodes in a row, each 10 further than the one before; full, with no page to be
 * had; of each cache 20 slabs, of which 4 are listed and none is empty. */
struct policy_bed *bed_new(uint32_t n_nodes, uint32_t n_caches);
void bed_free(struct policy_bed *bed);

struct policy_cell *bed_cell(struct policy_bed *bed, uint32_t cache,
                             uint32_t node);
/* Adds a loan, with the cells' own counts; a page. */
struct policy_loan *bed_lend(struct policy_bed *bed, uint32_t cache,
                             uint32_t home, uint32_t list, uint32_t slabs);
struct policy_page *bed_page(struct policy_bed *bed, uint32_t cache,
                             uint32_t lies, uint32_t target, uint64_t bytes);

void bed_plan(struct policy_bed *bed);

/* The one step of that kind; fails the test if there is none, or are two. */
const struct policy_step *bed_step(struct policy_bed *bed,
                                   enum policy_kind kind);
/* No steps but those that were asked for since bed_plan. */
void bed_no_more(struct policy_bed *bed);
/* Whether the step was refused to (cache, node) for that reason. */
bool bed_refused(const struct policy_bed *bed, enum policy_kind kind,
                 enum policy_reason reason, uint32_t cache, uint32_t node);

#endif
