/* SPDX-License-Identifier: MIT */
#include "daemon/balance/tidings.h"

#include <stdio.h>

#include "daemon/balance/own.h"
#include "daemon/balance/trim.h"
#include "daemon/base/log.h"

/* ---- lending --------------------------------------------------------------- */

/* The last lend that slabd did by itself, of those that it remembers; NULL. */
static const struct balance_event *last_lend(const struct pool *pool)
{
	const struct balance_event *event;
	for (uint32_t i = 0; (event = history_event(&pool->balance->history, i)) != NULL; i++)
		if (event->step.kind == PLAN_LEND && !event->refused &&
		    event->done > 0)
			return event->cause != BALANCE_HAND ? event : NULL;
	return NULL;
}

static uint32_t id_of(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].os_id;
}

static void say_lent(const struct pool *pool, const struct plan_step *step)
{
	struct tidings *t = &pool->balance->tidings;
	char name[4 * NAME_BYTES];
	char more[64] = "";
	if (t->left_out > 0)
		snprintf(more, sizeof(more), " (%llu time%s more since the last)",
		         (unsigned long long)t->left_out,
		         t->left_out == 1 ? "" : "s");
	log_info("pool %s: node %u is lent slabs of node %u for cache %s: %s%s; "
	         "slabctl log has each step, slabctl set enabled no stops it",
	         pool->name, id_of(pool, step->to), id_of(pool, step->from),
	         log_escape(name, sizeof(name),
	                    pool->view.caches[step->cache_ix].name),
	         plan_reason_text(step->reason), more);
}

static void begin_lent(const struct pool *pool, int64_t now_ns)
{
	struct tidings *t = &pool->balance->tidings;
	const struct balance_event *event = last_lend(pool);
	t->lent = true;
	t->lent_ns = now_ns;
	t->lent_said = false;
	if (event == NULL || event->step.from >= pool->view.geo.n_nodes ||
	    event->step.to >= pool->view.geo.n_nodes)
		return;
	if (t->said_ns != 0 && now_ns - t->said_ns < TIDINGS_NS) {
		t->left_out++;
		return;
	}
	say_lent(pool, &event->step);
	t->lent_said = true;
	t->said_ns = now_ns;
	t->left_out = 0;
}

static void settle_lent(const struct pool *pool, int64_t now_ns)
{
	struct tidings *t = &pool->balance->tidings;
	if (pool->loans.n > 0 && !t->lent)
		begin_lent(pool, now_ns);
	if (pool->loans.n > 0 || !t->lent)
		return;
	t->lent = false;
	if (t->lent_said)
		log_info("pool %s: no slab is lent any longer: each is back "
		         "after %.1f s", pool->name,
		         (double)(now_ns - t->lent_ns) / CLOCK_S);
}

/* ---- nodes that are emptied -------------------------------------------------- */

static void settle_drain(const struct pool *pool, uint32_t node, int64_t now_ns)
{
	struct tidings *t = &pool->balance->tidings;
	bool drains = pool->view.nodes[node].drain != 0;
	bool empty = drains && pool->pages.node[node].pages == 0;
	if (drains && !t->drains[node]) {
		t->drains_ns[node] = now_ns;
		log_info("pool %s: node %u is being emptied: %llu MiB go back or "
		         "to other nodes as they fall free; slabctl nodes says "
		         "who holds what there, slabctl drain %u --undo stops it",
		         pool->name, id_of(pool, node),
		         (unsigned long long)pool_ready_units(pool, node)
		                 << UNIT_SHIFT >> 20, id_of(pool, node));
	}
	if (empty && !t->emptied[node])
		log_info("pool %s: node %u is empty after %.1f s", pool->name,
		         id_of(pool, node),
		         (double)(now_ns - t->drains_ns[node]) / CLOCK_S);
	t->drains[node] = drains;
	t->emptied[node] = empty;
}

/* ---- memory that goes back -------------------------------------------------- */

void tidings_note(struct pool *pool, const struct balance_event *event)
{
	const struct plan_step *step = &event->step;
	struct tidings_given *given = pool->balance->tidings.given;
	if (step->kind != PLAN_SHRINK || event->done == 0)
		return;
	if (step->reason == PLAN_PRESSED)
		given += TIDINGS_PRESSED;
	else if (step->reason == PLAN_IDLE)
		given += TIDINGS_IDLE;
	else
		return;
	given->any = true;
	given->pages[step->to] += event->done;
}

static int64_t left_ns(const struct tidings_given *given, int64_t now_ns)
{
	int64_t since_ns = now_ns - given->said_ns;
	return given->said_ns == 0 || since_ns >= TIDINGS_NS
	               ? 0
	               : TIDINGS_NS - since_ns;
}

static void settle_given(const struct pool *pool, unsigned why, int64_t now_ns)
{
	static const char *const texts[] = {
		[TIDINGS_PRESSED] = "it is short of memory (pressure in "
				    "slabd.conf)",
		[TIDINGS_IDLE] = "nothing was in it for long (idle in slabd.conf)",
	};
	struct tidings_given *given = &pool->balance->tidings.given[why];
	char nodes[TRIM_NODES_TEXT];
	if (!given->any || left_ns(given, now_ns) > 0)
		return;
	trim_name_nodes(nodes, sizeof(nodes), pool, given->pages);
	log_info("pool %s: %s went back to the kernel: %s", pool->name, nodes,
	         texts[why]);
	*given = (struct tidings_given){.said_ns = now_ns};
}

int64_t tidings_left_ns(const struct pool *pool)
{
	int64_t now_ns = clock_ns();
	int64_t least = -1;
	for (unsigned why = 0; why < TIDINGS_GIVEN; why++) {
		const struct tidings_given *given =
			&pool->balance->tidings.given[why];
		int64_t left = left_ns(given, now_ns);
		if (given->any && (least < 0 || left < least))
			least = left;
	}
	return least;
}

void tidings_settle(struct pool *pool, bool more)
{
	int64_t now_ns = clock_ns();
	settle_lent(pool, now_ns);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		settle_drain(pool, node, now_ns);
	for (unsigned why = 0; !more && why < TIDINGS_GIVEN; why++)
		settle_given(pool, why, now_ns);
}
