/* SPDX-License-Identifier: MIT */
/*
 * A pool under watch: a real slabd, a client that has no library and sees the
 * tables themselves (the warden), and two clients that work all the time (the
 * living); in ./dev check with rests, as who steps needs the processors more.
 *
 * The living write a pattern into each object and look at it when they free it
 * and at each halt. At a halt they have flushed, so that the tags say of each
 * exactly what it has in its hands.
 */
#ifndef TESTS_LIB_TRACED_POOL_H
#define TESTS_LIB_TRACED_POOL_H

#include "shm/slab.h"
#include "tests/lib/harness.h"
#include "tests/lib/raw.h"

#define TRACED_POOL_LIVING 2u
#define TRACED_POOL_COMMON "common" /* a cache that the living use */
#define TRACED_POOL_SIZE 64u        /* of its objects */
#define TRACED_POOL_FILLER 60000u   /* a size of which a unit holds one */

struct traced_pool_stage;

struct traced_pool {
	struct fixture fixture;
	struct raw raw;
	struct view view;
	struct slab_user user; /* data NULL: addresses are offsets */
	struct child living[TRACED_POOL_LIVING];
	struct traced_pool_stage *stage;
	uint64_t *held; /* offsets of what the warden has */
	uint32_t n_held;
	uint32_t seq;
	uint32_t last_id; /* the youngest client that is known of */
	bool at_work;     /* the living are */
};

/* Starts slabd with two simulated nodes of max MiB each, and joins it. */
void traced_pool_open(struct traced_pool *traced, unsigned max_mib);

/* Starts the living, on node 0. */
void traced_pool_wake(struct traced_pool *traced);

/* Ends the living and slabd, with results. */
void traced_pool_close(struct traced_pool *traced);

/* Opens or makes a cache and has slabd see to it that the node has slabs of
 * it; its id. */
uint32_t traced_pool_cache(struct traced_pool *traced, const char *name,
                           size_t size, uint32_t node, unsigned flags);

/* Claims n objects from a node's list. How many it got. */
uint32_t traced_pool_claim(struct traced_pool *traced, uint32_t cache,
                           uint32_t node, uint32_t n);

/* Claims all that slabd can make of the node. */
void traced_pool_fill(struct traced_pool *traced, const char *name, size_t size,
                      uint32_t node);

/* Frees what the warden has of a cache, but for each keep-th; 0: all. */
void traced_pool_release(struct traced_pool *traced, uint32_t cache,
                         uint32_t keep);

/* Frees n of what the warden has of a cache. */
void traced_pool_release_some(struct traced_pool *traced, uint32_t cache,
                              uint32_t n);

/* Frees one object of the warden's by its offset. Whether it was its own. */
bool traced_pool_release_one(struct traced_pool *traced, uint64_t off);

/* Has one object in each slab of a cache, so that none is emptied. */
void traced_pool_pin(struct traced_pool *traced, uint32_t cache, uint32_t node);

/* Objects whose tag is id. */
uint64_t traced_pool_count(const struct traced_pool *traced, uint32_t id);

/* Of these, what slabd would hand on if the client died now (shm/heir.h). */
uint64_t traced_pool_bequeathed(const struct traced_pool *traced, uint32_t id);

/* Two requests of the control socket, one after the other: whatever clients
 * sent before, slabd has served. */
void traced_pool_barrier(const struct traced_pool *traced);

/* Waits until an id's client is dead and swept. */
void traced_pool_await_death(const struct traced_pool *traced, uint32_t id);

/* The id that a process was given, dead or alive, if it is one of the next
 * after last_id; else 0. */
uint32_t traced_pool_find(const struct traced_pool *traced, pid_t pid);

/* The living stand still, have flushed, and looked at what they hold; or go on.
 * False when one does not come. */
bool traced_pool_halt(struct traced_pool *traced);
void traced_pool_go_on(struct traced_pool *traced);

/* With the living at a halt: what they own, what they hold, and what they saw
 * that must not be. True if nothing is wrong; else it is noted. */
bool traced_pool_background_agree(const struct traced_pool *traced);

/* Objects that the warden and the living own. */
uint64_t traced_pool_owned(const struct traced_pool *traced);

#endif
