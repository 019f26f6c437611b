/* SPDX-License-Identifier: MIT */
#include "daemon/serve/levels.h"

#include "daemon/balance/balance.h"
#include "daemon/base/clock.h"
#include "daemon/watch/psi.h"

/* It could have had more pages of the node, had there been any. */
static bool lacks_pages(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].drain == 0 &&
	       pool->pages.node[node].pages < pages_size(&pool->pages, node);
}

static void press_others(struct server *server, const struct pool *pool,
                         uint32_t node)
{
	int64_t until_ns = clock_ns() + PSI_STAYS_NS;
	for (unsigned i = 0; i < server->n_pools; i++)
		if (&server->pools[i] != pool)
			psi_note(&server->levels.scarce[i][node], PLAN_SOME,
			         until_ns);
}

void levels_note_denied(struct server *server, const struct pool *pool,
                        const struct unmet *unmet)
{
	for (uint32_t i = 0; i < unmet->n; i++)
		if (lacks_pages(pool, unmet->want[i].node))
			press_others(server, pool, unmet->want[i].node);
}

/* The level that holds for a node of a pool; when it ends by itself in left. */
static enum plan_pressure level_of(const struct server *server, unsigned ix,
                                   uint32_t node, int64_t *left_ns)
{
	enum plan_pressure scarce =
		psi_at(&server->levels.scarce[ix][node], clock_ns(), left_ns);
	enum plan_pressure all = PLAN_CALM;
	if (balance_config(&server->pools[ix])->pressure_ms > 0)
		all = server->levels.kernel;
	return scarce > all ? scarce : all;
}

/* Whether it got worse. */
static bool settle_node(struct server *server, unsigned ix, uint32_t node,
                        int64_t *next_ns)
{
	struct pool *pool = &server->pools[ix];
	enum plan_pressure was = balance_pressure(pool, node);
	int64_t left_ns;
	enum plan_pressure is = level_of(server, ix, node, &left_ns);
	if (left_ns >= 0 && (*next_ns < 0 || left_ns < *next_ns))
		*next_ns = left_ns;
	if (is != was)
		balance_press(pool, node, is);
	return is > was;
}

bool levels_settle(struct server *server, int64_t *next_ns)
{
	bool worse = false;
	*next_ns = -1;
	for (unsigned i = 0; i < server->n_pools; i++)
		for (uint32_t node = 0; node < server->topo->n_nodes; node++)
			worse |= settle_node(server, i, node, next_ns);
	return worse;
}
