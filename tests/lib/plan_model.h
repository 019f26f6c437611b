/* SPDX-License-Identifier: MIT */
/*
 * A small machine with a pool, down to the slab: what a plan is made of is
 * counted from it, and plans are carried out on it step by step, each checked.
 * Time stands still but for model_wait; clients do nothing but in model_stir.
 */
#ifndef TESTS_LIB_PLAN_MODEL_H
#define TESTS_LIB_PLAN_MODEL_H

#include "daemon/plan/plan.h"
#include "tests/lib/rng.h"

#define MODEL_NODES 6u
#define MODEL_CACHES 8u
#define MODEL_PAGES 48u
#define MODEL_UNITS 16u /* of a page, at the most */
#define MODEL_SLABS (MODEL_PAGES * MODEL_UNITS)
#define MODEL_OBJS 8u
#define MODEL_LOANS (MODEL_CACHES * MODEL_NODES * MODEL_NODES)
#define MODEL_NEVER (-(INT64_C(1) << 40))

struct model_slab {
	bool live;
	uint32_t cache;
	uint32_t page;
	uint32_t unit; /* of the page */
	uint32_t list;
	uint32_t used[MODEL_NODES]; /* objects, by whose clients own them */
	int64_t empty_since;
};

struct model_page {
	uint32_t lies; /* node, or PLAN_NONE: not faulted in */
	bool stuck;
	int64_t moved_at;
	int64_t empty_since;
	uint32_t slab[MODEL_UNITS]; /* or PLAN_NONE */
};

struct model_node {
	uint32_t pages_max;
	uint32_t cap; /* pages that there are, ready or not */
	uint32_t floor;
	bool has_cpu;
	bool draining;
	bool trimmed;
	enum plan_pressure pressure;
};

struct model_cell {
	bool active;    /* clients ring when it is low */
	bool failed;    /* its empty slabs did not lie side by side */
	uint32_t extra; /* slabs that clients lack, once */
	int64_t moved_at;
	bool gained;
	uint32_t reversals;
};

struct model {
	struct rng rng;
	uint32_t n_nodes;
	uint32_t n_caches;
	uint32_t page_order;
	uint32_t low_share; /* of its slabs a list is to have, 1 by this */
	int64_t now;
	uint64_t bucket; /* bytes that may be moved */
	bool scattered;  /* in this plan, free units are not where thought */
	struct model_node nodes[MODEL_NODES];
	uint32_t order[MODEL_CACHES];
	bool strict[MODEL_CACHES];
	struct model_cell cells[MODEL_CACHES][MODEL_NODES];
	struct model_page pages[MODEL_PAGES];
	struct model_slab slabs[MODEL_SLABS];
	int64_t lent_at[MODEL_CACHES][MODEL_NODES][MODEL_NODES];

	/* The picture. */
	struct plan_config config;
	struct snapshot snap;
	uint16_t distance[MODEL_NODES][MODEL_NODES];
	uint8_t nearest[MODEL_NODES][MODEL_NODES];
	uint32_t runs[MODEL_NODES][SNAPSHOT_ORDERS];
	struct snapshot_node rows[MODEL_NODES];
	struct snapshot_cache caches[MODEL_CACHES];
	struct snapshot_cell counted[MODEL_CACHES * MODEL_NODES];
	struct snapshot_loan loans[MODEL_LOANS];
	struct snapshot_page movable[MODEL_PAGES];
};

/* A machine of any shape, with slabs that are used at random. */
void model_start(struct model *model, uint64_t seed);

/* What clients, the kernel and the operator may do meanwhile. */
void model_stir(struct model *model);
void model_wait(struct model *model, int64_t ms);

/* Counts the picture anew. */
void model_look(struct model *model);

/* Carries a plan out. What is not as it should be fails the test. */
void model_apply(struct model *model, const struct plan *plan);

/* For model_look and model_apply. */
uint32_t model_home(const struct model *model, const struct model_slab *slab);
uint32_t model_used(const struct model *model, const struct model_slab *slab);
uint32_t model_run(const struct model *model, const struct model_page *page,
                   uint32_t at);
uint32_t model_carve(struct model *model, uint32_t cache, uint32_t node,
                     uint32_t list);
void model_reclaim(struct model *model, uint32_t slab);
uint32_t model_ready(const struct model *model, uint32_t node);
bool model_is_bare(const struct model *model, const struct model_page *page);

#endif
