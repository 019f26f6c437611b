/* SPDX-License-Identifier: MIT */
/* A pool's map of unit words: what tells what an address is. */
#ifndef CLIENT_MAP_H
#define CLIENT_MAP_H

#include "client/types.h"

#define MAP_BYTES (SLABD_UNITS_ * sizeof(uint64_t))

/*
 * One word for each 64 KiB of address space: the slab table where the pool's data
 * lies, and zeroes everywhere else, other pools among it, which take no memory:
 * not even page tables where the program had all its memory locked before.
 * 0, or -errno.
 */
int map_make(struct slabd_pool *pool, int control);

/* As the pool closes. One such map stays, for the next pool that opens and for
 * what is called of caches that are closed (closed.h). */
void map_drop(struct slabd_pool *pool);

#endif
