/* SPDX-License-Identifier: MIT */
/* What a client owns of a cache, by the owner tags. */
#ifndef CLIENT_OWNED_H
#define CLIENT_OWNED_H

#include "client/types.h"

/*
 * A walk over the objects of a cache that carry a client's id, as they do when it
 * comes by: slab by slab, upwards. It takes no lock, and what changes meanwhile
 * may be seen or not; a slab that is emptied under it has no object of the client.
 */
struct owned {
	const struct cache *cache;
	const uint64_t *touched; /* the client's notes */
	uint16_t id;
	bool root; /* the id is a root's */
	/* Where it has come to: a granule of its notes, a unit of that, and an
	 * object of the slab that begins there. */
	uint64_t granule;
	uint32_t unit, end;
	uint32_t ix;
};

/* False: this process can't read the client's notes. */
bool owned_begin(struct owned *walk, struct cache *cache, uint32_t id);

/* The offset of the next object; false: there is none. */
bool owned_next(struct owned *walk, uint64_t *off);

#endif
