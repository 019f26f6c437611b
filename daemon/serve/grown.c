/* SPDX-License-Identifier: MIT */
#include "daemon/serve/grown.h"

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/base/clock.h"
#include "daemon/pool/grow.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/work.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/files.h"
#include "daemon/watch/wake.h"

/* Before more begins: what waited for the rows of nodes. */
static void catch_up(struct server *server, struct pool *pool)
{
	bool moved = balance_take_moved(pool);
	bool put_off = work_take_put_off(pool);
	if (put_off)
		files_look_now(server, pool);
	if (put_off || moved)
		duty_look(server, pool);
}

static void on_grown(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++)
		if (server->crew[i] != NULL)
			crew_finish(server->crew[i]);
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		if (!work_has_come(pool))
			continue;
		catch_up(server, pool);
		/* Who wants pages of the node comes first. */
		if (holes_take_more(pool))
			files_look(server, CLOCK_MS);
		wants_came(pool);
		duty_serve_pool(server, pool);
		if (grow_take_again(pool))
			wake_start(server->ahead, 0);
	}
}

int grown_open(struct server *server)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		r = crew_open(&server->crew[i], pool->topo);
		if (r == 0)
			r = wake_on_fd(&server->grown[i], server->base,
			               crew_fd(server->crew[i]), on_grown,
			               server);
		if (r == 0)
			r = work_open(pool, server->crew[i]);
	}
	return r;
}

void grown_close(struct server *server)
{
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++) {
		wake_free(&server->grown[i]);
		/* A thread of it is held, as loop_close has said. */
		if (i < server->n_pools && server->pools[i].work != NULL)
			continue;
		crew_close(server->crew[i]);
		server->crew[i] = NULL;
	}
}
