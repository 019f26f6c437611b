/* SPDX-License-Identifier: MIT */
/*
 * A map of numbered places, each taken or not, that hands out runs of them,
 * lowest first. slabd has one of a pool's tag lines. Private to slabd and
 * rebuilt from the slab table, so it is never shared.
 *
 *   sums      |          all          |    a heap: 2 i and 2 i + 1 below i
 *             |   half    |   half    |
 *   bitmap    | 01101 | 11111 | 00000 |    leaves of 512 places
 *
 * A sum tells the longest free run of its part, and how much is free at both
 * ends; so the lowest run that is long enough is found, and what changes is
 * noted, in a step a level, however full or scattered the map is. Sums say what
 * is missing from a part that is free as a whole: memory of parts that nobody
 * has touched is 0, and is never there.
 */
#ifndef DAEMON_POOL_EXTENT_H
#define DAEMON_POOL_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#define EXTENT_RUN_MAX 65535u /* places that are taken at one time */

/* What a part lacks, of so many places or of EXTENT_RUN_MAX. */
struct extent_sum {
	uint16_t head; /* the free run that it begins with */
	uint16_t tail; /* and that it ends with */
	uint16_t best; /* the longest one */
};

struct extent {
	uint64_t n;
	uint64_t *taken; /* bitmap */
	uint64_t n_taken;
	uint64_t end; /* one past the highest place ever taken */
	struct extent_sum *sums;
	uint64_t n_leaves; /* a power of two */
	uint64_t looks;    /* sums and words looked at: what the time goes by */
};

/* n places, all of them free. 0 or -ENOMEM. */
int extent_init(struct extent *map, uint64_t n);
void extent_done(struct extent *map);

/* Takes the lowest run of count places. 0, or -ENOSPC. */
int extent_take(struct extent *map, uint64_t count, uint64_t *out);

/* Takes just these. 0, or -EINVAL: not all of them are there and free. */
int extent_claim(struct extent *map, uint64_t first, uint64_t count);

/* Makes a run free again, all of which was taken. */
void extent_give(struct extent *map, uint64_t first, uint64_t count);

#endif
