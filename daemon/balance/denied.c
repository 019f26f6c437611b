/* SPDX-License-Identifier: MIT */
#include "daemon/balance/denied.h"

#include "daemon/balance/own.h"
#include "daemon/base/log.h"

#define STAYS_NS CLOCK_S

static bool is_denied(const struct balance_held *held, int64_t now_ns)
{
	return held->denied_n > 0 && now_ns - held->denied_ns < STAYS_NS;
}

/* Why the plan could not carve, which no other step made up for. */
void denied_judge(struct pool *pool, const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	for (uint32_t i = 0; i < unmet->n; i++) {
		const struct unmet_want *want = &unmet->want[i];
		b->held[balance_cell(pool, want->cache, want->node)]
			.denied_why = PLAN_NO_UNITS;
	}
	for (uint32_t i = b->plan.n_refusals; i-- > 0;) {
		const struct plan_refusal *refusal = &b->plan.refusals[i];
		if (refusal->kind == PLAN_CARVE)
			b->held[balance_cell(pool, refusal->cache_ix + 1,
			                     refusal->node)]
				.denied_why = (uint8_t)refusal->reason;
	}
}

const char *denied_remedy(const struct pool *pool, enum plan_reason reason)
{
	if (reason == PLAN_AT_LIMIT && pool->max_waits)
		return "the higher max in slabd.conf waits for a pool made anew: "
		       "end the clients, then stop slabd and start it";
	return plan_reason_remedy(reason);
}

static uint32_t mark_of(const struct pool *pool, enum plan_reason reason)
{
	switch (reason) {
	case PLAN_AT_LIMIT:
		return pool->max_waits ? MARK_WHY_MAX_WAITS : MARK_WHY_AT_LIMIT;
	case PLAN_PRESSED:
		return MARK_WHY_PRESSED;
	case PLAN_DRAINED:
		return MARK_WHY_DRAINED;
	default:
		return MARK_WHY_NO_UNITS;
	}
}

/* What the kernel said is more than that it has none. */
static void say_begin(const struct pool *pool, uint32_t cache, uint32_t node,
                      enum plan_reason why)
{
	const struct backing_node *row = &pool->backing.node[node];
	bool kernel = why == PLAN_NO_UNITS && row->reason[0] != '\0';
	char name[4 * NAME_BYTES];
	log_warn("pool %s: nothing is left on node %u for cache %s, and "
	         "clients are refused memory: %s%s%s; to repair it: %s",
	         pool->name, pool->view.nodes[node].os_id,
	         log_escape(name, sizeof(name),
	                    pool->view.caches[cache - 1].name),
	         plan_reason_text(why), kernel ? ": " : "",
	         kernel ? row->reason : "",
	         kernel && row->remedy[0] ? row->remedy
	                                  : denied_remedy(pool, why));
}

uint32_t denied_note(struct pool *pool, const struct unmet_want *want)
{
	struct balance *b = pool->balance;
	struct balance_denied *node = &b->denied[want->node];
	struct balance_held *held =
		&b->held[balance_cell(pool, want->cache, want->node)];
	enum plan_reason why = (enum plan_reason)held->denied_why;
	int64_t now_ns = clock_ns();
	held->denied_n = want->n;
	held->denied_ns = now_ns;
	if (node->times++ == 0) {
		node->since_ns = now_ns;
		say_begin(pool, want->cache, want->node, why);
	}
	node->last_ns = now_ns;
	return mark_of(pool, why);
}

void denied_clear(struct pool *pool, uint32_t cache, uint32_t node)
{
	pool->balance->held[balance_cell(pool, cache, node)].denied_n = 0;
}

bool denied_settle(struct pool *pool)
{
	struct balance *b = pool->balance;
	int64_t now_ns = clock_ns();
	bool any = false;
	for (uint32_t i = 0; i < pool->view.geo.n_nodes; i++) {
		struct balance_denied *node = &b->denied[i];
		if (node->times == 0)
			continue;
		if (now_ns - node->last_ns < STAYS_NS) {
			any = true;
			continue;
		}
		log_info("pool %s: clients are not refused memory of node %u "
		         "any longer; they were %llu time%s within %.1f s",
		         pool->name, pool->view.nodes[i].os_id,
		         (unsigned long long)node->times,
		         node->times == 1 ? "" : "s",
		         (double)(node->last_ns - node->since_ns) / CLOCK_S);
		node->times = 0;
	}
	return any;
}

void denied_wants(struct pool *pool, struct unmet *unmet)
{
	struct balance *b = pool->balance;
	int64_t now_ns = clock_ns();
	unmet->n = 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
			const struct balance_held *held =
				&b->held[balance_cell(pool, cache, node)];
			if (is_denied(held, now_ns))
				unmet_add(unmet, cache, node, held->denied_n);
		}
}

enum plan_reason denied_why(const struct pool *pool, uint32_t cache,
                            uint32_t node)
{
	const struct balance_held *held =
		&pool->balance->held[balance_cell(pool, cache, node)];
	return is_denied(held, clock_ns()) ? (enum plan_reason)held->denied_why
	                                   : PLAN_NO_REASON;
}
