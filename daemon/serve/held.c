/* SPDX-License-Identifier: MIT */
#include "daemon/serve/held.h"

#include <stdlib.h>

#include "daemon/serve/asleep.h"
#include "daemon/serve/peer.h"

#define ROWS_MIN WIRE_HELD_ROWS
#define ROWS_MAX (1u << 18) /* of all clients: some ms to add them up */
#define SHARE_MAX 4096u     /* of one */

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
	if (!survey_expects(peer, SURVEY_HELD, msg->head.seq))
		return true;
	if (msg->n > WIRE_HELD_ROWS ||
	    held->n + msg->n > (uint64_t)geo->n_caches * geo->n_nodes)
		return false;
	held->cut |= !make_room(peer, msg->n);
	if (msg->last != 0) {
		survey_hear(peer, SURVEY_HELD);
		asleep_hear(peer, msg->last);
	}
	/* Without room it stays unknown. */
	if (held->cut)
		return true;
	for (uint32_t i = 0; i < msg->n; i++)
		held->rows[held->n++] = (struct peer_held_row){
			.cache = msg->rows[i].cache,
			.node = msg->rows[i].node,
			.objects = msg->rows[i].objects,
		};
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

void held_each(const struct server *server, const struct pool *pool, uint32_t id,
               const struct survey *survey,
               void (*call)(void *arg, uint32_t cache, uint32_t node,
                            uint64_t objects),
               void *arg)
{
	const struct peer *peer = peer_find(server, pool, id);
	if (peer == NULL || peer->held.cut ||
	    !survey_knows(peer, SURVEY_HELD, survey))
		return;
	for (uint32_t i = 0; i < peer->held.n; i++)
		if (peer->held.rows[i].cache - 1 < pool->n_caches &&
		    peer->held.rows[i].node < pool->view.geo.n_nodes)
			call(arg, peer->held.rows[i].cache,
			     peer->held.rows[i].node,
			     peer->held.rows[i].objects);
}

void held_fill(const struct server *server, const struct pool *pool,
               const struct survey *survey, struct usage *usage)
{
	for (const struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->state == PEER_SWEPT)
			continue;
		if (survey_knows(peer, SURVEY_HELD, survey) && !peer->held.cut)
			fill_one(pool, peer, usage);
		else
			usage->unknown += usage->owners->objects[peer->id] > 0;
	}
}
