/* SPDX-License-Identifier: MIT */
/* What a process holds: objects that its tags say it owns and that no part of
 * the program has, as they lie in magazines and depots. Only the process knows
 * these apart, so slabd asks for them. */
#ifndef CLIENT_HELD_H
#define CLIENT_HELD_H

#include "client/types.h"

/* Adds up what the process holds of a pool, by (id - 1) * n_nodes + home, into
 * a zeroed table for all caches and nodes of the pool. Exact where no thread
 * allocates or frees meanwhile. Takes the process's lock. */
void held_sum(struct slabd_pool *pool, uint32_t *objects);

/* Answers slabd if it has asked since the last call. Any one thread: the helper
 * gives its number, others give WIRE_HELD_ALL. */
void held_answer(struct slabd_pool *pool, uint32_t teller);

/* What the threads hold for other nodes: freed, and not yet counted as such.
 * Takes the process's lock. */
uint64_t held_remote(const struct slabd_pool *pool);

#endif
