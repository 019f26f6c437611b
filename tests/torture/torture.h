/* SPDX-License-Identifier: MIT */
/*
 * The torture test: a driver kills workers at random and starts others, and
 * they leave nothing behind but what they counted on the board. A killer kills
 * slabd, which its supervisor starts again.
 *
 *   killer --SIGKILL--> slabd <--fork-- supervisor
 *   driver --fork, SIGKILL--> worker: 2 to 4 threads, now and then a child
 *                             hand (a thread's objects) <-> bag (a process's)
 *                             |-- slabd_give --> cells of another worker
 *                             '-- channels --> whoever receives, see flows.h
 *
 * Every object is full of words that follow from its seed and its handle. Who
 * holds it keeps the seed, and looks again before it lets go.
 */
#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

#include <pthread.h>
#include <sched.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"
#include "tests/torture/flows.h"

#define WORKERS_MAX 64u
#define CELLS 16u
#define CACHES 8u
#define HAND 512u

/* A place in which workers follow one another. */
struct place {
	uint64_t who; /* life << 16 | client id of the worker, 0: none */
	uint32_t leave;
	/* Gifts to the worker, written by others: 0 empty, 1 taken by a giver
	 * that is about to write, else a note, see actor.c. What carries another
	 * life than the worker's was meant for a dead one. */
	uint64_t cell[CELLS];
	uint64_t crate[CELLS]; /* the same, of arenas */
};

/* Shared by all; a worker that is killed leaves whole words. */
struct board {
	uint64_t lives; /* workers so far */
	uint64_t faults;
	uint64_t allocs;
	uint64_t shortages; /* allocations that ended in ENOMEM */
	uint64_t given;
	uint64_t taken;
	uint64_t stale;
	uint64_t forks;
	uint64_t threads;
	uint64_t moves;   /* of a thread to other CPUs */
	uint64_t resumes; /* of those that left */
	uint64_t meddled; /* orders that slabd carried out */
	uint64_t slain;   /* slabds killed */
	uint64_t away_ms; /* the longest time that none answered */
	uint32_t away;    /* slabd was killed and does not answer yet */
	uint32_t peace;   /* the killer is to end */
	uint32_t n_places;
	cpu_set_t cpus;   /* the driver's */
	struct place places[WORKERS_MAX];
	struct flow_counts flow;
	struct tickets tickets;
};

/* An object and what it was filled from. */
struct item {
	void *obj;
	uint64_t seed;
	uint32_t cache;
};

struct worker {
	struct board *board;
	struct place *place;
	uint64_t life;
	uint64_t seeds; /* given out so far */
	slabd_pool *pool;
	slabd_cache *caches[CACHES];
	slabd_objpool *objpool;
	unsigned id;
	pthread_mutex_t lock; /* of the bag */
	struct item bag[128];
};

/* One thread of a worker. */
struct actor {
	struct worker *worker;
	struct rng rng;
	uint32_t target; /* how many it wants in its hand */
	uint32_t n;
	struct item hand[HAND];
	struct flows flows;
};

struct torture_kind {
	const char *name;
	uint32_t size;
	uint32_t align;
};
extern const struct torture_kind torture_kinds[CACHES];

/* What no test may see: counted and printed. */
void torture_fault(struct board *board, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills a new object, or one that changed hands, from a seed of this life. */
void item_stamp(struct worker *worker, struct item *item);

/* The same from a seed that is given. */
void item_stamp_as(const struct worker *worker, struct item *item, uint64_t seed);

/* Whether each word of the object is what its seed says. Says so if not. */
bool item_check(struct worker *worker, const struct item *item,
                const char *when);

/* The same without a word, for who has to look twice. */
bool item_intact(struct worker *worker, const struct item *item);

/* An object from its handle as its giver left it; restamped. */
bool item_adopt(struct worker *worker, void *obj, uint32_t cache,
                struct item *item);

/* What an object says that it was filled from. */
struct item item_of(void *obj);

/* Overwrites the beginning of what is about to be freed. */
void item_spoil(const struct item *item);

/* Whether a call failed as slabd was killed meanwhile, and is to be made once
 * more; for a minute, which *until_ms counts from the first failure. */
bool torture_again(const struct board *board, double *until_ms);

/* Kills slabd again and again; arg is its struct killer_start. The supervisor
 * waits longer after each quick death, and forgets it after ten seconds of
 * life: so a few come in a row, and then there is a rest. */
struct killer_start {
	struct board *board;
	struct fixture *fixture;
	struct rng rng;
	pid_t pid; /* of the first slabd */
};
void killer_main(int fd, void *arg);

/* Has slabd lend, move, drain and trim; arg is its struct
 * reconfigurer_start. */
struct reconfigurer_start {
	struct board *board;
	struct fixture *fixture;
	struct rng rng;
};
void reconfigurer_main(int fd, void *arg);

/* A handle with the receiver's life and an object's cache in one word, of a cell; and
 * what it says to a worker. */
uint64_t note_make(uint64_t life, uint32_t cache, slabd_handle handle);
slabd_handle note_handle(uint64_t note);
bool note_is_mine(const struct worker *worker, uint64_t note);

/* One random deed of a thread. */
void actor_step(struct actor *actor);

/* Frees what is in the hand, after a look at each. */
void actor_let_go(struct actor *actor);

/* Forks a child that looks at the hand and is a client of its own or none. */
void actor_fork(struct actor *actor);

/* Opens the default pool at $SLABD_SOCKET and all caches. */
void worker_open(struct worker *worker, const struct slabd_options *options);

/* A worker's whole life; arg is its struct torture_start. */
struct torture_start {
	struct board *board;
	uint32_t place;
	struct rng rng;
};
void worker_main(int fd, void *arg);

#endif
