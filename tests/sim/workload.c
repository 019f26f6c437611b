/* SPDX-License-Identifier: MIT */
/* The machine and the clients of a scenario. */
#include <math.h>
#include <string.h>

#include "tests/sim/scenario.h"

#define FILL 0.5 /* of memory, where demand is 1 */
#define SEATS_EACH 3u
#define HOARD_OBJECTS 8192u /* as depot_hoards: 64 half magazines, 8 MiB */
#define HOARD_BYTES (UINT64_C(8) << 20)
#define BITE_BYTES (UINT64_C(256) << 10)
#define BITE_OBJECTS 128u
#define NOISE 0.08
#define CPU_RATE (UINT64_C(256) << 20) /* bytes a second that a CPU takes */
#define NOISE_TURNS 20u /* of a seat, to each of which it goes a part */

/* Object sizes, and parts of the memory that they have. */
static const struct {
	uint32_t bytes;
	float part;
} sizes[] = {{64, 0.02f},   {192, 0.03f},  {512, 0.05f},   {2048, 0.08f},
             {8192, 0.12f}, {32768, 0.2f}, {98304, 0.25f}, {262144, 0.25f}};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void make_caches(struct machine *m, const struct curves *curves)
{
	m->n_caches = curves != NULL ? curves->n_caches : (uint32_t)N_SIZES;
	for (uint32_t c = 0; c < m->n_caches; c++) {
		uint32_t bytes =
			curves != NULL ? curves->bytes[c] : sizes[c].bytes;
		if (layout_fit_cache(PAGE_SHIFT, bytes, 8, &m->cache[c]) == 0)
			continue;
		fprintf(stderr, "sim: no cache can have objects of %u bytes\n",
		        bytes);
		exit(1);
	}
}

static void make_nodes(struct world *world, const struct scenario *scenario,
                       const struct shape *shape, double *weights)
{
	struct machine *m = &world->m;
	uint32_t with_cpu = 0;
	m->n_nodes = shape->nodes;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		m->node[i].has_cpu = true;
		m->node[i].total_pages =
			(shape->gib << 30 >> PAGE_SHIFT) / shape->nodes;
		weights[i] = 1;
	}
	if (scenario->lay != NULL)
		scenario->lay(world, shape, weights);
	for (uint32_t i = 0; i < m->n_nodes; i++)
		with_cpu += m->node[i].has_cpu;
	for (uint32_t i = 0; i < m->n_nodes; i++)
		m->node[i].n_cpus =
			m->node[i].has_cpu ? shape->cpus / with_cpu : 0;
}

/* The node of a client: clients are dealt out by the nodes' weights. */
static uint32_t node_of(const struct world *world, const double *weights,
                        uint32_t client)
{
	double all = 0;
	double at;
	uint32_t node = 0;
	for (uint32_t i = 0; i < world->m.n_nodes; i++)
		all += weights[i];
	at = fmod((client + 0.5) * 0.61803398875, 1) * all;
	while (node + 1 < world->m.n_nodes && at >= weights[node])
		at -= weights[node++];
	while (weights[node] == 0)
		node--;
	return node;
}

static uint32_t least(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static void fit_seat(struct world *world, struct seat *seat, double bytes,
                     uint64_t rate)
{
	uint32_t stride = world->m.cache[seat->cache].stride;
	seat->base = (uint32_t)(bytes / stride) + 1;
	seat->hoard_max = least(HOARD_OBJECTS, HOARD_BYTES / stride);
	seat->bite = least(BITE_OBJECTS, BITE_BYTES / stride);
	seat->bite += seat->bite == 0;
	seat->rate = least(UINT32_MAX, rate / stride) + 1;
}

/* Bytes that a seat wants where demand is 1: what its cache has of the memory,
 * by the seats that share it. */
static void fit_seats(struct world *world, const struct shape *shape,
                      uint64_t pages)
{
	uint32_t sharers[SIM_CACHES_MAX] = {0};
	double bytes = FILL * (double)(pages << PAGE_SHIFT);
	uint64_t rate =
		CPU_RATE * shape->cpus / shape->clients * TICK_MS / 1000;
	for (uint32_t i = 0; i < world->n_seats; i++)
		sharers[world->seats[i].cache]++;
	for (uint32_t i = 0; i < world->n_seats; i++) {
		struct seat *seat = &world->seats[i];
		double part = shape->curves != NULL
		                      ? 1.0 / world->n_seats
		                      : (double)sizes[seat->cache].part /
		                                sharers[seat->cache];
		fit_seat(world, seat, part * bytes, rate);
	}
}

static void make_seats(struct world *world, const double *weights)
{
	world->n_seats = world->n_clients * SEATS_EACH;
	world->seats_each = SEATS_EACH;
	world->seats = sim_zeroed(world->n_seats, sizeof(world->seats[0]));
	world->tasks =
		sim_zeroed(2ul * world->n_clients, sizeof(world->tasks[0]));
	for (uint32_t i = 0; i < world->n_seats; i++) {
		uint32_t client = i / SEATS_EACH;
		uint32_t k = i % SEATS_EACH;
		world->seats[i] = (struct seat){
			.client = client,
			.cache = (uint8_t)((client * 5 + k * 3) %
		                           world->m.n_caches),
			.node = (uint8_t)node_of(world, weights, client),
			.gives_to = HEAP_NONE,
		};
	}
}

void scenario_make(struct world *world, const struct scenario *scenario,
                   const struct shape *shape)
{
	double weights[SIM_NODES_MAX] = {0};
	struct shape own = *shape;
	uint64_t pages = 0;
	memset(world, 0, sizeof(*world));
	if (!scenario->is_recorded)
		own.curves = NULL;
	world->rng.state = shape->seed;
	world->demand = rng_split(&world->rng);
	world->quiet_ns = NEVER;
	world->n_clients = shape->clients;
	make_caches(&world->m, own.curves);
	make_nodes(world, scenario, shape, weights);
	for (uint32_t i = 0; i < world->m.n_nodes; i++)
		if (world->m.node[i].has_cpu)
			pages +=
				(shape->gib << 30 >> PAGE_SHIFT) / shape->nodes;
	make_seats(world, weights);
	if (scenario->seat != NULL)
		scenario->seat(world, &own);
	fit_seats(world, &own, pages);
	world->m.page_order = 5;
	machine_make(&world->m);
}

void scenario_drop(struct world *world)
{
	for (uint32_t i = 0; i < world->n_seats; i++)
		free(world->seats[i].runs);
	free(world->seats);
	free(world->tasks);
	daemon_stop(world);
	machine_drop(&world->m);
}

uint32_t scenario_target(struct world *world, const struct scenario *scenario,
                         const struct shape *shape, struct seat *seat,
                         uint32_t ms)
{
	uint32_t quiet_ms = (uint32_t)(shape->ms * QUIET_PART);
	uint32_t turn = ms / TICK_MS / world->seats_each;
	double want;
	if (ms > quiet_ms)
		ms = quiet_ms;
	else if ((turn + seat->client) % NOISE_TURNS == 0)
		seat->noise_to =
			(float)NOISE *
			((float)rng_below(&world->demand, 2001) / 1000 - 1);
	if (ms < quiet_ms)
		seat->noise += (seat->noise_to - seat->noise) / NOISE_TURNS;
	want = scenario->want(world, shape, seat, (double)ms / shape->ms);
	return (uint32_t)(seat->base * want * (1 + (double)seat->noise));
}
