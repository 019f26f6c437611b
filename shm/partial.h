/* SPDX-License-Identifier: MIT */
/*
 * Partial lists: per cache and node, a bitmap over the pool's units with the
 * head units of slabs that have something free, and above it a summary with a
 * bit for each word of the bitmap that is not 0.
 *
 *   summary   | 1 0 0 1 ...
 *   bitmap    | 0000100.. | 0 | 0 | 1000010.. | ...
 *
 * Both are hints. A bit that is set wrongly costs one look; a bit that is
 * missing must not last. Who races with whom:
 *
 *                 clear (lessee)                      set (freer)
 *   bit        clear, fence, scan tags, set       store tag, fence, set if clear
 *   summary    clear, fence, read word, set       set bit, fence, set if clear
 *
 * The fence between a store and the load that follows it makes one of the two
 * see the other. A kill in between leaves a bit missing, which the sweep sets,
 * as it sets every bit that the tags say is due.
 */
#ifndef SHM_PARTIAL_H
#define SHM_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/view.h"

#define PARTIAL_NONE UINT32_MAX
#define PARTIAL_VAIN_MAX 1024u /* words that are 0 and have a summary bit */

struct partial {
	uint64_t *sum;  /* (A) summary words */
	uint64_t *bits; /* (A) bitmap words */
	uint64_t n_sum;
	uint64_t n_bits;
};

/* The list of a cache (1..) on a node index; both in range. */
struct partial partial_of(const struct view *view, uint32_t cache,
                          uint32_t node);

/* The lowest unit at or above from whose bit is set, or PARTIAL_NONE. */
uint32_t partial_next(const struct partial *list, uint32_t from);

/* The same for slabd, which need not believe a summary that clients write: *vain
 * counts down words that are 0 in spite of theirs, and at 0 it is PARTIAL_NONE.
 * A kill leaves one such word; no list has hundreds of them by chance. */
uint32_t partial_next_few(const struct partial *list, uint32_t from,
                          uint32_t *vain);

/* The highest unit below one whose bit is set, or PARTIAL_NONE; that is also what
 * is above them all. */
uint32_t partial_prev(const struct partial *list, uint32_t below);

/* Sets a unit's bit if it is clear. The caller's tag stores and a full fence
 * come before. Wait-free; any thread of any process. */
void partial_set_any(const struct partial *list, uint32_t unit);

/* Clears a unit's bit, with a full fence before anything after it. */
void partial_clear_any(const struct partial *list, uint32_t unit);

/* Whether the bit, and the summary's bit above it, are set. */
bool partial_has(const struct partial *list, uint32_t unit);

/* How many bits are set; stops counting at limit. */
uint32_t partial_count(const struct partial *list, uint32_t limit);

/* The same for slabd: it ends after PARTIAL_VAIN_MAX such words, too. */
uint32_t partial_count_few(const struct partial *list, uint32_t limit);

/* The index of a bitmap word, from one on and before end, that is not 0 while its
 * summary bit is, or PARTIAL_NONE: what a check looks for. */
uint32_t partial_check_part(const struct partial *list, uint64_t from,
                            uint64_t end);

/* The same of all its words. */
static inline uint32_t partial_check(const struct partial *list)
{
	return partial_check_part(list, 0, list->n_bits);
}

/* Sets every summary bit that is due to bitmap words from one on and before end.
 * Returns how many were missing. */
uint32_t partial_repair_part_any(const struct partial *list, uint64_t from,
                                 uint64_t end);

/* The same of all its words. */
static inline uint32_t partial_repair_any(const struct partial *list)
{
	return partial_repair_part_any(list, 0, list->n_bits);
}

#endif
