/* SPDX-License-Identifier: MIT */
#include "daemon/serve/found.h"

#include "daemon/serve/peer.h"
#include "shm/slab.h"

bool found_take(struct peer *peer, const struct wire_found *msg)
{
	struct peer_found *found = &peer->found;
	if (!survey_expects(peer, SURVEY_FOUND, msg->head.seq))
		return true;
	if (msg->n > WIRE_FOUND_ROWS)
		return false;
	survey_hear(peer, SURVEY_FOUND);
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

/* The next of a client's rows that the tags allow. */
static bool next_of(const struct pool *pool, struct peer *peer,
                    struct found *found)
{
	while (peer->found.at < peer->found.n) {
		const struct wire_found_row *row =
			&peer->found.rows[peer->found.at++];
		*found = (struct found){
			.kind = row->kind, .client = peer->id, .off = row->off};
		if (may_be(&pool->view, row, found))
			return true;
	}
	return false;
}

bool found_next(struct server *server, const struct pool *pool,
                const struct survey *survey, struct found_at *at,
                struct found *found)
{
	do {
		if (at->peer == NULL)
			at->any = false;
		at->peer = at->peer != NULL ? at->peer->next : server->peers;
		for (; at->peer != NULL; at->peer = at->peer->next) {
			if (at->peer->pool != pool ||
			    at->peer->state == PEER_SWEPT ||
			    !survey_knows(at->peer, SURVEY_FOUND, survey))
				continue;
			if (at->round == 0)
				at->peer->found.at = 0;
			if (next_of(pool, at->peer, found))
				return at->any = true;
		}
		at->round++;
	} while (at->any);
	return false;
}
