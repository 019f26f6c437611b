/* SPDX-License-Identifier: MIT */
/* What happens to slabs: carve, claim, release, lend, and the counts of it. */
#ifndef SIM_SLABS_H
#define SIM_SLABS_H

#include "tests/sim/machine.h"

#define UNUSED_MS 10000u /* without anybody taking of a loan */

static inline uint32_t slab_home(const struct machine *m, uint32_t unit)
{
	return m->pages[page_of(unit)].lies;
}

/* A slab on ready pages of home, standing on list. HEAP_NONE: no units. */
uint32_t slabs_carve(struct machine *m, uint32_t cache, uint32_t home,
                     uint32_t list);
/* A slab without owned objects. */
void slabs_reclaim(struct machine *m, uint32_t unit);
/* A slab of the cache, at home there, that is wholly free, or HEAP_NONE. */
uint32_t slabs_find_empty(struct machine *m, uint32_t cache, uint32_t home);

/* The lowest slab on a list, or HEAP_NONE. */
uint32_t slabs_first(struct machine *m, uint32_t cache, uint32_t list);
/* Takes up to n objects of a slab for a client at node; returns how many. */
uint32_t slabs_claim(struct machine *m, uint32_t unit, uint32_t node,
                     uint32_t n);
/* Gives back n objects that clients at node own. */
void slabs_release(struct machine *m, uint32_t unit, uint32_t node, uint32_t n);
/* n objects that clients at `from` owned are owned at `to`. */
void slabs_give(struct machine *m, uint32_t unit, uint32_t from, uint32_t to,
                uint32_t n);

/* Whether a slab has something free that nobody took for long. */
bool slabs_is_unused(const struct machine *m, uint32_t unit);

/* Migrates a page. Slabs that stood on its old node's list go along; those that
 * were lent stay where they stand. False: it is stuck, or there is no room. */
bool slabs_move(struct machine *m, uint32_t page, uint32_t to);
/* Puts a slab on another list. */
void slabs_relist(struct machine *m, uint32_t unit, uint32_t list);
/* Up to n slabs at home on `from`, standing there, go to the list of `to`: of
 * some that are looked at those with most free. Returns how many. */
uint32_t slabs_lend(struct machine *m, uint32_t cache, uint32_t from,
                    uint32_t to, uint32_t n);
/* Up to n slabs of home that stand on list go home: empty ones first, then
 * those with something free that nobody takes, then those with something free.
 * Returns how many. */
uint32_t slabs_return(struct machine *m, uint32_t cache, uint32_t home,
                      uint32_t list, uint32_t n);

#endif
