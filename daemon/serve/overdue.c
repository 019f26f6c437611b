/* SPDX-License-Identifier: MIT */
#include "daemon/serve/overdue.h"

#include "daemon/pool/arenas.h"
#include "daemon/pool/looks.h"
#include "daemon/watch/wake.h"

#define LOOK_S 60u /* from one look to the next, at most */
#define LOOKS 4u   /* in the time after which one is overdue */

/* Where the shortest time is short, sooner; -1: there is no client to look at. */
static int64_t pause_ns(const struct server *server)
{
	unsigned pause_s = 0;
	for (unsigned i = 0; i < server->n_pools; i++) {
		const struct pool *pool = &server->pools[i];
		unsigned of_it_s = pool->config->arena_warn_s / LOOKS;
		if (pool->config->arena_warn_s == 0 || pool->n_clients == 0)
			continue;
		of_it_s = of_it_s < 1 ? 1 : of_it_s > LOOK_S ? LOOK_S : of_it_s;
		if (pause_s == 0 || of_it_s < pause_s)
			pause_s = of_it_s;
	}
	return pause_s == 0 ? -1 : pause_s * CLOCK_S;
}

void overdue_watch(struct server *server)
{
	int64_t ns = pause_ns(server);
	if (ns >= 0)
		wake_start(server->overdue, ns);
}

void overdue_configure(struct server *server)
{
	int64_t ns = pause_ns(server);
	if (ns >= 0)
		wake_set(server->overdue, ns);
}

static void on_overdue(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool more = false;
	for (unsigned i = 0; i < server->n_pools; i++)
		more |= arenas_is_watched(&server->pools[i]) &&
		        arenas_look(&server->pools[i]);
	if (more)
		wake_set(server->overdue, looks_pause_ms() * CLOCK_MS);
	else
		overdue_watch(server);
}

int overdue_open(struct server *server)
{
	return wake_timer(&server->overdue, server->base, on_overdue, server);
}

void overdue_close(struct server *server)
{
	wake_free(&server->overdue);
}
