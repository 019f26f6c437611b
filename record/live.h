/* SPDX-License-Identifier: MIT */
/*
 * The objects of a program that are live: address to number and size. A hash
 * table that doubles; an object takes 32 to 64 bytes of slab-record's memory.
 */
#ifndef RECORD_LIVE_H
#define RECORD_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_object {
	uint64_t addr; /* 0: an empty place */
	uint32_t number;
	uint32_t bytes;
};

struct live {
	struct live_object *places;
	size_t n_places; /* a power of two, or 0 */
	size_t n;
};

/* Of an address that is not in it. 0 or -ENOMEM. */
int live_add(struct live *live, const struct live_object *obj);

/* Takes out what is at that address, if anything is. */
bool live_take(struct live *live, uint64_t addr, struct live_object *obj);

void live_drop(struct live *live);

#endif
