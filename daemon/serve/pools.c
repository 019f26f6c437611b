/* SPDX-License-Identifier: MIT */
#include "daemon/serve/pools.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "daemon/base/stop.h"
#include "daemon/pool/adopt.h"
#include "daemon/pool/create.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/owner.h"
#include "daemon/pool/rest.h"
#include "daemon/serve/leaving.h"

static int left_fd[CONFIG_POOLS_MAX]; /* the journals of server.left, or -1 */
static int left_error;                /* why, if that may pass */

/* Adds an open pool, which stands behind the others. */
static int add_pool(struct server *server)
{
	struct pool *pool = &server->pools[server->n_pools++];
	int r;
	r = balance_make(pool);
	if (r < 0)
		log_error("pool %s: can't make its balance: %s", pool->name,
		          strerror(-r));
	return r;
}

static int open_pool(struct server *server, const struct config_pool *config)
{
	bool may_reserve = server->config->reserve_hugepages;
	unsigned i = server->n_pools;
	struct pool *pool = &server->pools[i];
	int journal = rest_journal(config->name);
	int r = adopt_pool(pool, config, server->topo, may_reserve);
	if (r < 0) {
		/* Of the memory, which another start finds as it is; or of
		 * this start. */
		if (r != -EINVAL && r != -EPROTO && r != -EUCLEAN)
			left_error = r;
		left_fd[server->n_left] = journal;
		server->left[server->n_left++] = config->name;
		return 0;
	}
	if (journal >= 0)
		close(journal);
	/* Told to stop: what is kept is taken over still, to be given back. */
	if (r == ADOPT_E_NONE && !stop_is_due())
		r = create_pool(pool, config, server->topo, may_reserve, i);
	if (r != 0 && stop_is_due())
		return 0;
	return r < 0 ? r : add_pool(server);
}

/* Those that are kept and not configured. Where one can't be taken over nothing
 * of it is touched, and it goes as rest_close has it. */
int pools_open_leaving(struct server *server)
{
	static struct config_pool configs[CONFIG_POOLS_MAX];
	char name[NAME_BYTES];
	unsigned at = 0;
	int r = 0;
	while (r == 0 && server->n_pools < CONFIG_POOLS_MAX &&
	       rest_next(&at, name)) {
		struct config_pool *config = &configs[server->n_pools];
		struct pool *pool = &server->pools[server->n_pools];
		if (!rest_may(name))
			continue;
		leaving_configure(config, name);
		if (adopt_pool(pool, config, server->topo,
		               server->config->reserve_hugepages) == 0)
			r = add_pool(server);
		else
			keep_forget(pool);
	}
	return r;
}

/* Of all that is kept, before any of it is touched. */
static int look_for_others(const struct server *server)
{
	char name[NAME_BYTES];
	unsigned at = 0;
	int r = 0;
	for (unsigned i = 0; r == 0 && i < server->config->n_pools; i++)
		r = owner_look(server->config->pools[i].name);
	while (r == 0 && rest_next(&at, name))
		r = owner_look(name);
	return r;
}

/* What happened to one pool is no reason to let go of the clients of others, nor
 * to answer no question: it is left to the slabd that can take it over. Where
 * none was taken over for want of something, the next start may have it. */
int pools_open(struct server *server)
{
	bool any = false;
	int r = look_for_others(server);
	for (unsigned i = 0; r == 0 && i < server->config->n_pools; i++)
		r = open_pool(server, &server->config->pools[i]);
	for (unsigned i = 0; i < server->n_pools; i++)
		any |= server->pools[i].adopted;
	return r == 0 && !any ? left_error : r;
}

void pools_pay_left(struct server *server)
{
	for (unsigned i = 0; i < server->n_left; i++)
		rest_pay(server->left[i], left_fd[i], server->topo);
}
