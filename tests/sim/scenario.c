/* SPDX-License-Identifier: MIT */
/*
 * Demand is a part of each seat's base; all bases together are half of the
 * machine's memory, as slabs. Times are parts of the whole run.
 */
#include "tests/sim/scenario.h"

#include <math.h>
#include <string.h>

#define DRAIN_RATE (UINT64_C(2) << 30)

/* From a to b between two times, and so thereafter. */
static double ramp(double at, double from, double to, double a, double b)
{
	if (at <= from)
		return a;
	return at >= to ? b : a + (b - a) * (at - from) / (to - from);
}

static double want_one(const struct world *world, const struct shape *shape,
                       const struct seat *seat, double at)
{
	(void)world, (void)shape, (void)seat, (void)at;
	return 1;
}

/* Node 0 fills up with half of the caches and lets them go; then its other
 * caches, and node 1, want more than they have. */
static double want_burst(const struct world *world, const struct shape *shape,
                         const struct seat *seat, double at)
{
	(void)world, (void)shape;
	if (seat->node == 0 && seat->cache % 2 == 0)
		return at < 0.25 ? ramp(at, 0.10, 0.15, 1, 2.6)
		                 : ramp(at, 0.25, 0.30, 2.6, 0.2);
	if (seat->node == 0)
		return ramp(at, 0.35, 0.40, 1, 2);
	if (seat->node == 1 && seat->cache % 2 == 0)
		return ramp(at, 0.40, 0.50, 1, 3.6);
	return 1;
}

/* A hump that is on another node each second. */
static double want_wave(const struct world *world, const struct shape *shape,
                        const struct seat *seat, double at)
{
	double s = at * shape->ms / 1000;
	double place = fmod(s, world->m.n_nodes);
	double off = fabs(place - seat->node);
	(void)shape;
	if (off > world->m.n_nodes / 2.0)
		off = world->m.n_nodes - off;
	return off < 1 ? 0.7 + 1.7 * (1 - off) : 0.7;
}

static void lay_short(struct world *world, const struct shape *shape,
                      double *weights)
{
	(void)shape, (void)weights;
	world->m.node[0].total_pages /= 3;
}

static void lay_skew(struct world *world, const struct shape *shape,
                     double *weights)
{
	double part = 1.3 * 2 / shape->nodes;
	(void)world;
	part = part > 0.9 ? 0.9 : part;
	weights[0] = part / (1 - part) * (shape->nodes - 1);
}

/* What clients of even nodes allocate is freed on the next. */
static void seat_cross(struct world *world, const struct shape *shape)
{
	(void)shape;
	for (uint32_t i = 0; i < world->n_seats; i++) {
		struct seat *seat = &world->seats[i];
		uint32_t to;
		if (seat->node % 2 != 0)
			continue;
		/* The next client on an odd node with that cache. */
		for (to = (i + world->seats_each) % world->n_seats; to != i;
		     to = (to + 1) % world->n_seats)
			if (world->seats[to].node % 2 == 1 &&
			    world->seats[to].cache == seat->cache)
				break;
		if (to != i)
			seat->gives_to = to;
	}
}

static double want_drain(const struct world *world, const struct shape *shape,
                         const struct seat *seat, double at)
{
	(void)shape;
	if (seat->node == world->m.n_nodes - 1 && seat->client % 2 == 0)
		return ramp(at, 0.30, 0.35, 1, 0);
	return 1;
}

static void event_drain(struct world *world, double at)
{
	world->m.node[world->m.n_nodes - 1].draining = at >= 0.3;
	/* Whoever drains a node raises the rate: slabctl set migrate_rate. */
	if (at >= 0.3)
		world->d.migrate_rate = DRAIN_RATE;
}

static void lay_far(struct world *world, const struct shape *shape,
                    double *weights)
{
	world->m.node[shape->nodes - 1].has_cpu = false;
	weights[shape->nodes - 1] = 0;
}

/* More than nodes with CPUs have, for a while. */
static double want_far(const struct world *world, const struct shape *shape,
                       const struct seat *seat, double at)
{
	(void)world, (void)shape;
	if (seat->node % 2 == 0)
		return at < 0.45 ? ramp(at, 0.05, 0.35, 1, 2.3)
		                 : ramp(at, 0.45, 0.55, 2.3, 1.5);
	return ramp(at, 0.05, 0.35, 1, 1.8);
}

/* Other programs want a third of node 1 for a while. */
static void event_pressed(struct world *world, double at)
{
	struct node *node = &world->m.node[1];
	uint64_t due = at >= 0.2 && at < 0.45 ? node->total_pages * 2 / 3 : 0;
	uint64_t more;
	if (node->taken_pages > due) {
		node->room_pages += node->taken_pages - due;
		node->taken_pages = due;
	}
	more = due - node->taken_pages;
	more = more < node->room_pages ? more : node->room_pages;
	node->taken_pages += more;
	node->room_pages -= more;
	node->pressure = node->taken_pages < due ? PLAN_FULL
	                 : due > 0               ? PLAN_SOME
	                                         : PLAN_CALM;
}

/* Each client goes along one trace, from a place of its own on. */
static void seat_recorded(struct world *world, const struct shape *shape)
{
	const struct curves *curves = shape->curves;
	for (uint32_t i = 0; i < world->n_seats; i++) {
		struct seat *seat = &world->seats[i];
		const struct curve *curve =
			&curves->curve[seat->client % curves->n];
		uint32_t k = i % world->seats_each;
		seat->cache = (uint8_t)curve->best[k % curve->n_best];
	}
}

static double want_recorded(const struct world *world,
                            const struct shape *shape, const struct seat *seat,
                            double at)
{
	const struct curves *curves = shape->curves;
	const struct curve *curve = &curves->curve[seat->client % curves->n];
	/* The fractions of the golden mean lie evenly in a circle. */
	double place = fmod(seat->client * 0.61803398875 + at * 2, 1);
	uint32_t p = (uint32_t)(place * CURVE_POINTS) % CURVE_POINTS;
	(void)world;
	return 1.6 * (double)curve->part[seat->cache][p];
}

const struct scenario scenarios[] = {
	{.name = "steady",
         .title = "steady demand with noise",
         .is_enough = true,
         .want = want_one},
	{.name = "burst",
         .title = "a burst on node 0 that leaves a hoard",
         .want = want_burst},
	{.name = "wave",
         .title = "a wave that moves to the next node each second",
         .want = want_wave},
	{.name = "short",
         .title = "node 0 has a third of the memory",
         .lay = lay_short,
         .want = want_one},
	{.name = "skew",
         .title = "most clients on node 0",
         .lay = lay_skew,
         .want = want_one},
	{.name = "cross",
         .title = "objects freed on another node",
         .is_enough = true,
         .seat = seat_cross,
         .want = want_one},
	{.name = "drain",
         .title = "the last node is drained midway",
         .is_restless = true,
         .want = want_drain,
         .event = event_drain},
	{.name = "far",
         .title = "the last node has no CPU",
         .lay = lay_far,
         .want = want_far},
	{.name = "pressed",
         .title = "others want two thirds of node 1 for a while",
         .want = want_one,
         .event = event_pressed},
	{.name = "recorded",
         .title = "recorded traces",
         .is_recorded = true,
         .seat = seat_recorded,
         .want = want_recorded},
};
const uint32_t scenarios_n = sizeof(scenarios) / sizeof(scenarios[0]);

const struct scenario *scenario_find(const char *name)
{
	for (uint32_t i = 0; i < scenarios_n; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}
