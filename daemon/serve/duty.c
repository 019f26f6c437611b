/* SPDX-License-Identifier: MIT */
/* When the nodes are looked at: a while after something happened, and again as
 * long as there is something to do. Never in a pool where nothing happens. */
#include <errno.h>
#include <sys/time.h>

#include "daemon/balance/balance.h"
#include "daemon/serve/server.h"

static bool is_due_by(const struct event *timer, int ms)
{
	struct timeval at;
	struct timeval now;
	if (!evtimer_pending(timer, &at))
		return false;
	gettimeofday(&now, NULL);
	return (at.tv_sec - now.tv_sec) * 1000 +
	               (at.tv_usec - now.tv_usec) / 1000 <= ms;
}

static void look_in(struct server *server, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000,
	                     .tv_usec = ms % 1000 * 1000};
	if (is_due_by(server->balance, ms))
		return;
	evtimer_add(server->balance, &tv);
}

void duty_soon(struct server *server, int ms)
{
	for (unsigned i = 0; i < server->n_pools; i++)
		balance_stir(&server->pools[i]);
	look_in(server, ms);
}

static enum balance_cause cause_now(const struct pool *pool)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (balance_pressure(pool, node) != PLAN_CALM)
			return BALANCE_PRESSURE;
	return BALANCE_TIMER;
}

static void on_balance(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		bool trim = false;
		int ms = balance_tick(pool, cause_now(pool), &trim);
		if (trim)
			server_trim(server, pool);
		if (ms >= 0)
			look_in(server, ms);
	}
}

int duty_open(struct server *server)
{
	server->balance = evtimer_new(server->base, on_balance, server);
	return server->balance == NULL ? -ENOMEM : 0;
}
