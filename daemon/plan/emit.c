/* SPDX-License-Identifier: MIT */
#include "daemon/plan/work.h"

bool plan_add(struct plan_work *w, struct plan_step step)
{
	struct plan *plan = w->plan;
	if (plan->n_steps == PLAN_STEPS_MAX) {
		plan->more_steps++;
		return false;
	}
	if (step.kind != PLAN_TRIM && step.kind != PLAN_SHRINK)
		step.distance = w->snap->nodes[step.to].distance[step.from];
	plan->steps[plan->n_steps++] = step;
	return true;
}

void plan_refuse(struct plan_work *w, enum plan_kind kind,
                 enum plan_reason reason, uint32_t cache_ix, uint32_t node)
{
	struct plan *plan = w->plan;
	if (plan->n_refusals == PLAN_STEPS_MAX) {
		plan->more_refusals++;
		return;
	}
	plan->refusals[plan->n_refusals++] =
		(struct plan_refusal){kind, reason, cache_ix, node};
}
