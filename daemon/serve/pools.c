/* SPDX-License-Identifier: MIT */
#include "daemon/serve/pools.h"

#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "daemon/pool/adopt.h"
#include "daemon/pool/create.h"
#include "daemon/pool/keep.h"

#define PEERS_PENDING 128 /* connections before their hello */

static int open_pool(struct server *server, unsigned i)
{
	const struct config_pool *config = &server->config->pools[i];
	bool may_reserve = server->config->reserve_hugepages;
	struct pool *pool = &server->pools[i];
	int r = adopt_pool(pool, config, server->topo, may_reserve);
	if (r == ADOPT_E_NONE)
		r = create_pool(pool, config, server->topo, may_reserve, i);
	if (r < 0)
		return r;
	server->n_pools++;
	server->max_peers += config->max_clients;
	r = balance_make(pool);
	if (r < 0)
		log_error("pool %s: can't make its balance: %s", pool->name,
		          strerror(-r));
	return r;
}

int pools_open(struct server *server)
{
	int r = 0;
	server->max_peers = PEERS_PENDING;
	for (unsigned i = 0; r == 0 && i < server->config->n_pools; i++)
		r = open_pool(server, i);
	return r;
}

void pools_close(struct server *server, bool told, bool started)
{
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		balance_done(pool);
		if (told)
			pool_destroy(pool);
		else
			keep_or_destroy(pool, started || pool->adopted);
	}
}
