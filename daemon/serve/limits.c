/* SPDX-License-Identifier: MIT */
#include "daemon/serve/limits.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/serve/death.h"

/* Of fewer places than that any one may have all. */
#define MANY 256u

unsigned limits_of_process(const struct config_pool *c)
{
	if (c->max_clients_process > 0)
		return c->max_clients_process;
	return c->max_clients < MANY ? c->max_clients : c->max_clients / 2;
}

unsigned limits_of_user(const struct config_pool *c, uint32_t uid)
{
	if (c->max_clients_user > 0)
		return c->max_clients_user;
	if (c->max_clients < MANY || uid == 0 || uid == geteuid())
		return c->max_clients;
	return c->max_clients - c->max_clients / 8;
}

/* Nobody can have more than all have together. */
static unsigned count(const struct peer *newcomer, const struct pool *pool,
                      bool process, unsigned max)
{
	unsigned n = 0;
	if (pool->n_clients < max)
		return 0;
	for (const struct peer *peer = newcomer->server->peers; peer != NULL;
	     peer = peer->next)
		if (peer->pool == pool && peer->uid == newcomer->uid)
			n += !process || peer->pid == newcomer->pid;
	return n;
}

/* A process that can't be seen from here has no number. */
static bool look(const struct peer *newcomer, const struct pool *pool,
                 char why[LIMITS_TEXT])
{
	unsigned process = limits_of_process(pool->config);
	unsigned user = limits_of_user(pool->config, newcomer->uid);
	if (pool->n_clients >= pool->config->max_clients)
		snprintf(why, LIMITS_TEXT,
		         "the pool has all the clients it may have: raise "
		         "max_clients in slabd.conf");
	else if (newcomer->pid > 0 &&
	         count(newcomer, pool, true, process) >= process)
		snprintf(why, LIMITS_TEXT,
		         "process %d has the %u clients that one may have: "
		         "close some, or raise max_clients_process in "
		         "slabd.conf", newcomer->pid, process);
	else if (count(newcomer, pool, false, user) >= user)
		snprintf(why, LIMITS_TEXT,
		         "user %u has the %u clients that one may have: end "
		         "some, or raise max_clients_user in slabd.conf",
		         newcomer->uid, user);
	else
		return true;
	return false;
}

bool limits_allow(const struct peer *newcomer, const struct pool *pool,
                  char why[LIMITS_TEXT])
{
	return look(newcomer, pool, why) ||
	       (death_look(newcomer->server, pool) > 0 &&
	        look(newcomer, pool, why));
}
