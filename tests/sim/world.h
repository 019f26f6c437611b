/* SPDX-License-Identifier: MIT */
/*
 * One run: a machine, its clients, and the daemon with one policy. Time goes in
 * ticks; within a tick clients take their turns one after the other, and the
 * daemon's steps come in between, each when it is done.
 *
 *   tick |-c0---c1---c2---[step]---c3---[step]-...-|
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "daemon/plan/plan.h"
#include "tests/lib/rng.h"
#include "tests/sim/machine.h"
#include "tests/sim/slabs.h"

#define TICK_MS 10u
#define TICK_NS (TICK_MS * NS_MS)
#define SIM_PAGES_MAX 512u /* pages in one snapshot */

struct world;

/* Who makes plans. */
struct maker {
	const char *name;
	const char *title;
	void (*make)(struct world *world, struct plan *plan,
	             const struct snapshot *snap,
	             const struct plan_config *config, void *work);
	bool is_ours; /* the checks are about it; and it looks at pages */
	bool is_slub; /* acts as a list runs bare, and at no cost; slabs.c */
};

/* Objects that a client owns in one slab. */
struct run {
	uint32_t unit;
	uint32_t n;
};

/* What one client does with one cache. */
struct seat {
	uint32_t client;
	uint8_t cache;
	uint8_t node;
	uint32_t base; /* objects that it uses where demand is 1 */
	uint32_t used; /* of those that it owns; the rest is its hoard */
	uint32_t owned;
	uint32_t hoard_max;
	uint32_t bite;         /* objects that go at one time */
	uint32_t rate;         /* objects that it can take or free in a turn */
	uint32_t trims;        /* that it has followed */
	uint32_t gives_to;     /* seat that gets what this one allocates */
	float noise, noise_to; /* in parts of demand, and where it goes */
	struct run *runs;
	uint32_t n_runs, room;
};

/* Objects that a seat takes in the course of a tick. */
struct task {
	struct seat *seat;
	uint32_t left;
	uint64_t now_ns, end_ns;
	uint64_t each_ns; /* between two */
};

struct tally {
	uint64_t allocs;              /* objects asked for */
	uint64_t remote;              /* of these, on another node */
	uint64_t bytes, remote_bytes; /* the same in bytes */
	uint64_t fallback;            /* one by one, as the own list was bare */
	uint64_t avoidable;           /* remote while the own node had memory */
	uint64_t failed;
	uint64_t waited; /* put off, as nobody had any and slabd was at it */
};

struct daemon {
	const struct maker *maker;
	struct plan_config config;
	struct plan plan;
	void *work;
	uint64_t work_bytes;
	bool busy; /* with step `next` of the plan */
	uint32_t next;
	uint64_t ready_ns; /* when that step is done */
	uint64_t due_ns;   /* when it plans; NEVER: nobody rang */
	uint64_t timer_ns; /* when it grows ahead */
	uint64_t look_ns;  /* when it plans without a shortage */
	bool progress;     /* the plan did something */
	uint64_t retry_ns; /* when what was denied may be asked for anew */
	uint64_t migrate_rate, migrate_bytes, bucket_ns;
	uint32_t page_at; /* where looking for pages goes on */
	uint32_t spells;  /* half idle times that are over */
	uint32_t trims;
	uint64_t trimmed_ns;
	uint64_t planned; /* plans made */
	uint64_t steps[PLAN_KINDS];
	uint64_t refused[PLAN_KINDS][PLAN_NO_REASON];
	uint64_t recalled; /* moved back within hold, as home was short */
	uint64_t slabs_lent, slabs_returned, pages_moved, bytes_moved;
	uint64_t failed_steps; /* what the plan said could not be done */
	uint64_t last_ns;      /* when it last did more than carve */
	uint64_t quiet_steps, quiet_plans; /* since demand stopped changing */
	uint64_t cpu_ns, cpu_max_ns;
};

struct world {
	struct machine m;
	struct daemon d;
	struct rng rng;
	struct rng demand; /* the same numbers whatever the policy */
	struct seat *seats;
	uint32_t n_seats, n_clients, seats_each;
	struct task *tasks; /* a heap of those that wait, the earliest first */
	uint32_t n_tasks;
	struct tally tally;
	uint64_t quiet_ns;  /* demand has not changed since; NEVER: it does */
	uint64_t relief_ns; /* the longest shortage of a list */
	uint64_t tried_ns[SIM_CACHES_MAX][SIM_NODES_MAX];
	char bad[256]; /* the first thing that does not add up */
};

/* daemon.c */
void daemon_start(struct world *world, const struct maker *maker);
void daemon_stop(struct world *world);
/* Clients at node have less than they want. */
void daemon_ring(struct world *world, uint32_t cache, uint32_t node,
                 uint64_t now_ns);
/* Does what is done by now. */
void daemon_advance(struct world *world, uint64_t now_ns);
/* Notes how many slabs were empty all the time: the fewest of this spell and
 * the one before, which together are at least idle_ms / 2 long. */
void daemon_turn_spells(struct world *world);
/* When it will next have done something, or NEVER. */
uint64_t daemon_next_ns(const struct world *world);

/* picture.c: the arrays last until the next picture. */
const struct snapshot *picture_take(struct world *world);

/* apply.c: what a step costs, and what it does. False: it can't be done. */
uint64_t apply_cost_ns(const struct world *world, const struct plan_step *step);
bool apply_step(struct world *world, const struct plan_step *step);

/* client.c: brings a seat to so many objects: frees what is too much, and says
 * in task what it takes. */
void client_turn(struct world *world, struct seat *seat, uint32_t target,
                 uint64_t now_ns, struct task *task);
/* Goes on with it at task->now_ns. True: it does so again, at another time. */
bool client_go(struct world *world, struct task *task);
/* Up to n objects of the first slab of a list. Returns how many. */
uint32_t client_take(struct world *world, struct seat *seat, uint32_t list,
                     uint32_t n);
/* Up to n objects of one of the seat's runs are freed. */
void client_send_home(struct world *world, struct seat *seat, struct run *run,
                      uint32_t n);
/* Before time begins: from its own node's lists alone. */
void client_warm(struct world *world, struct seat *seat, uint32_t target);

/* verify.c: whether the counts add up; else world->bad says what does not.
 * All: recounts every page, slab and object. */
void verify_counts(struct world *world);
void verify_all(struct world *world);

#endif
