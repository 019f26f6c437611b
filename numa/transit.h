/* SPDX-License-Identifier: MIT */
/*
 * Pages that go from node to node while they are in use: backing_move and
 * backing_may_move, whose contracts are in backing.h.
 *
 *   a free hugepage on the target -> the kernel copies -> one on the source is
 *   free and goes back, if it was ours
 *
 * A kill in between leaves one hugepage too many on one of the two, which the
 * ledger knows of: backing_set_here gives it back.
 */
#ifndef NUMA_TRANSIT_H
#define NUMA_TRANSIT_H

#include "numa/backing.h"

int transit_page(struct backing *backing, unsigned file_ix, uint64_t page,
                 unsigned from_ix, unsigned to_ix, struct backing_moved *how);

bool transit_permitted(char *reason, size_t reason_bytes, char *remedy,
                       size_t remedy_bytes);

#endif
