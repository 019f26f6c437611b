/* SPDX-License-Identifier: MIT */
/*
 * A map of numbered places, each taken or not, that hands out aligned runs,
 * lowest first. slabd has one of a pool's units and one of its tag lines.
 * Private to slabd and rebuilt from the slab table, so it is never shared.
 */
#ifndef DAEMON_POOL_EXTENT_H
#define DAEMON_POOL_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#define EXTENT_CLASSES 16u /* of runs: 1, 2 to 3, 4 to 7, and so on */

struct extent {
	uint64_t n;
	uint64_t *taken; /* bitmap */
	uint64_t n_taken;
	uint64_t end; /* one past the highest place ever taken */
	/* By size class, see extent_take_low: what is below was looked at. */
	uint64_t from[EXTENT_CLASSES];
};

/* All n places taken or all of them free. 0 or -ENOMEM. */
int extent_init(struct extent *map, uint64_t n, bool taken);
void extent_done(struct extent *map);

/* Takes the lowest run of count places within [first, end) that starts at a
 * multiple of align. 0, or -ENOSPC. */
int extent_take(struct extent *map, uint64_t first, uint64_t end,
                uint64_t count, uint64_t align, uint64_t *out);

/*
 * Takes a run of count places, low down: it looks from where the last run of
 * about this size was found, or something below was given back since. So many
 * runs in a row cost a walk of the map, not one each; a free run in between that
 * was too short for another may be passed over, until there is no other. 0, or
 * -ENOSPC: there is none in all of the map.
 */
int extent_take_low(struct extent *map, uint64_t count, uint64_t *out);

/* Makes a run free again, all of which was taken. */
void extent_give(struct extent *map, uint64_t first, uint64_t count);

/* Free places within [first, end). */
uint64_t extent_free(const struct extent *map, uint64_t first, uint64_t end);

#endif
