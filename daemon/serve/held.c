/* SPDX-License-Identifier: MIT */
#include "daemon/serve/held.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/serve/peer.h"

#define WAIT_NS (100 * CLOCK_MS)
#define MUTE_NS CLOCK_S
#define ROWS_MIN WIRE_HELD_ROWS
#define ROWS_MAX (1u << 18) /* of all clients: some ms to add them up */
#define SHARE_MAX 4096u     /* of one */
#define ASKED_AT_ONCE 256u  /* clients: a millisecond */

/* Sequence numbers wrap. */
static bool is_new_enough(const struct peer *peer, const struct held_ask *ask)
{
	return peer->held.whole && (int32_t)(peer->held.seq - ask->seq) >= 0;
}

/* Or is known to say nothing that there is room for. */
static bool is_heard(const struct peer *peer, const struct held_ask *ask)
{
	const struct peer_held *held = &peer->held;
	return (held->whole || (held->cut && !held->asked)) &&
	       (int32_t)(held->seq - ask->seq) >= 0;
}

static void send_count(struct peer *peer, uint32_t seq, int64_t now_ns)
{
	struct wire_head msg = {
		.type = WIRE_COUNT, .bytes = sizeof(msg), .seq = seq};
	if (send(peer->events, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) <
	    0)
		return;
	peer->held.asked = true;
	peer->held.whole = false;
	peer->held.cut = false;
	peer->held.seq = seq;
	peer->held.n = 0;
	peer->held.asked_ns = now_ns;
}

bool held_wait(struct server *server, const struct pool *pool,
               struct held_ask *ask)
{
	int64_t now_ns = clock_ns();
	unsigned n = 0;
	bool wait = false;
	if (ask->seq == 0) {
		server->held_seq += server->held_seq == UINT32_MAX ? 2 : 1;
		ask->seq = server->held_seq;
		ask->began_ns = now_ns;
	}
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->state != PEER_LIVE ||
		    peer->events < 0 || is_heard(peer, ask))
			continue;
		/* The others are asked the next time. */
		if (!peer->held.asked && n++ < ASKED_AT_ONCE)
			send_count(peer, server->held_seq, now_ns);
		wait |= n > ASKED_AT_ONCE;
		wait |= peer->held.asked &&
		        now_ns - peer->held.asked_ns < MUTE_NS;
	}
	return wait && now_ns - ask->began_ns < WAIT_NS;
}

/* Room for n more rows. */
static bool make_room(struct peer *peer, uint32_t n)
{
	struct peer_held *held = &peer->held;
	uint32_t most = held->max > 0 ? 2 * held->max : ROWS_MIN;
	uint32_t more = most - held->max;
	struct peer_held_row *rows;
	if (held->n + n <= held->max)
		return true;
	if (most > SHARE_MAX || peer->server->held_rows + more > ROWS_MAX)
		return false;
	rows = realloc(held->rows, most * sizeof(*rows));
	if (rows == NULL)
		return false;
	peer->server->held_rows += more;
	held->rows = rows;
	held->max = most;
	return true;
}

bool held_take(struct peer *peer, const struct wire_held *msg)
{
	const struct layout_geometry *geo = &peer->pool->view.geo;
	struct peer_held *held = &peer->held;
	if (!held->asked || msg->head.seq != held->seq)
		return true;
	if (msg->n > WIRE_HELD_ROWS ||
	    held->n + msg->n > (uint64_t)geo->n_caches * geo->n_nodes)
		return false;
	/* Without room it stays unknown. */
	held->asked = msg->last == 0;
	held->cut |= !make_room(peer, msg->n);
	if (held->cut)
		return true;
	for (uint32_t i = 0; i < msg->n; i++)
		held->rows[held->n++] = (struct peer_held_row){
			.cache = msg->rows[i].cache,
			.node = msg->rows[i].node,
			.objects = msg->rows[i].objects,
		};
	held->whole = msg->last != 0;
	return true;
}

/* The cache may have ended meanwhile, and a client may say anything. */
static void fill_one(const struct pool *pool, const struct peer *peer,
                     struct usage *usage)
{
	const struct peer_held *held = &peer->held;
	usage->client[peer->id].known = true;
	for (uint32_t i = 0; i < held->n; i++)
		if (held->rows[i].cache - 1 < pool->n_caches &&
		    held->rows[i].node < usage->n_nodes)
			usage_hold(usage, pool, peer->id, held->rows[i].cache,
			           held->rows[i].node, held->rows[i].objects);
}

void held_fill(const struct server *server, const struct pool *pool,
               const struct held_ask *ask, struct usage *usage)
{
	for (const struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->state == PEER_SWEPT)
			continue;
		if (is_new_enough(peer, ask))
			fill_one(pool, peer, usage);
		else
			usage->unknown += usage->owners->objects[peer->id] > 0;
	}
}
