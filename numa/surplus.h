/* SPDX-License-Identifier: MIT */
/*
 * What Linux before 6.15 gets wrong where some pages of a hugepage pool are
 * surplus, that is owed: they go as soon as somebody frees them.
 *
 * It takes the surplus of all nodes into account when one node's count is
 * written: once another node owes pages, this one gets as many too much, and
 * can owe none. And it takes no free page away while more pages are in use than
 * last, wherever they are.
 *
 * All of it under the caller's lock. Once slabd runs on none of these kernels
 * this file goes, and in huge.c: set_lasting is hugepool_write, and all that is
 * called.
 */
#ifndef NUMA_SURPLUS_H
#define NUMA_SURPLUS_H

#include <stdbool.h>

#include "numa/hugepool.h"

/* Whether other nodes than the pool's owe pages, and the kernel is one of
 * those. */
bool surplus_is_elsewhere(const struct hugepool *pool,
                          const struct huge_counts *now);

/* Whether any node owes pages, the kernel is one of those, and a change of one
 * node's count can be written for the machine. */
bool surplus_is_anywhere(const struct hugepool *pool);

/* Moves what lasts on a node by some pages: written for the machine, under a
 * memory policy of this thread, it does what it says. Returns 0 or -errno. */
int surplus_change(const struct hugepool *pool, unsigned os_node, int64_t by);

/* Takes n free pages of a node away: all that is owed is made to last while
 * they go, and what others owe they owe again. Cut short, that much stays in
 * the pool. Returns 0 or -errno. */
int surplus_free(const char *sysfs, const struct hugepool *pool,
                 unsigned os_node, unsigned page_shift, uint64_t n);

#endif
