/* SPDX-License-Identifier: MIT */
/*
 * How much of a pool's address space this process can reach.
 *
 *   data    | open | open |  -   | open |  -    -    -    -  |
 *   shared  | wants, leases, starts | - stats and notes of one - | lists |-| tags |-|
 *
 * The files are sparse, and whoever touches a hole of theirs fills it: a stray
 * read, mlockall, a core dump. So all of both mappings is PROT_NONE and left
 * out of dumps at first, and what has memory by slabd's word is opened when
 * this process first needs it: a page of data as objects in it come here, tags
 * and lists as slabs and caches need them. Nothing is asked on a hit.
 *
 * A page that slabd made a hole again has no slab, so nobody has objects there;
 * it is closed at the next miss, or when slabd tells of it.
 *
 * Forked children and all threads may call this. Where the kernel has no mappings
 * left for pages one by one, a file is opened whole. It fails where the program
 * has forbidden itself the system call.
 */
#ifndef CLIENT_REACH_H
#define CLIENT_REACH_H

#include "client/types.h"
#include "shm/atom.h"

/* For a pool whose files are mapped without access. 0 or -errno. */
int reach_start(struct slabd_pool *pool);
void reach_done(struct slabd_pool *pool);

/* Opens the pages of objects that were just claimed, in that order: slab by
 * slab, upwards. False: not all of them are accessible, and they are of no use
 * here. */
bool reach_objects(struct slabd_pool *pool, uint32_t n, void *const *objects);

/* Whether a page is open. Its objects' slab was seen before, on a list or by
 * its word. */
static inline bool reach_is_open(const struct slabd_pool *pool, uint64_t page)
{
	/* pairs: close_page, which does not close what has a slab. */
	return atom_load_acquire(&pool->open[page / 64]) >> (page % 64) & 1;
}

/* The same for one by its offset. */
bool reach_offset(struct slabd_pool *pool, uint64_t off);

/* Opens a client's notes of where it has been: its own are open. False, and
 * they may not be touched, where the kernel refuses. */
bool reach_touched(struct slabd_pool *pool, uint32_t id);

/* Closes the pages that are holes since the last call. */
void reach_close(struct slabd_pool *pool);

#endif
