/* SPDX-License-Identifier: MIT */
/*
 * Sets of numbers below n, of which the next one up or down is found in a step
 * a level, however many lie between. Each level is a bitmap of the words of the
 * one below that are not 0. The words of all sets for the same numbers lie side
 * by side. Memory of parts that nobody has touched is never there.
 */
#ifndef DAEMON_POOL_PLACES_H
#define DAEMON_POOL_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#define PLACES_NONE UINT64_MAX
#define PLACES_LEVELS 7u

struct places {
	uint64_t n;
	uint32_t n_sets;
	uint32_t n_levels;
	uint64_t *level[PLACES_LEVELS]; /* of one allocation, at level[0] */
};

/* Empty sets. 0 or -ENOMEM, and places_done has to follow in any case. */
int places_make(struct places *places, uint64_t n, uint32_t n_sets);
void places_done(struct places *places);

/* Adds a number to a set, or takes it out; neither needs to change anything. */
void places_put(struct places *places, uint32_t set, uint64_t at, bool in);

/* The lowest at or above from, the highest below; or PLACES_NONE. */
uint64_t places_next(const struct places *places, uint32_t set, uint64_t from);
uint64_t places_prev(const struct places *places, uint32_t set, uint64_t below);

#endif
