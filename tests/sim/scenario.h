/* SPDX-License-Identifier: MIT */
/* Machines and the demand of their clients, from a seed. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "tests/sim/curve.h"
#include "tests/sim/world.h"

#define QUIET_PART 0.6 /* of the time: from then on demand stays as it is */

struct shape {
	uint32_t nodes, cpus, clients;
	uint64_t gib;
	uint64_t seed;
	uint32_t ms;
	const struct curves *curves; /* NULL: no recorded demand */
};

struct scenario {
	const char *name;
	const char *title;
	/* Every node has at all times what its clients want. */
	bool is_enough;
	bool is_recorded;
	/* Clients left on a drained node go on borrowing: README.md. */
	bool is_restless;
	/* Sets nodes and the clients' weights on them apart from the rest. */
	void (*lay)(struct world *world, const struct shape *shape,
	            double *weights);
	/* After the seats are made. */
	void (*seat)(struct world *world, const struct shape *shape);
	/* What a seat wants, in parts of its base, at a part of the time. */
	double (*want)(const struct world *world, const struct shape *shape,
	               const struct seat *seat, double at);
	void (*event)(struct world *world, double at);
};

extern const struct scenario scenarios[];
extern const uint32_t scenarios_n;

const struct scenario *scenario_find(const char *name);

/* Fills in machine, clients and rng. */
void scenario_make(struct world *world, const struct scenario *scenario,
                   const struct shape *shape);
void scenario_drop(struct world *world);

/* Objects that a seat wants now. */
uint32_t scenario_target(struct world *world, const struct scenario *scenario,
                         const struct shape *shape, struct seat *seat,
                         uint32_t ms);

#endif
