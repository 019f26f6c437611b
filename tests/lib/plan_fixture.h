/* SPDX-License-Identifier: MIT */
/* A small snapshot, and the plan that is made of it. */
#ifndef TESTS_LIB_PLAN_FIXTURE_H
#define TESTS_LIB_PLAN_FIXTURE_H

#include "daemon/plan/plan.h"

#define FIXTURE_NODES 6u
#define FIXTURE_CACHES 12u
#define FIXTURE_ROWS 16u

struct plan_fixture {
	struct plan_config config;
	struct snapshot snap;
	uint16_t distance[FIXTURE_NODES][FIXTURE_NODES];
	uint8_t nearest[FIXTURE_NODES][FIXTURE_NODES];
	struct snapshot_node nodes[FIXTURE_NODES];
	struct snapshot_cache caches[FIXTURE_CACHES];
	struct snapshot_cell cells[FIXTURE_CACHES * FIXTURE_NODES];
	struct snapshot_loan loans[FIXTURE_ROWS];
	struct snapshot_page pages[FIXTURE_ROWS];
	struct plan plan;
	uint32_t seen; /* steps that were asked for */
};

/* Nodes in a row, each 10 further than the one before; full, with no page to be
 * had; of each cache 20 slabs, of which 4 are listed and none is empty. */
struct plan_fixture *fixture_new(uint32_t n_nodes, uint32_t n_caches);
void fixture_free(struct plan_fixture *fixture);

struct snapshot_cell *fixture_cell(struct plan_fixture *fixture, uint32_t cache,
                                   uint32_t node);
/* Adds a loan, with the cells' own counts; a page. */
struct snapshot_loan *fixture_lend(struct plan_fixture *fixture, uint32_t cache,
                                   uint32_t home, uint32_t list,
                                   uint32_t slabs);
struct snapshot_page *fixture_page(struct plan_fixture *fixture, uint32_t cache,
                                   uint32_t lies, uint32_t target,
                                   uint64_t bytes);

void fixture_plan(struct plan_fixture *fixture);

/* The one step of that kind; fails the test if there is none, or are two. */
const struct plan_step *fixture_step(struct plan_fixture *fixture,
                                     enum plan_kind kind);
/* No steps but those that were asked for since fixture_plan. */
void fixture_no_more(struct plan_fixture *fixture);
/* Whether the step was refused to (cache, node) for that reason. */
bool fixture_refused(const struct plan_fixture *fixture, enum plan_kind kind,
                     enum plan_reason reason, uint32_t cache, uint32_t node);

#endif
