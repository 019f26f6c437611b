/* SPDX-License-Identifier: MIT */
/*
 * Sending an arena over a channel, as one entry: that of its first chunk, which is an
 * object like others, and what shm/channel.h says of a kill goes for it. Its other
 * chunks and blocks are the channel's before, by the protocol of shm/heir.h. Who
 * receives it: arena_recv.c.
 */
#include <errno.h>

#include "client/arena_live.h"
#include "client/arena_parts.h"
#include "client/channel.h"
#include "client/checked.h"
#include "client/error.h"
#include "client/give.h"
#include "client/reach.h"
#include "client/turn.h"
#include "shm/atom.h"
#include "shm/heir.h"
#include "shm/tags_pass.h"

struct sending {
	struct arena_parts parts;
	struct slabd_channel *channel;
	uint32_t root; /* in the first chunk, or 0 */
};

/* Where in the first chunk something lies; 0: nothing. */
static int find_root(struct sending *sending, const void *root)
{
	const struct arena_chunk *chunk = arena_parts_chunk(&sending->parts, 0);
	uint64_t at = (uint64_t)((const char *)root - chunk->start);
	if (root == NULL)
		return 0;
	if (at < ARENA_FIRST_ROOM || at >= arena_bytes_of(chunk->class))
		return error_set(EINVAL, "the root at %p is not in the arena's "
		                 "first chunk", root);
	sending->root = (uint32_t)at;
	return 0;
}

/* ---- one chunk ------------------------------------------------------------ */

static int send_one(const struct sending *sending)
{
	void *chunk = arena_parts_chunk(&sending->parts, 0)->start;
	arena_parts_write(&sending->parts, sending->root);
	arena_parts_leave(&sending->parts, 0);
	return slabd_send(sending->channel, &chunk, 1) == 1 ? 0 : -1;
}

/* ---- several -------------------------------------------------------------- */

/* What is the channel's comes back: the first chunk is not this client's, as the
 * program gave it away meanwhile. */
static int take_back(const struct arena_parts *parts)
{
	for (uint32_t i = 1; i < parts->n; i++)
		heir_take_own(arena_parts_tag(parts, i), (uint16_t)parts->heir_id,
		              (uint16_t)parts->pool->user.id);
	arena_parts_withdraw(parts, 1, parts->n);
	return error_set(EPERM, "the first chunk of the arena was given or "
	                 "freed by itself: it is not this client's any more");
}

/* The entry is claimed: see shm/heir.h for a kill at any step. */
static int pass(const struct sending *sending, uint32_t ix, uint64_t slot)
{
	const struct arena_parts *parts = &sending->parts;
	const struct channel *ring = &sending->channel->ring;
	const struct view *view = &parts->pool->view;
	uint32_t own = parts->pool->user.id;
	uint16_t *lead = arena_parts_tag(parts, 0);
	uint32_t n;
	heir_name_own(view, own,
	              heir_make(ring->owner,
	                        heir_channel_word(view, ring->owner)),
	              arena_parts_off(parts, 0));
	arena_parts_hand(parts, 1);
	arena_parts_leave(parts, 0);
	n = tags_pass_own(lead, slab_gen_of(view, lead), 1, false, (uint16_t)own,
	                  (uint16_t)ring->owner);
	channel_publish_own(ring, ix, slot, n);
	heir_forget_own(view, own);
	return n == 1 ? 0 : take_back(parts);
}

/* Has the turn of what passes as one. */
static int claim(const struct sending *sending)
{
	const struct arena_parts *parts = &sending->parts;
	const struct channel *ring = &sending->channel->ring;
	struct channel_run run = {.off = arena_parts_off(parts, 0), .n = 1};
	uint64_t slot;
	uint32_t ix = channel_claim_any(ring, &run, parts->pool->user.id, &slot);
	if (ix == CHANNEL_NONE_IX)
		return error_plain(EAGAIN, "the channel is full: wait with "
		                 "slabd_channel_wait");
	if (!arena_parts_offer(parts, 1)) {
		channel_publish_own(ring, ix, slot, 0);
		return -1;
	}
	return pass(sending, ix, slot);
}

/* checked_whole's */
static int send_whole(void *arg)
{
	const struct sending *sending = arg;
	uint32_t *turn;
	int r;
	if (!arena_parts_check(&sending->parts))
		return -1;
	arena_parts_write(&sending->parts, sending->root);
	turn = turn_take_parts(sending->parts.pool);
	if (turn == NULL)
		return -1;
	r = claim(sending);
	turn_end(turn);
	return r;
}

static void *part_at(void *arg, uint32_t i)
{
	const struct sending *sending = arg;
	return arena_parts_chunk(&sending->parts, i)->start;
}

static int send_now(struct sending *sending, const void *site)
{
	struct slabd_pool *pool = sending->parts.pool;
	const struct checked_whole whole = {"slabd_send_arena", send_whole,
	                                    part_at, sending, sending->parts.n};
	if (pool->checked == NULL)
		return send_whole(sending);
	return checked_give_whole(pool, &whole, sending->parts.heir_id, site);
}

static int send_several(struct sending *sending, const void *site)
{
	const struct channel *ring = &sending->channel->ring;
	uint64_t until_ns = 0;
	int r;
	if (!reach_touched(sending->parts.pool, ring->owner))
		return give_no_mapping();
	r = send_now(sending, site);
	while (r < 0 && errno == EAGAIN &&
	       send_waits(sending->channel, &until_ns))
		r = send_now(sending, site);
	if (r < 0)
		return r;
	send_tell_sent(ring, 1);
	return 0;
}

/* ---- all ------------------------------------------------------------------ */

/* As it is now; with one chunk in any case. */
static int begin(struct sending *sending)
{
	struct arena_parts *parts = &sending->parts;
	if (parts->pool != sending->channel->pool)
		return error_set(EINVAL, "the arena and the channel are of two "
		                 "pools");
	if (arena_check_leaves(parts->arena) < 0)
		return -1;
	return arena_parts_begin(parts) ? 0 : -1;
}

int slabd_send_arena(slabd_channel *channel, slabd_arena *head, void *root)
{
	const void *site = CHECKED_SITE();
	struct sending sending = {.channel = channel};
	struct arena *arena;
	int r;
	if (!channel_usable(channel))
		return -1;
	arena = arena_of(head);
	if (arena == NULL)
		return -1;
	sending.parts = (struct arena_parts){.arena = arena,
	                               .pool = arena->home->pool,
	                               .heir_id = channel->ring.owner};
	if (begin(&sending) < 0 || find_root(&sending, root) < 0)
		return -1;
	r = sending.parts.n == 1 ? send_one(&sending)
	                         : send_several(&sending, site);
	if (r < 0) {
		arena_live_begin(arena);
		return -1;
	}
	arena->chunks.n = arena->blocks.n = 0;
	arena_chunk_keep(arena, 0);
	arena_home_leave(arena);
	return 0;
}
