/* SPDX-License-Identifier: MIT */
#include "daemon/balance/balance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/denied.h"
#include "daemon/balance/own.h"
#include "daemon/balance/tidings.h"
#include "daemon/pool/marks.h"

#define SLICE_NS (2 * CLOCK_MS)   /* for the steps of a plan, at one time */
#define OLD_NS CLOCK_S            /* no plan waits for longer */
#define AGAIN_NS (10 * CLOCK_MS)  /* there is more of the same to do */
#define DRAIN_NS (200 * CLOCK_MS) /* a node is being emptied, and waits */
#define PRESSED_NS CLOCK_S
#define NEXT_MAX_NS (1000000 * CLOCK_S)
#define IDLE_LOOKS 6u /* each twice as late as the one before */

/* ---- memory ------------------------------------------------------------- */

/* False if there is no memory for all of them. */
static bool make_arrays(struct pool *pool, struct balance *b)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t n_cells = (uint64_t)geo->n_caches * geo->n_nodes;
	struct snapshot most = {.n_nodes = geo->n_nodes,
	                        .n_caches = geo->n_caches};
	b->cells = calloc(n_cells, sizeof(*b->cells));
	b->held = calloc(n_cells, sizeof(*b->held));
	b->coming = calloc(n_cells / 64 + 1, sizeof(*b->coming));
	b->empty = calloc(geo->n_units / 64 + 1, sizeof(*b->empty));
	b->work = malloc(plan_work_bytes(&most));
	return b->cells != NULL && b->held != NULL && b->coming != NULL &&
	       b->empty != NULL && b->work != NULL;
}

/* NULL is fine. */
static void free_balance(struct balance *b)
{
	if (b == NULL)
		return;
	free(b->cells);
	free(b->held);
	free(b->coming);
	free(b->empty);
	free(b->work);
	free(b);
}

void balance_forget(struct pool *pool)
{
	uint32_t n_nodes = pool->view.geo.n_nodes;
	if (pool->new_cache == 0)
		return;
	memset(&pool->balance->held[balance_cell(pool, pool->new_cache, 0)], 0,
	       n_nodes * sizeof(*pool->balance->held));
	/* Memory comes now, and not for many caches at once. */
	memset(&pool->balance->cells[balance_cell(pool, pool->new_cache, 0)],
	       0, n_nodes * sizeof(*pool->balance->cells));
	pool->new_cache = 0;
}

/* What the first look at a pool with caches writes has memory before the loop is
 * there, as that takes long. */
static void touch(struct pool *pool)
{
	struct balance *b = pool->balance;
	uint64_t n = (uint64_t)pool->n_caches * pool->view.geo.n_nodes;
	struct snapshot is = {.n_nodes = pool->view.geo.n_nodes,
	                      .n_caches = pool->n_caches};
	memset(b->cells, 0, n * sizeof(*b->cells));
	memset(b->held, 0, n * sizeof(*b->held));
	if (pool->n_caches > 0)
		memset(b->work, 0, plan_work_bytes(&is));
}

int balance_make(struct pool *pool)
{
	struct balance *b = calloc(1, sizeof(*b));
	char reason[200];
	char remedy[200];
	if (b == NULL || !make_arrays(pool, b)) {
		free_balance(b);
		return -ENOMEM;
	}
	b->config = pool->config->balance;
	marks_set_remote_wait(pool, b->config.remote_wait_ms * 1000);
	b->may_migrate = pool->topo->simulated ||
	                 backing_may_move(reason, sizeof(reason), remedy,
	                                  sizeof(remedy));
	b->tokens_ns = clock_ns();
	b->tokens = UINT64_MAX; /* a whole second's worth */
	pool->balance = b;
	touch(pool);
	return 0;
}

void balance_done(struct pool *pool)
{
	free_balance(pool->balance);
	pool->balance = NULL;
}

const struct config_balance *balance_config(const struct pool *pool)
{
	return &pool->balance->config;
}

void balance_configure(struct pool *pool, const struct config_balance *config)
{
	pool->balance->config = *config;
	marks_set_remote_wait(pool, config->remote_wait_ms * 1000);
}

void balance_press(struct pool *pool, uint32_t node,
                   enum plan_pressure pressure)
{
	pool->balance->n_rest = pool->balance->n_kept = 0;
	for (uint32_t i = 0; i < pool->view.geo.n_nodes; i++) {
		if (node != PLAN_NONE && node != i)
			continue;
		pool->balance->pressure[i] = pressure;
		pool->pressed[i] = pressure == PLAN_FULL;
	}
}

enum plan_pressure balance_pressure(const struct pool *pool, uint32_t node)
{
	return pool->balance->pressure[node];
}

/* ---- plans -------------------------------------------------------------- */

static void plan(struct pool *pool, enum snapshot_scope scope,
                 const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	struct balance_counts *counts = &b->history.counts;
	int64_t began = clock_ns();
	int64_t taken;
	int64_t done;
	snapshot_take(pool, scope, unmet);
	taken = clock_ns();
	plan_make(&b->plan, &b->snap, &b->settings, b->work);
	done = clock_ns();
	counts->plans++;
	if (taken - began > counts->snapshot_ns_max)
		counts->snapshot_ns_max = taken - began;
	if (done - taken > counts->plan_ns_max)
		counts->plan_ns_max = done - taken;
}

/* Of a cache that ended since the plan was made. */
static bool is_void(const struct pool *pool, const struct plan_step *step)
{
	return step->cache_ix != PLAN_NONE &&
	       !pool_has_cache(pool, step->cache_ix + 1);
}

/* Whether a step that was put off is worth another try: pages that are to leave
 * wait for others that are on their way. Clients that are short have another
 * plan made. */
static bool is_kept(const struct balance *b, const struct plan_step *step)
{
	return b->put_off && !b->rest_short &&
	       (step->kind == PLAN_MIGRATE || step->kind == PLAN_DRAIN ||
	        step->kind == PLAN_SHRINK);
}

static void keep(struct balance *b, const struct plan_step *step)
{
	if (b->kept_ns == 0)
		b->kept_ns = clock_ns();
	b->rest[b->n_kept++] = *step;
}

/* Whether steps of the plan were put off for so long that another is due. */
static bool is_old(const struct balance *b)
{
	return b->kept_ns != 0 && clock_ns() - b->kept_ns > OLD_NS;
}

/* Takes the steps that are left of a plan, or as many as there is time for; those
 * that were put off are left. True if clients should be asked to trim. */
static bool apply(struct pool *pool, enum balance_cause cause, int64_t until_ns)
{
	struct balance *b = pool->balance;
	bool trim = false;
	while (b->rest_at < b->n_rest) {
		struct plan_step *step = &b->rest[b->rest_at];
		struct plan_step was = *step;
		bool taken = !is_void(pool, step);
		trim |= taken && step->kind == PLAN_TRIM;
		if (taken)
			balance_step_some(pool, cause, step, &b->back,
			                  until_ns);
		if (!taken || step->n == 0) {
			b->rest_at++;
			b->back = (struct balance_back){.began = false};
			if (taken && is_kept(b, &was))
				keep(b, &was);
		}
		if (taken && clock_ns() >= until_ns)
			break;
	}
	if (b->rest_at >= b->n_rest) {
		b->n_rest = b->n_kept;
		b->rest_at = b->n_kept = 0;
	}
	if (trim) {
		b->trimmed = true;
		b->trimmed_ns = clock_ns();
		/* The server counts those of a shortage. */
		pool->counts.trims += cause != BALANCE_SHORT;
	}
	return trim;
}

/* Plans, and forgets what is left of the plan before. */
static void plan_anew(struct pool *pool, enum balance_cause cause,
                      const struct unmet *unmet)
{
	struct balance *b = pool->balance;
	plan(pool, unmet != NULL ? SNAPSHOT_SHORT : SNAPSHOT_LOOK, unmet);
	memcpy(b->rest, b->plan.steps, b->plan.n_steps * sizeof(*b->rest));
	b->rest_at = b->n_kept = 0;
	b->kept_ns = 0;
	b->back = (struct balance_back){.began = false};
	b->n_rest = b->plan.n_steps;
	b->rest_short = cause == BALANCE_SHORT;
	history_note_refusals(&b->history, &b->plan, cause);
}

const struct plan *balance_plan(struct pool *pool)
{
	denied_wants(pool, &pool->balance->denied_wants);
	plan(pool, SNAPSHOT_ALL, &pool->balance->denied_wants);
	return &pool->balance->plan;
}

/* ---- shortage ----------------------------------------------------------- */

void balance_rung(struct pool *pool, uint32_t cache, uint32_t node)
{
	struct balance_held *held =
		&pool->balance->held[balance_cell(pool, cache, node)];
	held->wanted = true;
	held->wanted_ns = clock_ns();
}

void balance_short(struct pool *pool, const struct unmet *unmet)
{
	pool->balance->idle_rounds = 0;
	plan_anew(pool, BALANCE_SHORT, unmet);
}

bool balance_short_steps(struct pool *pool, int64_t until_ns, bool *trim)
{
	const struct balance *b = pool->balance;
	/* A look that came in between may have taken them, and planned anew. */
	if (b->rest_short)
		*trim = apply(pool, BALANCE_SHORT, until_ns);
	return !b->rest_short || b->rest_at >= b->n_rest;
}

/* ---- what is due by itself ---------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void balance_stir(struct pool *pool)
{
	pool->balance->idle_rounds = 0;
}

/* After a look that did nothing. Looks at idle slabs come ever later, and end;
 * looks for a loan, pressure or a drain do not. */
static int64_t next_look(struct pool *pool)
{
	struct balance *b = pool->balance;
	int64_t idle = b->config.idle_s * CLOCK_S;
	int64_t next = INT64_MAX;
	bool above_floor = false;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t pages = pool->pages.node[node].pages;
		above_floor |= pages > b->nodes[node].floor_pages;
		if (b->pressure[node] != PLAN_CALM)
			next = sooner(next, PRESSED_NS);
		if (pool->view.nodes[node].drain != 0 && pages > 0)
			next = sooner(next, DRAIN_NS);
	}
	if (pool->loans.n > 0)
		next = sooner(next, b->config.hold_ms * CLOCK_MS);
	if (idle > 0 && above_floor && b->idle_rounds < IDLE_LOOKS) {
		idle = sooner(idle, NEXT_MAX_NS >> b->idle_rounds);
		next = sooner(next, idle << b->idle_rounds);
		b->idle_rounds += b->idle_look;
	}
	return next < INT64_MAX ? next : -1;
}

/* The sooner of two spans, of which -1 is none. */
static int64_t sooner_or_none(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : sooner(a, b);
}

int64_t balance_tick(struct pool *pool, enum balance_cause cause, bool *trim)
{
	struct balance *b = pool->balance;
	uint64_t steps = 0;
	uint64_t before = 0;
	bool again;
	for (uint32_t kind = 0; kind < PLAN_KINDS; kind++)
		before += b->history.counts.done[kind];
	b->newly_empty = false;
	if (b->rest_at >= b->n_rest || is_old(b)) {
		ahead_settle(pool);
		plan_anew(pool, cause, NULL);
	}
	*trim = apply(pool, cause, clock_ns() + SLICE_NS);
	for (uint32_t kind = 0; kind < PLAN_KINDS; kind++)
		steps += b->history.counts.done[kind];
	if (steps != before || b->newly_empty)
		b->idle_rounds = 0;
	again = steps != before || b->in_round || b->rest_at < b->n_rest;
	tidings_settle(pool, again);
	return again ? AGAIN_NS : sooner_or_none(next_look(pool),
	                                         tidings_left_ns(pool));
}

/* ---- what was done ------------------------------------------------------- */

void balance_keep_log(struct pool *pool, void *at, bool same)
{
	uint64_t n = history_keep(&pool->balance->history, at, same,
	                          pool->view.geo.n_nodes,
	                          pool->view.geo.n_caches);
	if (n > 0)
		log_debug("pool %s: its log goes on after %llu event%s",
		          pool->name, (unsigned long long)n, n == 1 ? "" : "s");
}

const struct balance_event *balance_event(const struct pool *pool, uint32_t i)
{
	return history_event(&pool->balance->history, i);
}

const struct balance_counts *balance_counts(const struct pool *pool)
{
	return &pool->balance->history.counts;
}
