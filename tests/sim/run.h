/* SPDX-License-Identifier: MIT */
/* One scenario under one policy, from begin to end, and what came of it. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdio.h>

#include "tests/sim/scenario.h"

#define SAMPLES_MAX 240u

struct sample {
	uint32_t ms;
	uint32_t remote_ppm; /* of what was allocated since the last */
	uint64_t failed;
	uint64_t slab_mib[SIM_NODES_MAX]; /* of slabs at home there */
	uint64_t page_mib[SIM_NODES_MAX];
	uint32_t partial[SIM_NODES_MAX]; /* slabs that stand on lists there */
	uint32_t borrowed[SIM_NODES_MAX];
};

struct result {
	const struct scenario *scenario;
	const struct maker *maker;
	struct tally tally;
	uint32_t n_nodes, n_caches;
	uint64_t lent, returned, migrated, moved_bytes;
	uint64_t steps[PLAN_KINDS];
	uint64_t refused[PLAN_KINDS][PLAN_NO_REASON];
	uint64_t failed_steps;
	uint64_t reversals; /* slabs and pages that moved back within hold */
	uint64_t recalled;  /* of these slabs whose home was short */
	uint64_t again;     /* and such as went to and fro */
	uint64_t relief_ms;
	uint64_t settle_ms;    /* from the end of change to the last step */
	uint64_t settle_steps; /* of balancing, in that time */
	double far_part;       /* mean of live bytes far from their owners */
	double spread;         /* partial lists, the longest by the shortest */
	uint64_t left_pages;   /* of nodes that are drained */
	uint64_t plans, cpu_ns, cpu_max_ns;
	uint32_t n_samples;
	struct sample sample[SAMPLES_MAX];
	char bad[256]; /* what did not add up */
};

struct run_options {
	/* Recounts everything every so many ticks; 0: at the end. */
	uint32_t recount_ticks;
	/* Changes the world before time begins, or NULL. */
	void (*fault)(struct world *world);
	/* And in each tick, or NULL. */
	void (*meddle)(struct world *world, uint32_t ms);
	/* Gets the milliseconds that are simulated so far, or NULL. */
	uint32_t *done_ms;
};

void run_one(struct result *result, const struct scenario *scenario,
             const struct maker *maker, const struct shape *shape,
             const struct run_options *options);

/* One line of JSON. Without figures of this machine's clock: two runs with one
 * seed write the same. */
void run_write(const struct result *result, FILE *file);
/* And one with them. */
void run_write_cpu(const struct result *result, FILE *file);

#endif
