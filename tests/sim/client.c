/* SPDX-License-Identifier: MIT */
/*
 * Clients: as client/magazine.c and client/shortage.c do it, a batch at a time.
 * Freed objects are hoarded up to a limit, those of other nodes go home. What
 * the own node's list does not have comes from the nearest that has, one by
 * one, while slabd is rung.
 */
#include "tests/sim/world.h"

#define TRIES_MAX 16u

/* ---- what a seat owns --------------------------------------------------- */

static void add_run(struct seat *seat, uint32_t unit, uint32_t n)
{
	seat->owned += n;
	if (seat->n_runs > 0 && seat->runs[seat->n_runs - 1].unit == unit) {
		seat->runs[seat->n_runs - 1].n += n;
		return;
	}
	seat->runs = sim_grown(seat->runs, seat->n_runs, &seat->room,
	                       sizeof(seat->runs[0]));
	seat->runs[seat->n_runs++] = (struct run){.unit = unit, .n = n};
}

/* One of them, about as likely as it is long. */
static struct run *any_run(struct world *world, struct seat *seat)
{
	uint32_t n_objs = world->m.cache[seat->cache].n_objs;
	struct run *run = NULL;
	for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
		run = &seat->runs[rng_below(&world->rng, seat->n_runs)];
		if (rng_below(&world->rng, n_objs) < run->n)
			break;
	}
	return run;
}

static uint32_t least(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* Up to n objects of a run are no longer the seat's. Returns how many. */
static uint32_t cut_run(struct seat *seat, struct run *run, uint32_t n)
{
	n = least(n, run->n);
	run->n -= n;
	seat->owned -= n;
	if (run->n == 0)
		*run = seat->runs[--seat->n_runs];
	return n;
}

void client_send_home(struct world *world, struct seat *seat, struct run *run,
                      uint32_t n)
{
	uint32_t unit = run->unit;
	slabs_release(&world->m, unit, seat->node, cut_run(seat, run, n));
}

static uint32_t hoard(const struct seat *seat)
{
	return seat->owned - seat->used;
}

static void drop_hoard(struct world *world, struct seat *seat, uint32_t most)
{
	while (hoard(seat) > most)
		client_send_home(world, seat, any_run(world, seat),
		                 least(seat->bite, hoard(seat) - most));
}

/* Frees n objects: a look at a run for each bite, as those of other nodes go
 * home; of the rest what is too much to hoard. */
static void free_some(struct world *world, struct seat *seat, uint32_t n)
{
	seat->used -= n;
	for (uint32_t i = 0; i <= n / seat->bite && hoard(seat) > 0; i++) {
		struct run *run = any_run(world, seat);
		if (slab_home(&world->m, run->unit) != seat->node)
			client_send_home(world, seat, run,
			                 least(seat->bite, hoard(seat)));
	}
	drop_hoard(world, seat, seat->hoard_max);
}

/* ---- allocation --------------------------------------------------------- */

/* Whether a node has memory for a cache: more than a 32nd of its pages are to
 * be had, and some of it in one piece. */
static bool has_memory(const struct world *world, uint32_t cache, uint32_t node)
{
	const struct machine *m = &world->m;
	const struct node *row = &m->node[node];
	uint64_t pages = row->max_pages - row->pages;
	uint64_t units = row->free_units;
	bool whole = false;
	if (row->draining)
		return false;
	if (pages > row->room_pages)
		pages = row->room_pages;
	if (row->pressure == PLAN_FULL)
		pages = 0;
	for (uint32_t k = m->cache[cache].order; k < ORDERS; k++)
		whole |= row->n_runs[k] > 0;
	for (uint32_t c = 0; c < m->n_caches; c++) {
		uint32_t order = m->cache[c].order;
		if (c == cache || order < m->cache[cache].order)
			continue;
		units += (uint64_t)m->cell[c][node].empty << order;
		whole |= m->cell[c][node].empty > 0;
	}
	units += pages * PAGE_UNITS;
	return (whole || pages > 0) && units > row->total_pages;
}

/* Up to n objects of the first slab of a list. */
uint32_t client_take(struct world *world, struct seat *seat, uint32_t list,
                     uint32_t n)
{
	struct machine *m = &world->m;
	uint32_t unit = slabs_first(m, seat->cache, list);
	uint64_t bytes;
	uint32_t got;
	if (unit == HEAP_NONE)
		return 0;
	got = slabs_claim(m, unit, seat->node, n);
	bytes = (uint64_t)got * m->cache[seat->cache].stride;
	add_run(seat, unit, got);
	if (slab_home(m, unit) != seat->node) {
		world->tally.remote += got;
		world->tally.remote_bytes += bytes;
		if (has_memory(world, seat->cache, seat->node))
			world->tally.avoidable += got;
	}
	return got;
}

static bool is_low(const struct world *world, uint32_t cache, uint32_t node)
{
	const struct cell *cell = &world->m.cell[cache][node];
	if (world->d.maker->is_slub)
		return cell->listed == 0;
	return cell->listed < cell->low;
}

/* From the nearest other node that has any. A node is asked to grow only when
 * all before it are denied. */
static uint32_t fall_back(struct world *world, struct seat *seat, uint32_t n,
                          uint64_t now_ns, bool *refused)
{
	const struct machine *m = &world->m;
	const struct cell *cells = m->cell[seat->cache];
	bool tell = true;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		uint32_t node = m->node[seat->node].nearest[i];
		uint32_t got = i > 0 ? client_take(world, seat, node, n) : 0;
		if (tell && is_low(world, seat->cache, node))
			daemon_ring(world, seat->cache, node, now_ns);
		if (got > 0) {
			world->tally.fallback += got;
			return got;
		}
		tell = tell && cells[node].denied;
	}
	*refused = tell;
	return 0;
}

/* A shortage is over, or nobody has tried for long. */
static void note_served(struct world *world, const struct seat *seat,
                        uint64_t now_ns)
{
	struct cell *cell = &world->m.cell[seat->cache][seat->node];
	uint64_t tried = world->tried_ns[seat->cache][seat->node];
	uint64_t end = now_ns < tried + 100 * NS_MS ? now_ns : tried;
	if (cell->bare_ns == NEVER)
		return;
	if (end > cell->bare_ns && end - cell->bare_ns > world->relief_ns)
		world->relief_ns = end - cell->bare_ns;
	cell->bare_ns = NEVER;
}

static void note_bare(struct world *world, const struct seat *seat,
                      uint64_t now_ns)
{
	struct cell *cell = &world->m.cell[seat->cache][seat->node];
	if (cell->bare_ns == NEVER)
		cell->bare_ns = now_ns;
	world->tried_ns[seat->cache][seat->node] = now_ns;
}

/* As much as can be had from the own list; true if that was all. */
static bool take_own(struct world *world, struct task *task)
{
	struct seat *seat = task->seat;
	while (task->left > 0) {
		uint32_t got = client_take(world, seat, seat->node, task->left);
		task->left -= got;
		seat->used += got;
		if (is_low(world, seat->cache, seat->node))
			daemon_ring(world, seat->cache, seat->node,
			            task->now_ns);
		if (got == 0)
			return false;
		note_served(world, seat, task->now_ns);
	}
	return true;
}

/* Nobody has any: it waits for slabd, or gives up for now. */
static bool is_worth_waiting(struct world *world, struct task *task,
                             bool refused)
{
	uint64_t next_ns = daemon_next_ns(world);
	if (refused || next_ns >= task->end_ns) {
		*(refused ? &world->tally.failed : &world->tally.waited) +=
			task->left;
		return false;
	}
	if (next_ns > task->now_ns)
		task->now_ns = next_ns;
	return true;
}

bool client_go(struct world *world, struct task *task)
{
	struct seat *seat = task->seat;
	bool refused = false;
	uint64_t next_ns;
	uint32_t got;
	if (take_own(world, task))
		return false;
	note_bare(world, seat, task->now_ns);
	/* Until slabd has done something it is as it is. */
	next_ns = daemon_next_ns(world);
	if (next_ns <= task->now_ns)
		return true;
	got = task->left;
	if (next_ns < task->end_ns)
		got = least((next_ns - task->now_ns) / task->each_ns + 1, got);
	got = fall_back(world, seat, got, task->now_ns, &refused);
	if (got == 0)
		return is_worth_waiting(world, task, refused);
	seat->used += got;
	task->left -= got;
	task->now_ns += got * task->each_ns;
	return task->left > 0;
}

/* ---- turns -------------------------------------------------------------- */

/* Hands a bite to another client, as over a channel. */
static void give(struct world *world, struct seat *seat, struct seat *to)
{
	uint32_t n = least(seat->bite, seat->used);
	struct run *run;
	uint32_t unit;
	if (n == 0)
		return;
	run = any_run(world, seat);
	unit = run->unit;
	n = cut_run(seat, run, n);
	seat->used -= n;
	slabs_give(&world->m, unit, seat->node, to->node, n);
	add_run(to, unit, n);
	to->used += n;
}

/* Some of what it has goes home, and is to come anew. Returns how much. */
static uint32_t turn_over(struct world *world, struct seat *seat)
{
	uint32_t gone = seat->owned;
	if (seat->used == 0)
		return 0;
	client_send_home(world, seat, any_run(world, seat),
	                 least(seat->bite, seat->used));
	gone -= seat->owned;
	seat->used -= gone;
	return gone;
}

/* Of n objects as many as it can come from the hoard. Returns how many do
 * not. */
static uint32_t alloc_hoarded(struct seat *seat, uint32_t n)
{
	uint32_t ready = least(hoard(seat), n);
	seat->used += ready;
	return n - ready;
}

static void count_allocs(struct world *world, const struct seat *seat,
                         uint32_t n)
{
	world->tally.allocs += n;
	world->tally.bytes += (uint64_t)n * world->m.cache[seat->cache].stride;
}

void client_turn(struct world *world, struct seat *seat, uint32_t target,
                 uint64_t now_ns, struct task *task)
{
	uint32_t most = seat->rate;
	uint32_t n;
	if (seat->trims != world->d.trims)
		drop_hoard(world, seat, 0);
	seat->trims = world->d.trims;
	if (seat->gives_to != HEAP_NONE)
		give(world, seat, &world->seats[seat->gives_to]);
	n = turn_over(world, seat);
	count_allocs(world, seat, n);
	if (seat->used + n < target) {
		uint32_t more = least(target - seat->used - n, most);
		count_allocs(world, seat, more);
		n += alloc_hoarded(seat, more);
	} else if (seat->used + n > target) {
		free_some(world, seat,
		          least(seat->used + n - target,
		                least(most, seat->used)));
	}
	*task = (struct task){.seat = seat,
	                      .left = n,
	                      .now_ns = now_ns,
	                      .end_ns = now_ns + TICK_NS,
	                      .each_ns = TICK_NS / (n + 1) + 1};
}

void client_warm(struct world *world, struct seat *seat, uint32_t target)
{
	struct machine *m = &world->m;
	while (seat->used < target) {
		uint32_t n = target - seat->used;
		uint32_t unit = slabs_first(m, seat->cache, seat->node);
		if (unit == HEAP_NONE)
			unit = slabs_carve(m, seat->cache, seat->node,
			                   seat->node);
		if (unit == HEAP_NONE && machine_grow(m, seat->node))
			continue;
		if (unit == HEAP_NONE)
			return;
		n = slabs_claim(m, unit, seat->node, n);
		add_run(seat, unit, n);
		seat->used += n;
	}
}
