/* SPDX-License-Identifier: MIT */
#include "daemon/serve/duty.h"

#include <errno.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/marks.h"
#include "daemon/serve/levels.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/timer.h"

#define RETRY_NS (50 * CLOCK_MS) /* denied lists are asked for anew */

/* ---- looks -------------------------------------------------------------- */

static void look_in(struct server *server, int64_t ns)
{
	int64_t at_ns = clock_ns() + ns;
	if (evtimer_pending(server->balance, NULL) &&
	    server->balance_due_ns <= at_ns)
		return;
	server->balance_due_ns = at_ns;
	timer_set(server->balance, ns);
}

void duty_soon(struct server *server, int64_t ns)
{
	for (unsigned i = 0; i < server->n_pools; i++)
		balance_stir(&server->pools[i]);
	look_in(server, ns);
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
		int64_t ns = balance_tick(pool, cause_now(pool), &trim);
		if (trim)
			peer_trim(server, pool);
		if (ns >= 0)
			look_in(server, ns);
	}
}

/* ---- levels ------------------------------------------------------------- */

void duty_settle_levels(struct server *server)
{
	int64_t next_ns;
	bool worse = levels_settle(server, &next_ns);
	if (next_ns >= 0)
		timer_set(server->calm, next_ns);
	if (worse)
		duty_soon(server, 0);
}

static void on_calm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	duty_settle_levels(arg);
}

/* ---- wants -------------------------------------------------------------- */

static void press_others(struct server *server, const struct pool *pool,
                         const struct unmet *unmet)
{
	if (server->n_pools < 2)
		return;
	levels_note_denied(server, pool, unmet);
	duty_settle_levels(server);
}

void duty_serve_pool(struct server *server, struct pool *pool)
{
	struct unmet unmet;
	enum wants_outcome outcome = wants_serve(pool, &unmet);
	if (pool->denied_any)
		timer_start(server->retry, RETRY_NS);
	if (outcome == WANTS_NOTHING)
		return;
	timer_start(server->ahead, 0);
	duty_soon(server, DUTY_SOON_NS);
	if (outcome >= WANTS_EVENED)
		press_others(server, pool, &unmet);
	if (outcome == WANTS_DENIED) {
		pool->counts.trims++;
		peer_trim(server, pool);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < server->n_pools; i++)
		marks_clear_denied(&server->pools[i]);
}

static void on_ahead(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < server->n_pools; i++)
		if (wants_ahead(&server->pools[i]))
			timer_start(server->ahead, 0);
}

/* ---- open and close ----------------------------------------------------- */

int duty_open(struct server *server)
{
	struct event_base *base = server->base;
	server->retry = evtimer_new(base, on_retry, server);
	server->ahead = evtimer_new(base, on_ahead, server);
	server->balance = evtimer_new(base, on_balance, server);
	server->calm = evtimer_new(base, on_calm, server);
	if (!server->retry || !server->ahead || !server->balance ||
	    !server->calm)
		return -ENOMEM;
	return levels_open(server);
}

void duty_close(struct server *server)
{
	timer_free(&server->retry);
	timer_free(&server->ahead);
	timer_free(&server->balance);
	timer_free(&server->calm);
	levels_close(server);
}
