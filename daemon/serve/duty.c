/* SPDX-License-Identifier: MIT */
#include "daemon/serve/duty.h"

#include <errno.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/marks.h"
#include "daemon/serve/levels.h"
#include "daemon/serve/peer.h"
#include "daemon/watch/wake.h"

#define RETRY_NS (50 * CLOCK_MS) /* denied lists are asked for anew */

/* ---- looks -------------------------------------------------------------- */

static void look_in(struct server *server, int64_t ns)
{
	int64_t at_ns = clock_ns() + ns;
	if (evtimer_pending(server->balance, NULL) &&
	    server->balance_due_ns <= at_ns)
		return;
	server->balance_due_ns = at_ns;
	wake_set(server->balance, ns);
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

static void on_balance(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
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
		wake_set(server->calm, next_ns);
	if (worse)
		duty_soon(server, 0);
}

static void on_calm(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
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
		wake_start(server->retry, RETRY_NS);
	if (outcome == WANTS_NOTHING)
		return;
	wake_start(server->ahead, 0);
	duty_soon(server, DUTY_SOON_NS);
	if (outcome >= WANTS_EVENED)
		press_others(server, pool, &unmet);
	if (outcome == WANTS_DENIED) {
		pool->counts.trims++;
		peer_trim(server, pool);
	}
}

static void on_retry(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	for (unsigned i = 0; i < server->n_pools; i++)
		marks_clear_denied(&server->pools[i]);
}

static void on_ahead(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	for (unsigned i = 0; i < server->n_pools; i++)
		if (wants_ahead(&server->pools[i]))
			wake_start(server->ahead, 0);
}

/* ---- open and close ----------------------------------------------------- */

int duty_open(struct server *server)
{
	struct event_base *base = server->base;
	if (wake_timer(&server->retry, base, on_retry, server) < 0 ||
	    wake_timer(&server->ahead, base, on_ahead, server) < 0 ||
	    wake_timer(&server->balance, base, on_balance, server) < 0 ||
	    wake_timer(&server->calm, base, on_calm, server) < 0)
		return -ENOMEM;
	return 0;
}

void duty_close(struct server *server)
{
	wake_free(&server->retry);
	wake_free(&server->ahead);
	wake_free(&server->balance);
	wake_free(&server->calm);
}
