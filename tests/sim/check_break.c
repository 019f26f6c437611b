/* SPDX-License-Identifier: MIT */
#include "tests/sim/check_break.h"

/* ---- policies ----------------------------------------------------------- */

/* Ours, made to forget what it did, and in no need to wait. */
static void no_hold(struct world *world, struct plan *plan,
                    const struct snapshot *snap,
                    const struct plan_config *config, void *work)
{
	/* The picture is the simulator's own, made anew for each plan. */
	struct snapshot_cell *cells =
		(struct snapshot_cell *)(uintptr_t)snap->cells;
	struct snapshot_loan *loans =
		(struct snapshot_loan *)(uintptr_t)snap->loans;
	struct plan_config hasty = *config;
	(void)world;
	for (uint32_t i = 0; i < snap->n_caches * snap->n_nodes; i++) {
		cells[i].held_ms = UINT32_MAX;
		cells[i].reversals = 0;
	}
	for (uint32_t i = 0; i < snap->n_loans; i++)
		loans[i].age_ms = UINT32_MAX;
	hasty.hold_ms = hasty.hold_max_ms = 1;
	plan_make(plan, snap, &hasty, work);
}

/* Every plan ends with a slab that is lent, or comes back. */
static void restless(struct world *world, struct plan *plan,
                     const struct snapshot *snap,
                     const struct plan_config *config, void *work)
{
	(void)world;
	plan_make(plan, snap, config, work);
	for (uint32_t c = 0; c < snap->n_caches; c++) {
		const struct snapshot_cell *cells =
			&snap->cells[c * snap->n_nodes];
		struct plan_step step = {.reason = PLAN_SHORT,
		                         .cache_ix = c,
		                         .donor_ix = PLAN_NONE,
		                         .n = 1};
		bool back = cells[1].borrowed > 0;
		step.kind = back ? PLAN_RETURN : PLAN_LEND;
		step.from = back;
		step.to = !back;
		if (plan->n_steps < PLAN_STEPS_MAX && cells[0].listed > 1)
			plan->steps[plan->n_steps++] = step;
	}
}

/* Borrows before it carves. */
static void far_first(struct world *world, struct plan *plan,
                      const struct snapshot *snap,
                      const struct plan_config *config, void *work)
{
	(void)world;
	plan_make(plan, snap, config, work);
	for (uint32_t i = 0; i < plan->n_steps; i++) {
		struct plan_step *step = &plan->steps[i];
		if (step->kind != PLAN_CARVE)
			continue;
		step->kind = PLAN_LEND;
		step->from = (step->to + 1) % snap->n_nodes;
		step->fresh = true;
	}
}

/* Sees nothing to do. */
static void idle(struct world *world, struct plan *plan,
                 const struct snapshot *snap, const struct plan_config *config,
                 void *work)
{
	(void)world, (void)snap, (void)config, (void)work;
	plan->n_steps = plan->n_refusals = 0;
}

/* ---- mechanisms --------------------------------------------------------- */

/* A page is taken from its node's count and given to none. */
static void lose_page(struct world *world, uint32_t ms)
{
	if (ms == 1000)
		world->m.node[1].pages--;
}

/* A slab is on a list that does not know of it. */
static void lose_slab(struct world *world, uint32_t ms)
{
	for (uint32_t c = 0; ms == 1000 && c < world->m.n_caches; c++)
		if (world->m.cell[c][0].slabs > 0) {
			world->m.cell[c][0].slabs--;
			return;
		}
}

/* An object has no owner and is not free. */
static void lose_object(struct world *world, uint32_t ms)
{
	struct seat *seat = &world->seats[0];
	if (ms == 1000 && seat->n_runs > 0 && seat->runs[0].n > 1) {
		seat->runs[0].n--;
		world->seats[1].owned++;
		seat->owned--;
		world->seats[1].used++;
	}
}

const struct check_break check_breaks[] = {
	{.name = "hold",
         .title = "a policy without hysteresis",
         .scenario = "wave",
         .check = CHECK_HOLDS,
         .make = no_hold},
	{.name = "restless",
         .title = "a policy that never comes to rest",
         .scenario = "steady",
         .check = CHECK_SETTLES,
         .make = restless},
	{.name = "far",
         .title = "a policy that borrows before it carves",
         .scenario = "steady",
         .check = CHECK_LOCAL,
         .make = far_first},
	{.name = "idle",
         .title = "a policy that does nothing",
         .scenario = "steady",
         .check = CHECK_NEVER_FAILS,
         .make = idle},
	{.name = "page",
         .title = "a page that is lost",
         .scenario = "steady",
         .check = CHECK_ADDS_UP,
         .meddle = lose_page},
	{.name = "slab",
         .title = "a slab that is lost",
         .scenario = "steady",
         .check = CHECK_ADDS_UP,
         .meddle = lose_slab},
	{.name = "object",
         .title = "an object that changes hands in the books alone",
         .scenario = "steady",
         .check = CHECK_ADDS_UP,
         .meddle = lose_object},
};
const uint32_t check_breaks_n = sizeof(check_breaks) / sizeof(check_breaks[0]);
