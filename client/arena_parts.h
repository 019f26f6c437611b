/* SPDX-License-Identifier: MIT */
/* The chunks and blocks of an arena that passes to another owner, in this order. */
#ifndef CLIENT_ARENA_PARTS_H
#define CLIENT_ARENA_PARTS_H

#include "client/arena_record.h"

/* What is under way: of an arena that is to be a client's, a root's or a channel's. */
struct arena_parts {
	struct arena *arena;
	struct slabd_pool *pool;
	uint32_t n; /* chunks and blocks */
	unsigned heir_id;
};

/* Chunks that a reset kept go back, and there is one in any case. False with errno. */
bool arena_parts_begin(struct arena_parts *parts);

struct arena_chunk *arena_parts_chunk(const struct arena_parts *parts, uint32_t i);
uint64_t arena_parts_off(const struct arena_parts *parts, uint32_t i);

/* Of what is this client's, so that its slab stays. */
uint16_t *arena_parts_tag(const struct arena_parts *parts, uint32_t i);

/* By the generation that it has, and keeps as long as it is owned. */
slabd_handle arena_parts_handle(const struct arena_parts *parts, uint32_t i);

/* Writes the chain; root is a place in the first chunk, or 0. */
void arena_parts_write(const struct arena_parts *parts, uint32_t root);

/* Whether all is this client's; then the heir has their places among those that it
 * has touched. */
bool arena_parts_check(const struct arena_parts *parts);

/* Offers those from the first on (shm/heir.h); false with EAGAIN, and none is. Or
 * what was offered is not any more. */
bool arena_parts_offer(const struct arena_parts *parts, uint32_t first);
void arena_parts_withdraw(const struct arena_parts *parts, uint32_t first, uint32_t end);

/* Tells tools that what was done to a part is over before it is another's. */
void arena_parts_leave(const struct arena_parts *parts, uint32_t i);

/* Hands those from the first on to the heir, the last one first. */
void arena_parts_hand(const struct arena_parts *parts, uint32_t first);

#endif
