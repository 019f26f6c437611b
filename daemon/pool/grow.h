/* SPDX-License-Identifier: MIT */
/* More pages for a pool, faulted in beside the loop (work.h). */
#ifndef DAEMON_POOL_GROW_H
#define DAEMON_POOL_GROW_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

/*
 * Faults in more pages of a node, a run that takes a millisecond or two. 0 if
 * that gave any, WORK_E_COMING if it will be known later whether it does, and
 * work_has_come then says so; -ENOSPC: the pool has all that it may have of the
 * node, the node is drained or offline, or pressed and no hugepage of its is set
 * aside, or the kernel has none, which is logged (it is believed for a moment);
 * -EAGAIN: another slabd is changing the system's counts, and a moment later it is
 * done.
 */
int grow_pages(struct pool *pool, uint32_t node);

/* Whether pages for a node are on their way, or have to wait for others', or tag
 * lines have to. */
bool grow_is_coming(struct pool *pool, uint32_t node);

/* Whether growth has ended, or waited for another job, since the last time. */
bool grow_take_again(struct pool *pool);

#endif
