/* SPDX-License-Identifier: MIT */
/* What slabd would do now to even memory out, and what it would not, and
 * why. */
#include "daemon/admin/report.h"

#include "daemon/balance/denied.h"

static bool moves_page(enum plan_kind kind)
{
	return kind == PLAN_MIGRATE || kind == PLAN_DRAIN;
}

json_t *report_step(const struct pool *pool, const struct plan_step *step)
{
	bool donates = step->kind == PLAN_REASSIGN;
	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:I, s:I, "
	        "s:b}",
	        "kind", plan_kind_name(step->kind), "reason",
	        plan_reason_name(step->reason), "text",
	        plan_reason_text(step->reason), "cache",
	        report_cache_name(pool, step->cache_ix), "from",
	        report_node_id(pool, step->from), "to",
	        report_node_id(pool, step->to), "n", report_count(step->n),
	        "donor",
	        report_cache_name(pool, donates ? step->donor_ix : PLAN_NONE),
	        "n_given", report_count(donates ? step->n_given : 0), "page",
	        moves_page(step->kind) ? json_integer(report_count(step->page))
	                               : json_null(),
	        "distance", report_count(step->distance), "bytes",
	        report_count(step->bytes), "fresh", step->fresh);
}

static json_t *refusal_doc(const struct pool *pool,
                           const struct plan_refusal *refusal)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "kind",
	                 plan_kind_name(refusal->kind), "reason",
	                 plan_reason_name(refusal->reason), "text",
	                 plan_reason_text(refusal->reason), "remedy",
	                 denied_remedy(pool, refusal->reason), "cache",
	                 report_cache_name(pool, refusal->cache_ix), "node",
	                 report_node_id(pool, refusal->node));
}

json_t *report_plan(struct report *r, struct pool *pool)
{
	const struct plan *plan = balance_plan(pool);
	json_t *steps = json_array();
	json_t *refusals = json_array();
	(void)r;
	for (uint32_t i = 0; i < plan->n_steps; i++)
		report_append(&steps, report_step(pool, &plan->steps[i]));
	for (uint32_t i = 0; i < plan->n_refusals; i++)
		report_append(&refusals, refusal_doc(pool, &plan->refusals[i]));
	return json_pack("{s:b, s:o, s:o, s:I, s:I}", "enabled",
	                 balance_config(pool)->enabled, "steps", steps,
	                 "refusals", refusals, "more_steps",
	                 report_count(plan->more_steps), "more_refusals",
	                 report_count(plan->more_refusals));
}
