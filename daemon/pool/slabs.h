/* SPDX-License-Identifier: MIT */
/*
 * A pool's slabs, each change with all its books: the unit word and the list
 * bit that clients see, the maps of units and tag lines, the counts of cache
 * and node, and the loans.
 *
 *   free units -- carve --> slab -- lend --> on another list
 *                           |  ^---- return -----'
 *   free units <- reclaim --'
 *
 * Killed at any point, the next slabd finds nothing that it can't repair: the
 * shared words are changed in the order that shm/slab.h gives, and the books
 * are private and made again from them (slabs_adopt).
 *
 * One thread, the event loop's, calls all of this. Nothing is allocated.
 */
#ifndef DAEMON_POOL_SLABS_H
#define DAEMON_POOL_SLABS_H

#include "daemon/pool/pool.h"

/* Makes one slab at home on a node, to stand on the list of another (it is lent
 * from the start) or the same; faults pages in if there is no free run. 0 with
 * its head unit, -ENOSPC, -EAGAIN, or -EINVAL: the cache has ended. */
int slabs_carve(struct pool *pool, uint32_t cache, uint32_t home, uint32_t list,
                uint32_t *head);

/* The same, on the list of its home, of units that are ready. */
int slabs_carve_ready(struct pool *pool, uint32_t cache, uint32_t node,
                      uint32_t *head);

/* Takes back one slab, if all its objects are free: its units are free again.
 * 0, -EBUSY or -EINVAL. */
int slabs_reclaim(struct pool *pool, uint32_t head);

/* Puts a slab on the list of another node than its home. 0; -ENOSPC: the book
 * of loans is full; or as slab_lend_srv. */
int slabs_lend(struct pool *pool, uint32_t head, uint32_t to);

/* Puts a lent slab back on its home's list. 0 or as slab_lend_srv. */
int slabs_return(struct pool *pool, uint32_t head);

/* A page is on another node from now on, and its slabs are at home there. The
 * kernel has moved it already. */
void slabs_rehome(struct pool *pool, uint64_t page, uint32_t to);

/* Enters a whole slab of a pool that is taken over, and breaks the lease of the
 * slabd before. Its units, or -EINVAL: another slab has some of
 * them. */
int slabs_adopt(struct pool *pool, uint32_t head);

#endif
