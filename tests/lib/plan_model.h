/* SPDX-License-Identifier: MIT */
/*
 * A small machine of any shape, for plans to be carried out on step by step,
 * each checked. The machine and what slabd does to it are the simulator's
 * (tests/sim); what clients want and have is drawn. Time stands still but for
 * model_wait, and clients do nothing but in model_stir.
 */
#ifndef TESTS_LIB_PLAN_MODEL_H
#define TESTS_LIB_PLAN_MODEL_H

#include "tests/sim/world.h"

#define MODEL_NODES 6u
#define MODEL_CACHES 8u
#define MODEL_PAGES 48u
#define MODEL_OBJS 8u /* of a slab */

struct model_cell {
	bool active;    /* clients ring when it is low */
	bool failed;    /* its empty slabs did not lie side by side */
	uint32_t extra; /* slabs that clients lack, once */
};

struct model {
	struct world world;
	struct rng rng;
	uint32_t low_share; /* of its slabs a list is to have, 1 by this */
	bool scattered;     /* in this plan, free units are not where thought */
	bool trimmed[MODEL_NODES];
	struct model_cell cells[MODEL_CACHES][MODEL_NODES];
	const struct snapshot *snap;
};

/* A machine with slabs that are used at random. Drops the one before. */
void model_start(struct model *model, uint64_t seed);
void model_drop(struct model *model);

/* What clients, the kernel and the operator may do meanwhile. */
void model_stir(struct model *model);
void model_wait(struct model *model, int64_t ms);

/* Takes the snapshot anew. */
void model_look(struct model *model);

/* Carries a plan out. What is not as it should be fails the test. */
void model_apply(struct model *model, const struct plan *plan);

/* Some of what is owned in slabs at home on a node is freed. */
void model_trim(struct model *model, uint32_t node);

#endif
