/* SPDX-License-Identifier: MIT */
#include "daemon/serve/found.h"

#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/serve/peer.h"
#include "shm/slab.h"

#define WAIT_NS (250 * CLOCK_MS)
#define MUTE_NS CLOCK_S
#define ASKED_AT_ONCE 256u /* clients: a millisecond */

/* Sequence numbers wrap. */
static bool is_new_enough(const struct peer *peer, const struct found_ask *ask)
{
	return peer->found.whole && (int32_t)(peer->found.seq - ask->seq) >= 0;
}

static void send_look(struct peer *peer, uint32_t seq, int64_t now_ns)
{
	struct wire_head msg = {
		.type = WIRE_LOOK, .bytes = sizeof(msg), .seq = seq};
	if (send(peer->events, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) <
	    0)
		return;
	peer->found.asked = true;
	peer->found.whole = false;
	peer->found.seq = seq;
	peer->found.n = 0;
	peer->found.asked_ns = now_ns;
}

bool found_wait(struct server *server, const struct pool *pool,
                struct found_ask *ask)
{
	int64_t now_ns = clock_ns();
	unsigned n = 0;
	bool wait = false;
	if (ask->seq == 0) {
		server->found_seq += server->found_seq == UINT32_MAX ? 2 : 1;
		ask->seq = server->found_seq;
		ask->began_ns = now_ns;
	}
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->state != PEER_LIVE ||
		    peer->events < 0 || is_new_enough(peer, ask))
			continue;
		/* The others are asked the next time. */
		if (!peer->found.asked && n++ < ASKED_AT_ONCE)
			send_look(peer, server->found_seq, now_ns);
		wait |= n > ASKED_AT_ONCE;
		wait |= peer->found.asked &&
		        now_ns - peer->found.asked_ns < MUTE_NS;
	}
	return wait && now_ns - ask->began_ns < WAIT_NS;
}

bool found_take(struct peer *peer, const struct wire_found *msg)
{
	struct peer_found *found = &peer->found;
	if (!found->asked || msg->head.seq != found->seq)
		return true;
	if (msg->n > WIRE_FOUND_ROWS)
		return false;
	found->asked = false;
	found->whole = true;
	found->n = msg->n;
	for (uint32_t i = 0; i < msg->n; i++)
		found->rows[i] = msg->rows[i];
	return true;
}

/* Whether it may be so, by the tags as they are now. */
static bool may_be(const struct view *view, const struct wire_found_row *row,
                   struct found *found)
{
	uint64_t unit = row->off >> UNIT_SHIFT;
	const uint16_t *tag;
	uint16_t own = (uint16_t)found->client;
	if (unit >= view->geo.n_units)
		return false;
	found->cache = WORD_CACHE(view->words[unit]);
	if (view_cache(view, found->cache) == NULL)
		return false;
	tag = slab_tag_of(view, row->off);
	if (row->kind == FOUND_INSIDE)
		return tag == NULL;
	if (tag == NULL)
		return false;
	found->owner = TAG_OWNER(atom_load(tag));
	if (row->kind == FOUND_NOT_OWN)
		return !tags_has_own(tag, slab_gen_of(view, tag), own);
	return row->kind == FOUND_TWICE && found->owner == own;
}

bool found_next(const struct server *server, const struct pool *pool,
                const struct found_ask *ask, uint32_t *nth, struct found *found)
{
	uint32_t at = 0;
	for (const struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->state == PEER_SWEPT ||
		    !is_new_enough(peer, ask))
			continue;
		for (uint32_t i = 0; i < peer->found.n; i++) {
			const struct wire_found_row *row =
				&peer->found.rows[i];
			if (at++ < *nth)
				continue;
			*found = (struct found){.kind = row->kind,
			                        .client = peer->id,
			                        .off = row->off};
			++*nth;
			if (may_be(&pool->view, row, found))
				return true;
		}
	}
	return false;
}
