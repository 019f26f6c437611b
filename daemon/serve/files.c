/* SPDX-License-Identifier: MIT */
#include "daemon/serve/files.h"

#include <errno.h>

#include "daemon/pool/holes.h"
#include "daemon/pool/renew.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/sampling.h"
#include "daemon/watch/wake.h"

#define MORE_NS CLOCK_MS /* to the next part of what takes long */

void files_look(struct server *server, int64_t ns)
{
	int64_t at_ns = clock_ns() + ns;
	if (evtimer_pending(server->files, NULL) &&
	    server->files_due_ns <= at_ns)
		return;
	server->files_due_ns = at_ns;
	wake_set(server->files, ns);
}

static void tell_drops(struct server *server, struct pool *pool)
{
	if (pool->told_drops == pool->head->drops)
		return;
	pool->told_drops = pool->head->drops;
	peer_drops(server, pool);
}

static void on_files(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool used = false;
	bool more = false;
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		tell_drops(server, pool);
		more |= holes_look(pool) || renew_some(pool);
		used = used || pool->n_clients > 0 || pool->holes_failed > 0 ||
		       pool->head->aside != 0 || holes_differ(pool);
	}
	if (!more)
		sampling_take(server);
	if (more || used)
		files_look(server, more ? MORE_NS : FILES_NS);
}

void files_look_now(struct server *server, struct pool *pool)
{
	if (holes_look(pool))
		files_look(server, MORE_NS);
}

int files_open(struct server *server)
{
	return wake_timer(&server->files, server->base, on_files, server);
}

void files_close(struct server *server)
{
	wake_free(&server->files);
}
