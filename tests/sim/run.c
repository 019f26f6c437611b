/* SPDX-License-Identifier: MIT */
#include "tests/sim/run.h"

#include <string.h>

#include "shm/atom.h"
#include "tests/sim/other_policies.h"

#define WARM_ROUNDS 8u
#define WARM_MS 300u /* before anything is counted */

/* Slabs of all caches come into being side by side. */
static void warm_up(struct world *world, const struct scenario *scenario,
                    const struct shape *shape)
{
	for (uint32_t round = 1; round <= WARM_ROUNDS; round++)
		for (uint32_t i = 0; i < world->n_seats; i++) {
			struct seat *seat = &world->seats[i];
			uint64_t target = scenario_target(world, scenario,
			                                  shape, seat, 0);
			client_warm(world, seat,
			            (uint32_t)(target * round / WARM_ROUNDS));
		}
	/* Ahead of need, as slabd has it when nothing was asked for long. */
	for (uint32_t i = 0; i < world->m.n_nodes; i++) {
		struct node *node = &world->m.node[i];
		while (node->free_units < node->pages * PAGE_UNITS / 16 &&
		       machine_grow(&world->m, i))
			continue;
	}
}

static void begin_tally(struct world *world)
{
	struct machine *m = &world->m;
	memset(&world->tally, 0, sizeof(world->tally));
	m->total.slab_reversals = m->total.page_reversals = m->total.again = 0;
	world->d.recalled = 0;
	world->relief_ns = 0;
	for (uint32_t c = 0; c < m->n_caches; c++)
		for (uint32_t i = 0; i < m->n_nodes; i++)
			m->cell[c][i].bare_ns = NEVER;
}

/* ---- turns -------------------------------------------------------------- */

static void put_task(struct world *world, const struct task *task)
{
	uint32_t i = world->n_tasks++;
	for (; i > 0 && world->tasks[(i - 1) / 2].now_ns > task->now_ns;
	     i = (i - 1) / 2)
		world->tasks[i] = world->tasks[(i - 1) / 2];
	world->tasks[i] = *task;
}

static struct task get_task(struct world *world)
{
	struct task first = world->tasks[0];
	struct task last = world->tasks[--world->n_tasks];
	uint32_t i = 0;
	for (uint32_t kid = 1; kid < world->n_tasks; kid = 2 * i + 1) {
		kid += kid + 1 < world->n_tasks &&
		       world->tasks[kid + 1].now_ns < world->tasks[kid].now_ns;
		if (world->tasks[kid].now_ns >= last.now_ns)
			break;
		world->tasks[i] = world->tasks[kid];
		i = kid;
	}
	world->tasks[i] = last;
	return first;
}

static void go_on(struct world *world, struct task *task)
{
	daemon_advance(world, task->now_ns);
	if (client_go(world, task))
		put_task(world, task);
}

/* Those who wait for something before a time. */
static void go_until(struct world *world, uint64_t ns)
{
	while (world->n_tasks > 0 && world->tasks[0].now_ns <= ns) {
		struct task task = get_task(world);
		go_on(world, &task);
	}
}

/* On each tick the clients take turns from another one on, and each goes on
 * with its next cache. */
static void tick(struct world *world, const struct scenario *scenario,
                 const struct shape *shape, uint32_t ms)
{
	uint32_t n = world->n_clients;
	uint32_t turn = ms / TICK_MS;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t client = (i + turn * 7) % n;
		struct seat *seat =
			&world->seats[client * world->seats_each +
		                      (turn + client) % world->seats_each];
		uint64_t now_ns = ms * NS_MS + TICK_NS * i / n;
		uint32_t target =
			scenario_target(world, scenario, shape, seat, ms);
		struct task task;
		go_until(world, now_ns);
		daemon_advance(world, now_ns);
		client_turn(world, seat, target, now_ns, &task);
		go_on(world, &task);
	}
	go_until(world, (ms + TICK_MS) * NS_MS);
	daemon_advance(world, (ms + TICK_MS) * NS_MS);
}

/* ---- what came of it ---------------------------------------------------- */

static void take_sample(const struct world *world, struct result *result,
                        uint32_t ms, struct tally *last)
{
	const struct machine *m = &world->m;
	const struct tally *now = &world->tally;
	struct sample *s = &result->sample[result->n_samples++];
	uint64_t allocs = now->allocs - last->allocs;
	*s = (struct sample){.ms = ms, .failed = now->failed - last->failed};
	if (allocs > 0)
		s->remote_ppm = (uint32_t)((now->remote - last->remote) *
		                           1000000 / allocs);
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		uint64_t units = 0;
		for (uint32_t c = 0; c < m->n_caches; c++) {
			const struct cell *cell = &m->cell[c][i];
			units += (uint64_t)cell->slabs << m->cache[c].order;
			s->partial[i] += cell->listed;
			s->borrowed[i] += cell->borrowed;
		}
		s->slab_mib[i] = units >> (20 - UNIT_SHIFT);
		s->page_mib[i] = m->node[i].pages << (PAGE_SHIFT - 20);
	}
	if (m->total.live_bytes > 0)
		result->far_part += (double)m->total.far_bytes /
		                    (double)m->total.live_bytes;
	*last = *now;
}

/* The mean over caches of how uneven the lists are. */
static double spread_of(const struct world *world)
{
	const struct machine *m = &world->m;
	double sum = 0;
	for (uint32_t c = 0; c < m->n_caches; c++) {
		uint32_t most = 0;
		uint32_t fewest = UINT32_MAX;
		for (uint32_t i = 0; i < m->n_nodes; i++) {
			uint32_t n = m->cell[c][i].listed;
			if (!m->node[i].has_cpu || m->node[i].draining)
				continue;
			most = n > most ? n : most;
			fewest = n < fewest ? n : fewest;
		}
		sum += (most + 1.0) / (fewest + 1.0);
	}
	return sum / m->n_caches;
}

/* Shortages that are not over count up to the last try. */
static uint64_t relief_of(const struct world *world)
{
	uint64_t most = world->relief_ns;
	for (uint32_t c = 0; c < world->m.n_caches; c++)
		for (uint32_t i = 0; i < world->m.n_nodes; i++) {
			uint64_t from = world->m.cell[c][i].bare_ns;
			uint64_t to = world->tried_ns[c][i];
			if (from != NEVER && to > from && to - from > most)
				most = to - from;
		}
	return most;
}

static void conclude(const struct world *world, struct result *result)
{
	const struct daemon *d = &world->d;
	const struct machine *m = &world->m;
	result->tally = world->tally;
	result->n_nodes = m->n_nodes;
	result->n_caches = m->n_caches;
	result->lent = d->slabs_lent;
	result->returned = d->slabs_returned;
	result->migrated = d->pages_moved;
	result->moved_bytes = d->bytes_moved;
	memcpy(result->steps, d->steps, sizeof(result->steps));
	memcpy(result->refused, d->refused, sizeof(result->refused));
	result->failed_steps = d->failed_steps;
	result->reversals = m->total.slab_reversals + m->total.page_reversals;
	result->recalled = d->recalled;
	result->again = m->total.again;
	result->relief_ms = relief_of(world) / NS_MS;
	if (d->last_ns > world->quiet_ns)
		result->settle_ms = (d->last_ns - world->quiet_ns) / NS_MS;
	result->settle_steps = d->quiet_steps;
	if (result->n_samples > 0)
		result->far_part /= result->n_samples;
	result->spread = spread_of(world);
	for (uint32_t i = 0; i < m->n_nodes; i++)
		if (m->node[i].draining)
			result->left_pages += m->node[i].pages;
	result->plans = d->planned;
	result->cpu_ns = d->cpu_ns;
	result->cpu_max_ns = d->cpu_max_ns;
	memcpy(result->bad, world->bad, sizeof(result->bad));
}

static void go(struct world *world, struct result *result,
               const struct shape *shape, const struct run_options *options)
{
	uint32_t every = shape->ms / (SAMPLES_MAX - 1) + 1;
	struct tally last = {0};
	every = (every + TICK_MS - 1) / TICK_MS * TICK_MS;
	world->quiet_ns = (uint64_t)(shape->ms * QUIET_PART) * NS_MS;
	for (uint32_t ms = 0; ms < shape->ms; ms += TICK_MS) {
		if (result->scenario->event != NULL)
			result->scenario->event(world, (double)ms / shape->ms);
		tick(world, result->scenario, shape, ms);
		if (options->meddle != NULL)
			options->meddle(world, ms);
		if (options->done_ms != NULL)
			atom_store(options->done_ms, ms);
		verify_counts(world);
		if (options->recount_ticks > 0 &&
		    ms / TICK_MS % options->recount_ticks == 0)
			verify_all(world);
		if (ms == WARM_MS)
			begin_tally(world);
		if (ms > WARM_MS && ms % every == 0)
			take_sample(world, result, ms, &last);
	}
	verify_all(world);
}

void run_one(struct result *result, const struct scenario *scenario,
             const struct maker *maker, const struct shape *shape,
             const struct run_options *options)
{
	struct world *world = sim_zeroed(1, sizeof(*world));
	memset(result, 0, sizeof(*result));
	result->scenario = scenario;
	result->maker = maker;
	scenario_make(world, scenario, shape);
	other_policies_prepare(world, maker);
	daemon_start(world, maker);
	if (options->fault != NULL)
		options->fault(world);
	warm_up(world, scenario, shape);
	go(world, result, shape, options);
	conclude(world, result);
	scenario_drop(world);
	free(world);
}

/* ---- JSON --------------------------------------------------------------- */

static void write_u64(FILE *file, const char *name, uint64_t value)
{
	fprintf(file, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void write_sample(const struct result *result, const struct sample *s,
                         FILE *file)
{
	fprintf(file, "{\"ms\":%u,\"remote_ppm\":%u", s->ms, s->remote_ppm);
	write_u64(file, "failed", s->failed);
	fprintf(file, ",\"nodes\":[");
	for (uint32_t i = 0; i < result->n_nodes; i++)
		fprintf(file, "%s[%llu,%llu,%u,%u]", i > 0 ? "," : "",
		        (unsigned long long)s->slab_mib[i],
		        (unsigned long long)s->page_mib[i], s->partial[i],
		        s->borrowed[i]);
	fprintf(file, "]}");
}

static void write_refused(const struct result *result, FILE *file)
{
	for (enum plan_kind k = 0; k < PLAN_KINDS; k++)
		for (enum plan_reason r = 0; r < PLAN_NO_REASON; r++) {
			char name[80];
			if (result->refused[k][r] == 0)
				continue;
			snprintf(name, sizeof(name), "%s, %s",
			         plan_kind_name(k), plan_reason_name(r));
			write_u64(file, name, result->refused[k][r]);
		}
}

void run_write(const struct result *result, FILE *file)
{
	const struct tally *t = &result->tally;
	fprintf(file,
	        "{\"scenario\":\"%s\",\"title\":\"%s\",\"policy\":\"%s\","
	        "\"policy_title\":\"%s\"",
	        result->scenario->name, result->scenario->title,
	        result->maker->name, result->maker->title);
	write_u64(file, "allocs", t->allocs);
	write_u64(file, "remote", t->remote);
	write_u64(file, "bytes", t->bytes);
	write_u64(file, "remote_bytes", t->remote_bytes);
	write_u64(file, "avoidable", t->avoidable);
	write_u64(file, "fallback", t->fallback);
	write_u64(file, "failed", t->failed);
	write_u64(file, "waited", t->waited);
	write_u64(file, "moved_bytes", result->moved_bytes);
	write_u64(file, "lent", result->lent);
	write_u64(file, "returned", result->returned);
	write_u64(file, "migrated", result->migrated);
	write_u64(file, "reversals", result->reversals);
	write_u64(file, "recalled", result->recalled);
	write_u64(file, "again", result->again);
	write_u64(file, "relief_ms", result->relief_ms);
	write_u64(file, "settle_ms", result->settle_ms);
	write_u64(file, "settle_steps", result->settle_steps);
	write_u64(file, "failed_steps", result->failed_steps);
	write_u64(file, "left_pages", result->left_pages);
	write_u64(file, "plans", result->plans);
	fprintf(file, ",\"steps\":{\"all\":0");
	for (enum plan_kind k = 0; k < PLAN_KINDS; k++)
		write_u64(file, plan_kind_name(k), result->steps[k]);
	fprintf(file, "},\"refused\":{\"all\":0");
	write_refused(result, file);
	fprintf(file, "},\"far_part\":%.6f,\"spread\":%.3f,\"bad\":\"%s\"",
	        result->far_part, result->spread, result->bad);
	fprintf(file, ",\"samples\":[");
	for (uint32_t i = 0; i < result->n_samples; i++) {
		fprintf(file, "%s", i > 0 ? "," : "");
		write_sample(result, &result->sample[i], file);
	}
	fprintf(file, "]}\n");
}

void run_write_cpu(const struct result *result, FILE *file)
{
	fprintf(file, "{\"scenario\":\"%s\",\"policy\":\"%s\"",
	        result->scenario->name, result->maker->name);
	write_u64(file, "plans", result->plans);
	write_u64(file, "cpu_ns", result->cpu_ns);
	write_u64(file, "cpu_max_ns", result->cpu_max_ns);
	fprintf(file, "}\n");
}
