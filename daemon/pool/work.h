/* SPDX-License-Identifier: MIT */
/*
 * More pages for a pool, faulted in by a crew beside the loop.
 *
 *   work_grow  holes are chosen, and the books of two nodes are lent: of the one
 *              whose memory is taken, and of the one whose file the holes are in
 *   run        a thread works on a copy of both rows, and writes the journal
 *   done       the rows come back, and the pages are in the books of pages.h
 *
 * Only one job at a time has a row. While it is lent the loop reads it as it was
 * before, and what would change it is put off: whoever asks for the row with
 * work_is_free has no further job begin there until work_take_put_off says that
 * it is time to try again. Should slabd die meanwhile, what a file holds beyond
 * the books is given back by the next one.
 *
 * A pool without a crew does all of that in the call. The loop's thread calls
 * all of this.
 */
#ifndef DAEMON_POOL_WORK_H
#define DAEMON_POOL_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct crew;
struct pool;

#define WORK_E_COMING 1 /* pages are on their way */

/* Has a crew do it from now on, until the pool is closed, which waits for what is
 * under way. 0 or -ENOMEM. */
int work_open(struct pool *pool, struct crew *crew);

/*
 * Faults in more pages of a node, a run that takes a millisecond or two. 0 if
 * that gave any, WORK_E_COMING if it will be known later whether it does, and
 * work_has_come then says so; -ENOSPC: the pool has all that it may have of the
 * node, the node is drained, offline or pressed, or the kernel has none, which is
 * logged (it is believed for a moment); -EAGAIN: another slabd is changing the
 * system's counts, and a moment later it is done.
 */
int work_grow(struct pool *pool, uint32_t node);

/* Whether pages for a node are on their way, or have to wait for others'. */
bool work_is_coming(struct pool *pool, uint32_t node);

/* Pages that are on their way into a node's file, or may be there already; 0:
 * its row is not lent, and the file holds what the books say. */
uint64_t work_pages(const struct pool *pool, uint32_t file);

/* Whether the loop may change a node's row. If not, it is to be tried again
 * later. */
bool work_is_free(struct pool *pool, uint32_t node);

/* Waits until that is so: for what somebody asked for by hand. */
void work_settle(struct pool *pool, uint32_t node);

/* Whether something ended since the last time. */
bool work_has_come(struct pool *pool);

/* Whether what was put off may be tried again, of all rows. */
bool work_take_put_off(struct pool *pool);

#endif
