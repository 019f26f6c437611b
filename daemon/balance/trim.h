/* SPDX-License-Identifier: MIT */
/*
 * A trim by hand: everything that is free goes back, at once. Each empty slab
 * is taken apart, those too that a cache would keep, then each page without a
 * slab goes back to the kernel, down to the floor.
 *
 *   begin -> some, until it says that there is no more -> left
 *
 * What one call of some does takes a few milliseconds: the loop goes on between
 * two of them.
 */
#ifndef DAEMON_BALANCE_TRIM_H
#define DAEMON_BALANCE_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/remedy.h"
#include "shm/layout.h"

struct pool;

struct balance_trim {
	uint32_t node;  /* PLAN_NONE: all */
	uint32_t at;    /* whose pages are being given back */
	/* On whose pages empty slabs are looked for, and from which on that was
	 * done. */
	uint32_t emptied;
	uint64_t below;
	uint64_t slabs; /* done so far */
	uint64_t pages;
	uint64_t of[NODES_MAX]; /* of these, by node */
	uint64_t most; /* pages that there were to begin with */
	bool waits;    /* the last call did nothing, as pages are on their way */
	uint32_t n_waits;
};

void trim_begin(const struct pool *pool, uint32_t node,
                struct balance_trim *trim);

/* All of it once more, for what has come home meanwhile; what was done adds up. */
void trim_again(struct balance_trim *trim);

/* Whether there is more to do; where it waits, a while later. */
bool trim_some(struct pool *pool, struct balance_trim *trim);

/* What of the nodes is still ready, in pages: beyond the floor, and of the
 * floor. why: what keeps the former there; empty if there is none. */
struct trim_left {
	uint64_t beyond;
	uint64_t floor;
};
struct trim_left trim_left(const struct pool *pool,
                           const struct balance_trim *trim, struct remedy *why);

#define TRIM_NODES_TEXT 400u /* what the text below takes */

/* "6 MiB of node 0, 4 MiB of node 1" of pages by node, the first of them where there
 * are many; "" of none. */
void trim_name_nodes(char *text, size_t bytes, const struct pool *pool,
                     const uint64_t *pages);

#endif
