/* SPDX-License-Identifier: MIT */
/*
 * The kernel's hugepage pools: how many pages a node has, more, fewer.
 *
 * sysfs is where sysfs is mounted, 48 bytes at most, NULL for "/sys"; tests
 * give a tree of their own. os_node is the kernel's node id; HUGE_ANY_NODE, or
 * a node that has no folder, means the pool of the whole machine. page_shift
 * is 21 or 30. Changes are steps from the present count, under a lock that only
 * root can take, so that several slabds do not undo each other's; -EAGAIN:
 * another one holds it, and nothing was done (see hugepool_hurry). What came of
 * a change is counted after it, as others than slabds know no lock.
 */
#ifndef NUMA_HUGE_H
#define NUMA_HUGE_H

#include "numa/hugepool.h"

/* Returns 0, -ENOENT (the kernel has no pages of this size) or -errno. */
int huge_count(const char *sysfs, unsigned os_node, unsigned page_shift,
               struct huge_counts *out);

/*
 * Ask for n more pages. *got is by how many the pool rose, the number to give
 * back later: the kernel may find fewer, which is no error, and surplus pages
 * become lasting ones first and count. Returns 0, -EACCES (not permitted),
 * -ENOENT, -EAGAIN or -errno.
 */
int huge_reserve(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *got);

/* Give up to n free pages back, never one that is in use or promised; *gone
 * is how many went. Errors as huge_reserve. */
int huge_release(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *gone);

/* Lower the pool by n pages though they are in use: the kernel takes as many
 * back when somebody frees them. For files that outlive us in clients. */
int huge_owe(const char *sysfs, unsigned os_node, unsigned page_shift,
             uint64_t n);

#endif
