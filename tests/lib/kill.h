/* SPDX-License-Identifier: MIT */
/*
 * Kills a client at each instruction of an operation.
 *
 *   fork -> prepare -> [ act: stepped, SIGKILL at a place ] -> sweep -> checks
 *
 * Each place has a client of its own. After each death, with the living at a
 * halt: slabd freed exactly what carried the dead client's id, nothing is lost
 * or twice, no lease, list or count is wrong, the living own what they hold
 * and found their patterns in it.
 *
 * As many places as the time allows, from a start that the seed gives, and
 * each system call; all of them with --all or SLABD_STEP=all, but of the
 * instructions outside of the program's own text about a thousand where an
 * operation has more than four thousand.
 */
#ifndef TESTS_LIB_KILL_H
#define TESTS_LIB_KILL_H

#include "tests/lib/step.h"
#include "tests/lib/traced_pool.h"

#define KILL_OBJECTS 1024u
#define KILL_GIFTS 6u

/* In memory that victim and tracer share. */
struct kill_board {
	struct step_mark mark;
	uint32_t id;     /* the victim's, 0 before slabd_open */
	uint32_t turn;   /* counts the victims of an operation */
	uint64_t handle; /* of an object that passes between both */
	uint64_t handles[KILL_GIFTS]; /* of several */
	uint64_t before[2];           /* of what passed before those */
};

/* A client that is about to die. */
struct kill_victim {
	const struct traced_pool *traced;
	struct kill_board *board;
	slabd_pool *pool;
	slabd_cache *cache;
	slabd_cache *other;
	void *objects[KILL_OBJECTS];
	size_t n;
};

struct kill_op {
	const char *name;
	/* In the victim: up to the operation, and the operation. */
	void (*prepare)(struct kill_victim *victim);
	void (*act)(struct kill_victim *victim);
	/* In the tracer, or NULL: before the operation begins, and once the
	 * victim was swept. */
	void (*before)(struct traced_pool *traced, struct kill_board *board);
	void (*after)(struct traced_pool *traced, struct kill_board *board);
	bool opens;  /* it becomes a client in the operation */
	bool leaves; /* it may stop being one */
	bool sweeps; /* after has slabd sweep more */
	bool settles; /* slabd hands some of what it has on, or takes some back:
	               * what comes back is not what carried its id */
	bool thread; /* the operation is the end of a thread */
	bool few;    /* a quarter of the places: it is others, in a loop */
	bool libs;   /* so, where it is to be short: most is of the C library */
};

/* Reads --all and SLABD_STEP; ends the program as skipped where nothing can be
 * stepped. */
void kill_start(int argc, char **argv, unsigned seconds);

/* Runs it in full: one result. */
void kill_everywhere(struct traced_pool *traced, const struct kill_op *op);

/* For prepare: opens the pool with a helper thread or without, as on node 0;
 * magazines of up to cap objects of TRACED_POOL_SIZE; 0: the default. */
void kill_open(struct kill_victim *victim, bool helper, unsigned cap);

/* Allocates n objects more from victim->cache, and writes to them. */
void kill_take(struct kill_victim *victim, size_t n);

/* Frees the last n. */
void kill_drop(struct kill_victim *victim, size_t n);

#endif
