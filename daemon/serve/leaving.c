/* SPDX-License-Identifier: MIT */
#include "daemon/serve/leaving.h"

#include "daemon/balance/balance.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/lastconf.h"
#include "daemon/pool/keep.h"
#include "daemon/serve/peer.h"

void leaving_configure(struct config_pool *config, const char *name)
{
	if (!lastconf_pool(name, config))
		config_default_pool(config, name);
	config->leaving = true;
	/* What its clients leave goes back at once. */
	config->start_bytes = 0;
	config->floor_bytes = 0;
}

void leaving_say(const struct server *server)
{
	for (unsigned i = 0; i < server->n_pools; i++) {
		const struct pool *pool = &server->pools[i];
		if (pool->config->leaving && pool->n_clients > 0)
			log_warn("pool %s is no longer in slabd.conf, and %u "
			         "clients have it: it goes on for them, lets "
			         "nobody new in, and ends with the last of "
			         "them", pool->name, pool->n_clients);
	}
}

static bool has_any(const struct peer *peer, const struct pool *pool)
{
	while (peer != NULL && peer->pool != pool)
		peer = peer->next;
	return peer != NULL;
}

int64_t leaving_close(struct server *server)
{
	while (server->n_pools > 0) {
		struct pool *pool = &server->pools[server->n_pools - 1];
		if (!pool->config->leaving)
			return -1;
		/* The ids of the dead rest a while. */
		if (has_any(server->peers, pool) || has_any(server->dead, pool))
			return pool->n_clients > 0 ? -1 : CLOCK_S;
		log_info("pool %s is no longer in slabd.conf, and nobody has "
		         "it: its memory goes back", pool->name);
		server->n_pools--;
		balance_done(pool);
		keep_or_destroy(pool, false);
	}
	return -1;
}
