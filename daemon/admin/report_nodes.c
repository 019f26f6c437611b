/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <event2/http.h>
#include <string.h>

static json_t *distances(const struct pool *pool, uint32_t node)
{
	json_t *row = json_array();
	for (uint32_t to = 0; to < pool->view.geo.n_nodes; to++)
		json_array_append_new(
		        row, json_integer(pool->topo->node[node].distance[to]));
	return row;
}

#define HOLDUPS_MAX 16u

static const char *const pressures[] = {
	[PLAN_CALM] = "calm", [PLAN_SOME] = "some", [PLAN_FULL] = "full",
};

static json_t *holder_doc(const struct pool *pool,
                          const struct balance_holder *holder)
{
	const struct layout_client *row = &pool->view.clients[holder->client];
	return json_pack("{s:I, s:i, s:o, s:o, s:I, s:I}", "client",
	                 report_count(holder->client), "pid", row->pid, "name",
	                 report_text(row->comm), "cache",
	                 report_cache_name(pool, holder->cache - 1), "objects",
	                 report_count(holder->objects), "bytes",
	                 report_count(holder->bytes));
}

/* Who keeps a node that is to be emptied from being so; most first. */
static json_t *holders_doc(const struct pool *pool, uint32_t node)
{
	struct balance_holder holder[HOLDUPS_MAX];
	json_t *list = json_array();
	uint32_t n = 0;
	if (pool->view.nodes[node].drain != 0)
		n = balance_holders(pool, node, holder, HOLDUPS_MAX);
	for (uint32_t i = 0; list != NULL && i < n; i++) {
		if (json_array_append_new(list,
		                          holder_doc(pool, &holder[i])) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static bool is_told(json_t *list, const char *reason)
{
	size_t i;
	json_t *told;
	json_array_foreach(list, i, told)
		if (strcmp(json_string_value(json_object_get(told, "reason")),
		           reason) == 0)
			return true;
	return false;
}

/* Why pages of a node that is to be emptied stay, each reason once. */
static json_t *refusals_doc(struct pool *pool, uint32_t node)
{
	const struct plan *plan = NULL;
	json_t *list = json_array();
	if (pool->view.nodes[node].drain != 0)
		plan = balance_plan(pool);
	for (uint32_t i = 0; plan != NULL && i < plan->n_refusals; i++) {
		const struct plan_refusal *refusal = &plan->refusals[i];
		const char *reason = plan_reason_name(refusal->reason);
		if (refusal->kind != PLAN_DRAIN || refusal->node != node ||
		    is_told(list, reason))
			continue;
		json_array_append_new(
		        list,
		        json_pack("{s:s, s:s, s:s}", "reason", reason, "text",
		                  plan_reason_text(refusal->reason), "remedy",
		                  report_remedy(refusal->reason)));
	}
	return list;
}

/* Gives object how the node stands among the others. */
static json_t *with_balance(json_t *object, struct pool *pool, uint32_t node)
{
	const struct layout_node *row = &pool->view.nodes[node];
	enum plan_pressure pressure = balance_pressure(pool, node);
	json_t *more = json_pack(
	        "{s:I, s:I, s:b, s:s, s:o, s:o}", "here_pages",
	        report_count(row->resident_pages), "here_bytes",
	        report_count(row->resident_pages << pool->view.geo.page_shift),
	        "draining", row->drain != 0, "pressure", pressures[pressure],
	        "holdups", holders_doc(pool, node), "obstacles",
	        refusals_doc(pool, node));
	return report_merge(object, more);
}

/* Gives object what slabs at home on a node hold. */
static json_t *with_sums(json_t *object, const struct report_sums *sums)
{
	uint64_t filled = sums->used_bytes + sums->free_bytes;
	json_t *more = json_pack(
	        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "carved_bytes",
	        report_count(sums->carved_bytes), "used_bytes",
	        report_count(sums->used_bytes), "free_bytes",
	        report_count(sums->free_bytes), "waste_bytes",
	        report_count(sums->carved_bytes - filled), "lent_bytes",
	        report_count(sums->lent_bytes), "lent_used_bytes",
	        report_count(sums->lent_used_bytes), "borrowed_bytes",
	        report_count(sums->borrowed_bytes), "slabs",
	        report_count(sums->slabs), "partial",
	        report_count(sums->partial));
	return report_merge(object, more);
}

static json_t *node_doc(struct pool *pool, const struct usage *census,
                        uint32_t node)
{
	const struct layout_node *row = &pool->view.nodes[node];
	const struct backing_node *backing = &pool->backing.node[node];
	struct report_sums sums = {0};
	json_t *doc;
	report_sum(pool, census, node, &sums);
	doc = json_pack(
	        "{s:i, s:o, s:b, s:b, s:s, s:o, s:o, s:I, s:I, s:o}", "node",
	        row->os_id, "cpus", report_text(pool->topo->node[node].cpus),
	        "has_cpu", (row->flags & NODE_HAS_CPU) != 0, "simulated",
	        (row->flags & NODE_SIMULATED) != 0, "backing",
	        backing_kind_name(backing->kind), "reason",
	        report_text(backing->reason), "remedy",
	        report_text(backing->remedy), "max_bytes",
	        report_count(row->n_units << UNIT_SHIFT), "ready_bytes",
	        report_count(row->resident_pages << pool->view.geo.page_shift),
	        "distance", distances(pool, node));
	return with_balance(with_sums(doc, &sums), pool, node);
}

static json_t *pool_doc(struct server *server, struct pool *pool, void *arg)
{
	json_t *nodes = json_array();
	struct usage census;
	int r = usage_take(&census, pool);
	(void)server;
	(void)arg;
	if (r == 0) {
		for (uint32_t i = 0; r == 0 && i < pool->view.geo.n_nodes; i++)
			r = json_array_append_new(nodes,
			                          node_doc(pool, &census, i));
		usage_done(&census);
	}
	if (r < 0) {
		json_decref(nodes);
		return NULL;
	}
	return json_pack("{s:o, s:I, s:o}", "name", report_text(pool->name),
	                 "page_bytes",
	                 INT64_C(1) << pool->view.geo.page_shift, "nodes",
	                 nodes);
}

json_t *report_nodes(void *arg, const struct admin_query *query, int *status)
{
	return report_each(arg, query, status, pool_doc);
}
