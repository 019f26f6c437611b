/* SPDX-License-Identifier: MIT */
/*
 * The depot: a process's private store of parts of magazines, of a cache whose
 * objects live on one node.
 *
 *   head                                    tail
 *    | oldest | ...                | newest |  <- put
 *   get, by another thread          get, by the thread that put it
 *
 * A thread takes back what it put last, as that is still in its core's cache.
 * Between threads it is oldest first, and as long as the slabs have something
 * the newest few are kept back: by the time a half comes out, its lines have
 * left the core that put it in. A process whose threads put more than a depot
 * holds and get nothing back keeps four times as many, and the rest goes home.
 *
 * The two ends move under a lock that nobody waits for: a thread that does not
 * get it at once goes to the slabs. Objects are copied outside of it, and memory
 * is there before. A cell goes
 *
 *   EMPTY -> FILLING (put, under the lock) -> READY (the same thread)
 *   READY -> DRAINING (get, under the lock) -> EMPTY (the same thread)
 *                                           -> READY (some are left)
 *
 * so a thread that is stopped half way holds up its own cell alone: the others
 * pass it by, at either end, until it goes on.
 */
#ifndef CLIENT_DEPOT_H
#define CLIENT_DEPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/slabclient.h"

#define DEPOT_HALF 256u
#define DEPOT_CELLS 1024u

struct depot;

/* keep: while there are no more cells than that, only the thread that put one
 * gets it. NULL with errno ENOMEM. Memory is taken as cells are used. */
struct depot *depot_make(uint32_t keep);
void depot_drop(struct depot *depot);

/* Puts n (<= DEPOT_HALF) objects. False when it is full or busy. */
bool depot_put(struct depot *depot, uint32_t n, void *const *objects);

/* Gets up to most objects of one half, whose rest stays where it is; returns
 * how many, 0 when the depot is empty, busy or has only what is kept. Beside it,
 * depots for the same objects have so many cells. */
uint32_t depot_get(struct depot *depot, uint64_t others, uint32_t most,
                   void **objects);

/* How many cells are in use. */
uint64_t depot_cells(const struct depot *depot);

/* Whether threads only put, and have put more than hand-over needs, of which so
 * many depots each have a part. */
bool depot_hoards(const struct depot *depot, uint32_t n_depots);

/* How many objects lie in it; 0 where it is busy again and again. */
uint64_t depot_count(struct depot *depot);

/* Copies what a cell holds, the first at or after a position, which becomes the next
 * one; 0 is before all. Returns how many, 0 at the end; also where it is busy again
 * and again. */
uint32_t depot_copy(struct depot *depot, uint64_t *at, void **objects);

/* Gets the oldest, whoever put them, kept or not. */
uint32_t depot_get_oldest(struct depot *depot, uint32_t most, void **objects);

#endif
