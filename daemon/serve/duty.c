/* SPDX-License-Identifier: MIT */
#include "daemon/serve/duty.h"

#include <errno.h>
#include <string.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "daemon/balance/denied.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/late.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/sweep.h"
#include "daemon/serve/leaving.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/sampling.h"
#include "daemon/serve/share.h"
#include "daemon/watch/wake.h"

#define WANTS_NS (2 * CLOCK_MS)     /* one pool's wants, see serve/share.h */
#define ALL_WANTS_NS (4 * CLOCK_MS) /* those of all pools */
#define RETRY_NS (50 * CLOCK_MS) /* denied lists are asked for anew */
#define TIDY_NS CLOCK_MS         /* for older versions, at one time */
#define TIDY_AGAIN_NS (3 * CLOCK_MS)
#define BUSY_NS (2 * CLOCK_MS)   /* another slabd may be out of the way */
#define LATE_NS (10 * CLOCK_MS)

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
	sampling_soon(server);
}

static enum balance_cause cause_now(const struct pool *pool)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (balance_pressure(pool, node) != PLAN_CALM)
			return BALANCE_PRESSURE;
	return BALANCE_TIMER;
}

/* Limits may be lowered at any time, and nobody is told of it. */
static void note_groups(struct server *server)
{
	int64_t until_ns = clock_ns() + PSI_STAYS_NS;
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		if (balance_config(pool)->pressure_ms == 0 ||
		    !backing_is_over(&pool->backing))
			continue;
		for (uint32_t n = 0; n < pool->view.geo.n_nodes; n++)
			psi_note(&server->scarce[i][n], PLAN_SOME, until_ns);
	}
}

void duty_tidy(struct server *server, struct pool *pool)
{
	if (pool->superseded)
		wake_start(server->tidy, 0);
}

void duty_look(struct server *server, struct pool *pool)
{
	bool trim = false;
	int64_t ns;
	duty_tidy(server, pool);
	if (!holes_guard(pool)) {
		look_in(server, BUSY_NS);
		return;
	}
	ns = balance_tick(pool, cause_now(pool), &trim);
	if (trim)
		peer_trim(server, pool);
	if (!late_give(pool) && (ns < 0 || ns > LATE_NS))
		ns = LATE_NS;
	if (ns >= 0)
		look_in(server, ns);
}

static void on_balance(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	int64_t next_ns;
	note_groups(server);
	duty_settle_levels(server);
	for (unsigned i = 0; i < server->n_pools; i++)
		duty_look(server, &server->pools[i]);
	next_ns = leaving_close(server);
	if (next_ns >= 0)
		look_in(server, next_ns);
}

/* It could have had more pages of the node, had there been any. */
static bool lacks_pages(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].drain == 0 &&
	       pool->pages.node[node].pages < pages_max(&pool->pages, node);
}

void duty_note_denied(struct server *server, const struct pool *pool,
                      const struct unmet *unmet)
{
	int64_t until_ns = clock_ns() + PSI_STAYS_NS;
	for (uint32_t i = 0; i < unmet->n; i++) {
		uint32_t node = unmet->want[i].node;
		if (!lacks_pages(pool, node))
			continue;
		for (unsigned ix = 0; ix < server->n_pools; ix++)
			if (&server->pools[ix] != pool)
				psi_note(&server->scarce[ix][node], PLAN_SOME,
				         until_ns);
	}
}

/* Whether it got worse. */
static bool settle_node(struct server *server, unsigned ix, uint32_t node,
                        int64_t *next_ns)
{
	struct pool *pool = &server->pools[ix];
	enum plan_pressure was = balance_pressure(pool, node);
	int64_t left_ns;
	enum plan_pressure is =
		psi_at(&server->scarce[ix][node], clock_ns(), &left_ns);
	if (left_ns >= 0 && (*next_ns < 0 || left_ns < *next_ns))
		*next_ns = left_ns;
	if (balance_config(pool)->pressure_ms > 0 && server->kernel > is)
		is = server->kernel;
	if (is != was)
		balance_press(pool, node, is);
	return is > was;
}

bool duty_tell_levels(struct server *server, int64_t *next_ns)
{
	bool worse = false;
	*next_ns = -1;
	for (unsigned i = 0; i < server->n_pools; i++)
		for (uint32_t node = 0;
		     node < server->pools[i].view.geo.n_nodes; node++)
			worse |= settle_node(server, i, node, next_ns);
	return worse;
}

void duty_settle_levels(struct server *server)
{
	int64_t next_ns;
	bool worse = duty_tell_levels(server, &next_ns);
	if (next_ns >= 0)
		wake_set(server->calm, next_ns);
	if (worse)
		duty_soon(server, 0);
}

static void on_calm(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	duty_settle_levels(arg);
}

/* A slice of the pool's round over its wants, as long as its share lasts, and
 * that of all pools. */
static enum wants_outcome serve_slice(struct server *server, struct pool *pool)
{
	struct share *all = &server->wants_of_all;
	struct duty_share *own = &server->wants_of[pool - server->pools];
	int64_t own_ns = share_left(server, &own->share, WANTS_NS);
	int64_t all_ns = share_left(server, all, ALL_WANTS_NS);
	int64_t began_ns = clock_ns();
	enum wants_outcome outcome = WANTS_NOTHING;
	own->due = true;
	if (own_ns > 0 && all_ns > 0) {
		outcome = wants_serve(
			pool, began_ns + (own_ns < all_ns ? own_ns : all_ns),
			&own->due);
		share_use(&own->share, began_ns);
		share_use(all, began_ns);
	}
	if (own->due)
		wake_start(server->wants, 0);
	return outcome;
}

static void serve_on(struct server *server, struct pool *pool)
{
	enum wants_outcome outcome;
	if (!holes_guard(pool)) {
		server->wants_of[pool - server->pools].due = true;
		wake_start(server->wants, BUSY_NS);
		return;
	}
	outcome = serve_slice(server, pool);
	if (pool_is_busy(pool))
		wake_start(server->ahead, BUSY_NS);
	if (pool->denied_any)
		wake_start(server->retry, RETRY_NS);
	if (outcome == WANTS_NOTHING)
		return;
	wake_start(server->ahead, 0);
	duty_soon(server, DUTY_SOON_NS);
	if (outcome >= WANTS_EVENED && server->n_pools > 1) {
		duty_note_denied(server, pool, wants_unmet(pool));
		duty_settle_levels(server);
	}
	if (outcome == WANTS_DENIED) {
		pool->counts.trims++;
		peer_trim(server, pool);
	}
}

void duty_serve_pool(struct server *server, struct pool *pool)
{
	if (sweep_is_due(pool))
		wake_start(server->sweep, 0);
	else
		duty_serve_swept(server, pool);
}

void duty_serve_swept(struct server *server, struct pool *pool)
{
	wants_rung(pool);
	serve_on(server, pool);
}

/* What there was no time for, behind all that came meanwhile. */
static void on_wants(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	unsigned first = server->wants_turn++;
	for (unsigned i = 0; i < server->n_pools; i++) {
		unsigned ix = (first + i) % server->n_pools;
		if (server->wants_of[ix].due)
			serve_on(server, &server->pools[ix]);
	}
}

static void on_retry(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	for (unsigned i = 0; i < server->n_pools; i++) {
		marks_clear_denied(&server->pools[i]);
		if (denied_settle(&server->pools[i]))
			wake_start(server->retry, RETRY_NS);
	}
}

static void on_ahead(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		bool was_busy = pool_is_busy(pool);
		if (!holes_guard(pool)) {
			wake_start(server->ahead, BUSY_NS);
			continue;
		}
		memset(pool->busy, 0, sizeof(pool->busy));
		if (was_busy) {
			wants_came(pool);
			duty_serve_pool(server, pool);
		}
		if (ahead_work(pool))
			wake_start(server->ahead, 0);
		if (pool_is_busy(pool))
			wake_start(server->ahead, BUSY_NS);
	}
}

/* A slice of each pool's. */
static void on_tidy(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		uint64_t ended = pool->counts.ended_caches;
		if (!caches_tidy_some(pool, &server->tidying[i],
		                      clock_ns() + TIDY_NS))
			wake_start(server->tidy, TIDY_AGAIN_NS);
		if (pool->counts.ended_caches != ended)
			duty_soon(server, DUTY_SOON_NS);
	}
}

int duty_open(struct server *server)
{
	struct event_base *base = server->base;
	if (wake_timer(&server->wants, base, on_wants, server) < 0 ||
	    wake_timer(&server->retry, base, on_retry, server) < 0 ||
	    wake_timer(&server->ahead, base, on_ahead, server) < 0 ||
	    wake_timer(&server->tidy, base, on_tidy, server) < 0 ||
	    wake_timer(&server->balance, base, on_balance, server) < 0 ||
	    wake_timer(&server->calm, base, on_calm, server) < 0)
		return -ENOMEM;
	return 0;
}

void duty_close(struct server *server)
{
	wake_free(&server->wants);
	wake_free(&server->retry);
	wake_free(&server->ahead);
	wake_free(&server->tidy);
	wake_free(&server->balance);
	wake_free(&server->calm);
}
