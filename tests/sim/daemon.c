/* SPDX-License-Identifier: MIT */
/*
 * slabd's loop: one thread, which plans when it is rung or by its timer, and
 * then does one step after the other, each taking its time. While it is at it
 * nobody else is served.
 */
#include <string.h>
#include <time.h>

#include "daemon/balance/settings.h"
#include "tests/sim/world.h"

#define DOORBELL_NS UINT64_C(40000) /* from a ring to the plan */
#define PLAN_NS UINT64_C(20000)
#define TIMER_MS 50u   /* growth ahead of need, asking anew after a refusal */
#define AHEAD_PAGES 8u /* faulted in at one time */
/* When slabd looks what is due without a shortage: balance/balance.c. */
#define AGAIN_MS 10u
#define DRAIN_MS 200u
#define PRESSED_MS 1000u

void daemon_start(struct world *world, const struct maker *maker)
{
	struct daemon *d = &world->d;
	memset(d, 0, sizeof(*d));
	d->maker = maker;
	balance_default_settings(&d->config);
	d->migrate_rate = d->config.migrate_bytes;
	d->due_ns = NEVER;
	d->retry_ns = NEVER;
	d->timer_ns = TIMER_MS * NS_MS;
	d->trimmed_ns = NEVER;
	d->look_ns = AGAIN_MS * NS_MS;
	world->m.hold_ms = d->config.hold_ms;
}

void daemon_stop(struct world *world)
{
	free(world->d.work);
	world->d.work = NULL;
}

void daemon_ring(struct world *world, uint32_t cache, uint32_t node,
                 uint64_t now_ns)
{
	struct daemon *d = &world->d;
	struct cell *cell = &world->m.cell[cache][node];
	if (cell->denied || cell->want)
		return;
	cell->want = true;
	cell->rung_ns = now_ns;
	if (d->busy || d->due_ns != NEVER)
		return;
	d->due_ns = now_ns;
	if (!d->maker->is_slub)
		d->due_ns += DOORBELL_NS + PLAN_NS;
}

/* ---- plans -------------------------------------------------------------- */

static void fill_bucket(struct daemon *d, uint64_t now_ns)
{
	uint64_t us = (now_ns - d->bucket_ns) / 1000;
	d->migrate_bytes += us * (d->migrate_rate / 1000000);
	d->bucket_ns += us * 1000;
	if (d->migrate_bytes > d->migrate_rate)
		d->migrate_bytes = d->migrate_rate;
	d->config.migrate_bytes = d->migrate_bytes;
}

static uint64_t cpu_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void make_plan(struct world *world, uint64_t now_ns)
{
	struct daemon *d = &world->d;
	const struct snapshot *snap;
	uint64_t bytes, took;
	world->m.now_ns = now_ns;
	fill_bucket(d, now_ns);
	snap = picture_take(world);
	bytes = plan_work_bytes(snap);
	if (bytes > d->work_bytes) {
		free(d->work);
		d->work = sim_zeroed(1, bytes);
		d->work_bytes = bytes;
	}
	took = cpu_now_ns();
	d->maker->make(world, &d->plan, snap, &d->config, d->work);
	took = cpu_now_ns() - took;
	d->cpu_ns += took;
	d->cpu_max_ns = took > d->cpu_max_ns ? took : d->cpu_max_ns;
	d->planned++;
	for (uint32_t i = 0; i < d->plan.n_refusals; i++) {
		const struct plan_refusal *r = &d->plan.refusals[i];
		d->refused[r->kind][r->reason]++;
	}
	d->quiet_plans += now_ns >= world->quiet_ns && d->plan.n_steps > 0;
}

/* When to look anew: soon, where the last look did something. */
static uint64_t next_look_ns(const struct world *world, uint64_t now_ns)
{
	const struct daemon *d = &world->d;
	uint32_t ms = d->config.idle_ms > 0 ? d->config.idle_ms : 60000;
	for (uint32_t i = 0; i < world->m.n_nodes; i++) {
		const struct node *node = &world->m.node[i];
		if (node->pressure != PLAN_CALM && ms > PRESSED_MS)
			ms = PRESSED_MS;
		if (node->draining && node->pages > 0 && ms > DRAIN_MS)
			ms = DRAIN_MS;
	}
	for (uint32_t c = 0; c < world->m.n_caches; c++)
		for (uint32_t i = 0; i < world->m.n_nodes; i++)
			if (world->m.cell[c][i].lent > 0 &&
			    ms > d->config.hold_ms)
				ms = d->config.hold_ms;
	if (d->progress)
		ms = AGAIN_MS;
	return now_ns + ms * NS_MS;
}

/* Who asked and still gets nothing is denied. Who rang meanwhile is next. */
static void close_plan(struct world *world, uint64_t now_ns)
{
	struct daemon *d = &world->d;
	bool denied = false;
	bool rung = false;
	for (uint32_t c = 0; c < world->m.n_caches; c++)
		for (uint32_t i = 0; i < world->m.n_nodes; i++) {
			struct cell *cell = &world->m.cell[c][i];
			cell->denied |= cell->asked && cell->listed == 0;
			cell->asked = false;
			denied |= cell->denied;
			rung |= cell->want;
		}
	d->busy = false;
	if (rung)
		d->due_ns = now_ns + (d->maker->is_slub ? 0 : PLAN_NS);
	if (d->look_ns == NEVER || d->progress)
		d->look_ns = next_look_ns(world, now_ns);
	if (denied && d->retry_ns == NEVER)
		d->retry_ns = now_ns + TIMER_MS * NS_MS;
}

static void begin_step(struct world *world, uint64_t now_ns)
{
	struct daemon *d = &world->d;
	if (d->next == d->plan.n_steps) {
		close_plan(world, now_ns);
		return;
	}
	d->busy = true;
	d->ready_ns = now_ns;
	if (!d->maker->is_slub)
		d->ready_ns += apply_cost_ns(world, &d->plan.steps[d->next]);
}

static bool is_balancing(const struct plan_step *step)
{
	return step->kind == PLAN_LEND || step->kind == PLAN_MIGRATE ||
	       step->kind == PLAN_RETURN || step->kind == PLAN_DRAIN;
}

static void end_step(struct world *world)
{
	struct daemon *d = &world->d;
	const struct plan_step *step = &d->plan.steps[d->next++];
	uint64_t now_ns = d->ready_ns;
	world->m.now_ns = now_ns;
	d->steps[step->kind]++;
	if (!apply_step(world, step))
		d->failed_steps++;
	else if (step->kind != PLAN_TRIM)
		d->progress = true;
	if (is_balancing(step)) {
		d->last_ns = now_ns;
		d->quiet_steps += now_ns >= world->quiet_ns;
	}
	begin_step(world, now_ns);
}

/* Pages faulted in before they are needed, as ahead_work does. */
static void grow_ahead(struct world *world)
{
	for (uint32_t i = 0; i < world->m.n_nodes; i++) {
		struct node *node = &world->m.node[i];
		uint64_t least = node->pages * PAGE_UNITS / 16;
		least = least > PAGE_UNITS ? least : PAGE_UNITS;
		if (node->pressure != PLAN_CALM || node->draining ||
		    !node->has_cpu)
			continue;
		for (uint32_t n = 0; n < AHEAD_PAGES; n++)
			if (node->free_units >= least ||
			    !machine_grow(&world->m, i))
				break;
	}
}

void daemon_turn_spells(struct world *world)
{
	uint32_t half = world->d.config.idle_ms / 2;
	bool turn;
	half = half > 0 ? half : 1000;
	turn = now_ms(&world->m) / half != world->d.spells;
	world->d.spells = now_ms(&world->m) / half;
	for (uint32_t c = 0; c < world->m.n_caches; c++)
		for (uint32_t i = 0; i < world->m.n_nodes; i++) {
			struct cell *cell = &world->m.cell[c][i];
			if (turn)
				cell->fewest_was = cell->fewest;
			if (turn || cell->empty < cell->fewest)
				cell->fewest = cell->empty;
		}
}

static void retry(struct world *world)
{
	for (uint32_t c = 0; c < world->m.n_caches; c++)
		for (uint32_t i = 0; i < world->m.n_nodes; i++)
			world->m.cell[c][i].denied = false;
	world->d.retry_ns = NEVER;
}

static void on_timer(struct world *world)
{
	struct daemon *d = &world->d;
	world->m.now_ns = d->timer_ns;
	daemon_turn_spells(world);
	grow_ahead(world);
	d->timer_ns += TIMER_MS * NS_MS;
}

uint64_t daemon_next_ns(const struct world *world)
{
	const struct daemon *d = &world->d;
	uint64_t next = d->busy                  ? d->ready_ns
	                : d->due_ns < d->look_ns ? d->due_ns
	                                         : d->look_ns;
	next = d->timer_ns < next ? d->timer_ns : next;
	return d->retry_ns < next ? d->retry_ns : next;
}

void daemon_advance(struct world *world, uint64_t now_ns)
{
	struct daemon *d = &world->d;
	uint64_t next_ns;
	while ((next_ns = daemon_next_ns(world)) <= now_ns) {
		if (d->retry_ns == next_ns) {
			retry(world);
		} else if (d->timer_ns == next_ns) {
			on_timer(world);
		} else if (d->busy) {
			end_step(world);
		} else {
			if (d->look_ns == next_ns)
				d->look_ns = NEVER;
			d->due_ns = NEVER;
			d->progress = false;
			d->next = 0;
			make_plan(world, next_ns);
			begin_step(world, next_ns);
		}
	}
	if (now_ns > world->m.now_ns)
		world->m.now_ns = now_ns;
}
