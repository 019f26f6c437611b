/* SPDX-License-Identifier: MIT */
/*
 * Pages that go from node to node while they are in use: backing_move and
 * backing_may_move, whose contracts are in backing.h.
 *
 *   a free hugepage on the target -> the kernel copies -> one on the source is
 *   free and goes back, if it was ours
 *
 * A kill in between leaves one hugepage too many on one of the two, which the
 * journal knows of: backing_set_resident gives it back. And it leaves a page of
 * which nobody has noted where it lies: migrate_last names it.
 */
#ifndef NUMA_MIGRATE_H
#define NUMA_MIGRATE_H

#include <stddef.h>

#include "numa/types.h"

int migrate_page(struct backing *backing, unsigned file_ix, uint64_t page,
                 unsigned from_ix, unsigned to_ix, struct backing_moved *how);

/* The page whose move to a node was begun last, by us or by a slabd that was
 * killed. After a takeover backing_where says where it is, if it is ready
 * still. False: none, or there is no journal. */
bool migrate_last(const struct backing *backing, unsigned to_ix,
                  unsigned *file_ix, uint64_t *page);

bool migrate_permitted(char *reason, size_t reason_bytes, char *remedy,
                       size_t remedy_bytes);

#endif
