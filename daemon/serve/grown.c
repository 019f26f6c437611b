/* SPDX-License-Identifier: MIT */
#include "daemon/serve/grown.h"

#include "daemon/balance/wants.h"
#include "daemon/pool/crew.h"
#include "daemon/pool/work.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/files.h"
#include "daemon/watch/wake.h"

/* Before more begins: what waited for the rows of nodes. */
static void catch_up(struct server *server, struct pool *pool)
{
	if (!work_take_put_off(pool))
		return;
	files_look_now(server, pool);
	duty_look(server, pool);
}

static void on_grown(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	crew_finish(server->crew);
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		if (!work_has_come(pool))
			continue;
		catch_up(server, pool);
		wants_came(pool);
		duty_serve_pool(server, pool);
		wake_start(server->ahead, 0);
	}
}

int grown_open(struct server *server)
{
	int r = crew_open(&server->crew, server->topo);
	if (r == 0)
		r = wake_on_fd(&server->grown, server->base,
		               crew_fd(server->crew), on_grown, server);
	for (unsigned i = 0; r == 0 && i < server->n_pools; i++)
		r = work_open(&server->pools[i], server->crew);
	return r;
}

void grown_close(struct server *server)
{
	wake_free(&server->grown);
	crew_close(server->crew);
	server->crew = NULL;
}
