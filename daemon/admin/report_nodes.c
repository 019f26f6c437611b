/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <string.h>

#include "daemon/balance/denied.h"

static json_t *distances(const struct pool *pool, uint32_t node)
{
	json_t *row = json_array();
	for (uint32_t to = 0; to < pool->view.geo.n_nodes; to++)
		report_append(
		        &row,
		        json_integer(pool->topo->node[node].distance[to]));
	return row;
}

#define SHOWN_MAX 16u
#define SHORTS_MAX 16u

static const char *const pressures[] = {
	[PLAN_CALM] = "calm", [PLAN_SOME] = "some", [PLAN_FULL] = "full",
};

static json_t *holder_doc(const struct pool *pool,
                          const struct holder *holder)
{
	const struct layout_client *row = &pool->view.clients[holder->client];
	return json_pack("{s:i, s:i, s:o, s:o, s:I, s:I}", "client",
	                 holder->client, "pid", row->pid, "name",
	                 report_text(row->comm), "cache",
	                 report_cache_name(pool, holder->cache - 1), "objects",
	                 holder->objects, "bytes", holder->bytes);
}

/* Who keeps a node that is to be emptied from being so; most first. */
static json_t *holders_doc(const struct pool *pool, const struct usage *usage,
                           uint32_t node)
{
	struct holder holder[SHOWN_MAX];
	json_t *list = json_array();
	uint32_t n = 0;
	if (pool->view.nodes[node].drain != 0 && usage->holders != NULL)
		n = holders_most(usage->holders, node, holder, SHOWN_MAX);
	for (uint32_t i = 0; i < n; i++)
		report_append(&list, holder_doc(pool, &holder[i]));
	return list;
}

static bool is_listed(json_t *list, const char *reason)
{
	size_t i;
	json_t *refusal;
	json_array_foreach(list, i, refusal)
		if (strcmp(json_string_value(
		                   json_object_get(refusal, "reason")),
		           reason) == 0)
			return true;
	return false;
}

/* Why pages of a node that is to be emptied stay, each reason once. The plan is
 * made for the first of them. */
static json_t *refusals_doc(struct report *r, struct pool *pool, uint32_t node)
{
	const struct plan **made = r->arg;
	const struct plan *plan;
	json_t *list = json_array();
	if (pool->view.nodes[node].drain == 0)
		return list;
	if (*made == NULL)
		*made = balance_plan(pool);
	plan = *made;
	for (uint32_t i = 0; i < plan->n_refusals; i++) {
		const struct plan_refusal *refusal = &plan->refusals[i];
		const char *reason = plan_reason_name(refusal->reason);
		if (refusal->kind == PLAN_DRAIN && refusal->node == node &&
		    !is_listed(list, reason))
			report_append(&list,
			              json_pack("{s:s, s:s, s:s}", "reason",
			                        reason, "text",
			                        plan_reason_text(refusal->reason),
			                        "remedy",
			                        denied_remedy(pool,
			                                      refusal->reason)));
	}
	return list;
}

static json_t *short_doc(const struct pool *pool, uint32_t cache,
                         enum plan_reason why)
{
	return json_pack("{s:o, s:s, s:s, s:s}", "cache",
	                 report_cache_name(pool, cache - 1), "reason",
	                 plan_reason_name(why), "text", plan_reason_text(why),
	                 "remedy", denied_remedy(pool, why));
}

/* For which caches clients are refused memory of the node just now, and why. */
static json_t *shorts_doc(const struct pool *pool, uint32_t node)
{
	json_t *list = json_array();
	unsigned n = 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		enum plan_reason why = denied_why(pool, cache, node);
		if (why != PLAN_NO_REASON && n++ < SHORTS_MAX)
			report_append(&list, short_doc(pool, cache, why));
	}
	return list;
}

/* How the node stands among the others. */
static json_t *balance_doc(struct report *r, struct pool *pool,
                           const struct usage *usage, uint32_t node)
{
	const struct layout_node *row = &pool->view.nodes[node];
	return json_pack(
	        "{s:I, s:I, s:b, s:b, s:s, s:o, s:o, s:o}", "here_pages",
	        report_count(row->resident_pages), "here_bytes",
	        report_page_bytes(pool, row->resident_pages), "draining",
	        row->drain != 0, "offline", pool->offline[node], "pressure",
	        pressures[balance_pressure(pool, node)], "holdups",
	        holders_doc(pool, usage, node), "obstacles",
	        refusals_doc(r, pool, node), "short", shorts_doc(pool, node));
}

static void sum_cell(const struct pool *pool, const struct usage *usage,
                     uint32_t cache, uint32_t node, struct report_sums *sums)
{
	const struct usage_cell *cell = usage_cell(usage, cache, node);
	uint64_t stride = pool->view.caches[cache - 1].stride;
	uint64_t bytes = report_slab_bytes(pool, cache);
	if (cell->slabs == 0 && cell->lent_to == 0)
		return;
	sums->carved_bytes += cell->slabs * bytes;
	sums->used_bytes += usage_used(cell) * stride;
	sums->held_bytes += cell->held * stride;
	sums->free_bytes += cell->free * stride;
	sums->waste_bytes += cell->slabs * bytes - cell->objects * stride;
	sums->lent_bytes += cell->lent * bytes;
	sums->lent_used_bytes += cell->lent_used * stride;
	sums->borrowed_bytes += cell->lent_to * bytes;
	sums->slabs += cell->slabs;
	sums->partial += cell->partial;
	sums->empty_slabs += cell->empty;
}

void report_sum(const struct pool *pool, const struct usage *usage,
                uint32_t node, struct report_sums *sums)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		sum_cell(pool, usage, cache, node, sums);
}

/* In the order in which they lie. */
void report_sum_all(const struct pool *pool, const struct usage *usage,
                    struct report_sums *sums)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < usage->n_nodes; node++)
			sum_cell(pool, usage, cache, node, sums);
}

static const struct report_field fields[] = {
	REPORT_FIELD(report_sums, carved_bytes),
	REPORT_FIELD(report_sums, used_bytes),
	REPORT_FIELD(report_sums, held_bytes),
	REPORT_FIELD(report_sums, free_bytes),
	REPORT_FIELD(report_sums, waste_bytes),
	REPORT_FIELD(report_sums, lent_bytes),
	REPORT_FIELD(report_sums, lent_used_bytes),
	REPORT_FIELD(report_sums, borrowed_bytes),
	REPORT_FIELD(report_sums, slabs),
	REPORT_FIELD(report_sums, partial),
	REPORT_FIELD(report_sums, empty_slabs),
};

json_int_t report_max_bytes(const struct pool *pool, uint32_t node)
{
	uint64_t file = pool->view.nodes[node].n_units << UNIT_SHIFT;
	uint64_t most = pool->backing.node[node].most_bytes;
	return report_count(most != 0 && most < file ? most : file);
}

/* Ready, and no slab's. */
static json_int_t empty_bytes(const struct pool *pool, uint32_t node)
{
	return report_count(pages_free_units(&pool->pages, node)
	                    << UNIT_SHIFT);
}

static json_t *node_doc(struct report *r, struct pool *pool,
                        const struct usage *usage, uint32_t node)
{
	const struct layout_node *row = &pool->view.nodes[node];
	const struct backing_node *backing = &pool->backing.node[node];
	struct report_sums sums = {0};
	json_t *doc;
	report_sum(pool, usage, node, &sums);
	doc = json_pack(
	        "{s:i, s:o, s:b, s:b, s:s, s:b, s:o, s:o, s:I, s:I, s:I, s:o}", "node",
	        row->os_id, "cpus", report_text(pool->topo->node[node].cpus),
	        "has_cpu", (row->flags & NODE_HAS_CPU) != 0, "simulated",
	        (row->flags & NODE_SIMULATED) != 0, "backing",
	        backing_kind_name(backing->kind), "grows",
	        backing->lack == BACKING_LACK_NONE, "reason",
	        report_text(backing->reason), "remedy",
	        report_text(backing->remedy), "max_bytes",
	        report_max_bytes(pool, node), "ready_bytes",
	        report_page_bytes(pool, row->resident_pages), "empty_bytes",
	        empty_bytes(pool, node), "distance", distances(pool, node));
	doc = report_fields(doc, &sums, fields,
	                    sizeof(fields) / sizeof(fields[0]));
	return report_merge(doc, balance_doc(r, pool, usage, node));
}

/* What all clients counted, those too whose ids are not in use again. */
static uint64_t remote_with_room(const struct pool *pool)
{
	const uint64_t *stats = pool->view.stats + STAT_REMOTE_WITH_ROOM;
	uint64_t n = 0;
	for (uint32_t id = 1; id <= pool->view.head->top_id; id++)
		if (atom_load(&pool->view.clients[id].word) != 0)
			n += atom_load(&stats[(uint64_t)id * STATS_WORDS]);
	return n;
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct plan *plan = NULL;
	uint32_t node = report_param_node(r, "node", false);
	uint32_t from = node == PLAN_NONE ? 0 : node;
	uint32_t to = node == PLAN_NONE ? pool->view.geo.n_nodes : node + 1;
	json_t *list;
	r->arg = &plan;
	list = report_counted(r, pool, from, to, node_doc);
	return json_pack("{s:I, s:I, s:o, s:I}", "page_bytes",
	                 report_page_bytes(pool, 1), "remote_with_room",
	                 report_count(remote_with_room(pool)), "nodes", list,
	                 "held_unknown", report_count(r->unknown));
}

json_t *report_nodes(struct report *r)
{
	report_param_node(r, "node", false);
	return report_pools(r, pool_doc);
}
