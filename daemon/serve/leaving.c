/* SPDX-License-Identifier: MIT */
#include "daemon/serve/leaving.h"

#include <fcntl.h>
#include <stdio.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/trim.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/lastconf.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/work.h"
#include "daemon/serve/door.h"
#include "daemon/serve/peer.h"

#define AGAIN_NS (10 * CLOCK_MS)
#define NAMED_MAX 8u

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

/* " orders (pid 4711), ..." of its clients, as many as fit. */
static void name_clients(const struct pool *pool, char *text, size_t size)
{
	size_t at = 0;
	unsigned n = 0;
	text[0] = '\0';
	for (uint32_t id = 1; id <= pool->head->top_id && n < NAMED_MAX; id++) {
		const struct layout_client *row = &pool->view.clients[id];
		if (!view_client_live(&pool->view, id) || at >= size)
			continue;
		at += (size_t)snprintf(text + at, size - at, "%s%.16s (pid %d)",
		                       n > 0 ? ", " : "", row->comm, row->pid);
		n++;
	}
	if (n < pool->n_clients && at < size)
		snprintf(text + at, size - at, " and %u more",
		         pool->n_clients - n);
}

void leaving_say_holders(const struct server *server)
{
	for (unsigned i = 0; i < server->n_pools; i++) {
		const struct pool *pool = &server->pools[i];
		char text[400];
		if (pool->n_clients == 0)
			continue;
		name_clients(pool, text, sizeof(text));
		log_info("pool %s: its memory stays in use until its clients "
		         "end: %s", pool->name, text);
	}
}

static bool has_any(const struct peer *peer, const struct pool *pool)
{
	while (peer != NULL && peer->pool != pool)
		peer = peer->next;
	return peer != NULL;
}

/* Its pages go back in the crew's time, not in that of other pools. When to look
 * again, 0 at once; -1: they are gone. */
static int64_t give_pages(struct pool *pool)
{
	static struct balance_trim trim;
	static const struct pool *trimmed;
	if (!holes_guard(pool))
		return AGAIN_NS;
	if (trimmed != pool)
		trim_begin(pool, PLAN_NONE, &trim);
	trimmed = pool;
	if (trim_some(pool, &trim))
		return trim.waits ? AGAIN_NS : 0;
	if (work_is_under_way(pool))
		return AGAIN_NS;
	trimmed = NULL;
	return -1;
}

/* What the shared file has goes with its last descriptor. */
static void end(struct pool *pool)
{
	int shared = fcntl(pool->shared_fd, F_DUPFD_CLOEXEC, 0);
	balance_done(pool);
	keep_or_destroy(pool, false);
	if (shared >= 0)
		door_release(shared);
}

int64_t leaving_close(struct server *server)
{
	while (server->n_pools > 0) {
		struct pool *pool = &server->pools[server->n_pools - 1];
		int64_t again_ns;
		if (!pool->config->leaving)
			return -1;
		/* The ids of the dead rest a while. */
		if (has_any(server->peers, pool) || has_any(server->dead, pool))
			return pool->n_clients > 0 ? -1 : CLOCK_S;
		again_ns = give_pages(pool);
		if (again_ns >= 0)
			return again_ns;
		log_info("pool %s is no longer in slabd.conf, and nobody has "
		         "it: its memory goes back", pool->name);
		server->n_pools--;
		end(pool);
	}
	return -1;
}
