/* SPDX-License-Identifier: MIT */
/*
 * The ladder. Rung by rung, all nodes that still lack a file: first each is
 * prepared in turn (file made and bound, hugepages counted and reserved), so
 * that nodes which share the machine's pool do not count the same pages twice;
 * then all are faulted in at once, a thread a node. A node that fails goes on
 * to the next rung. 1 GiB pages are for all nodes or none, since the pool has
 * one page size.
 */
#ifndef NUMA_FALLBACK_H
#define NUMA_FALLBACK_H

#include "numa/types.h"

/* Makes and fills every node's file. Returns 0 or -errno, with backing->error
 * set and files left for the caller to drop. */
int fallback_climb(struct backing *backing,
                 const struct backing_request *request);

/* Set a node's reason and remedy to those of its steps, "" if it took none. */
void fallback_sum_up(struct backing *backing, unsigned ix);

#endif
