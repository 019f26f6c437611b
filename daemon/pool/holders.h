/* SPDX-License-Identifier: MIT */
/*
 * Who has objects of which cache on the nodes that are being emptied, counted
 * slab by slab while a pool's tags are (daemon/pool/usage.h).
 */
#ifndef DAEMON_POOL_HOLDERS_H
#define DAEMON_POOL_HOLDERS_H

#include "daemon/pool/pool.h"

struct holder {
	uint32_t client; /* id; 0: nobody is counted here */
	uint32_t cache;
	uint32_t node; /* index of their home */
	uint64_t objects;
	uint64_t bytes;
};

#define HOLDERS_MAX 4096u /* that can be told apart */

struct holders {
	struct holder holder[HOLDERS_MAX];
};

/* Adds what clients have of the slab at head. Those for whom there is no room are
 * left out. */
void holders_add(struct holders *holders, const struct pool *pool,
                 uint32_t head);

/* The n that have most objects on a node, most first. Returns how many. */
uint32_t holders_most(const struct holders *holders, uint32_t node,
                      struct holder *out, uint32_t n);

#endif
