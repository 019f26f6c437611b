/* SPDX-License-Identifier: MIT */
/* Channels: what is under way, who waits. What clients write there is shown as it
 * is. */
#include "daemon/admin/owned.h"
#include "daemon/admin/reports.h"
#include "daemon/base/clock.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/live.h"
#include "shm/atom.h"
#include "shm/channel_sleep.h"

/* Clients whose threads sleep on it, one item a thread. */
static json_t *sleepers_of(const struct pool *pool, const struct channel *ring)
{
	json_t *list = json_array();
	for (uint32_t at = 0; at < CHANNEL_SLEEPERS; at++) {
		struct channel_sleeper who = channel_sleep_of(ring, at);
		if (clients_state(pool, who.id) != CLIENT_LIVE)
			continue;
		json_array_append_new(list, json_pack(
			"{s:i, s:i, s:o, s:b, s:b, s:f}", "client", who.id,
			"pid", pool->view.clients[who.id].pid, "process",
			report_text(pool->view.clients[who.id].comm), "receives",
			(who.waits & CHANNEL_WAIT_RECV) != 0, "sends",
			(who.waits & CHANNEL_WAIT_SEND) != 0, "asleep_s",
			(double)live_age_ns(who.since_ms * CLOCK_MS) / CLOCK_S));
	}
	return list;
}

static json_t *channel_doc(const struct pool *pool, uint32_t ix)
{
	const struct channel *ring = channels_ring(pool, ix);
	const struct channel_head *head = ring->head;
	uint32_t wake = atom_load(&head->wake);
	uint64_t objects, sent, received;
	uint32_t entries = channel_depth_any(ring, &objects);
	channels_rates(pool, ix, &sent, &received);
	return json_pack("{s:o, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:b, "
	                 "s:b, s:o}",
	                 "name", report_text(pool->view.channels[ix].name),
	                 "id", ring->owner, "capacity", ring->capacity,
	                 "peers", channels_peers(pool, ix), "entries", entries,
	                 "objects", (json_int_t)objects, "sent",
	                 report_count(atom_load(&head->sent)), "received",
	                 report_count(atom_load(&head->received)),
	                 "sent_per_s", report_count(sent), "received_per_s",
	                 report_count(received),
	                 "receivers_wait", (wake & CHANNEL_WAIT_RECV) != 0,
	                 "senders_wait", (wake & CHANNEL_WAIT_SEND) != 0,
	                 "sleepers", sleepers_of(pool, ring));
}

/* Whether it is asked for, by its name, who has joined it, and what lies in it. */
static bool is_wanted(const struct pool *pool, const struct owned_named *named,
                      const struct owned *owned, uint32_t ix)
{
	uint32_t client = named->filter.client;
	return channels_is_whole(pool, ix) &&
	       owned_is_named(named, pool->view.channels[ix].name) &&
	       (client == 0 || channels_has_joined(pool, client, ix)) &&
	       (owned == NULL ||
	        owned->tally.objects[channels_ring(pool, ix)->owner] > 0);
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct owned_named *named = r->arg;
	struct owned *owned;
	json_t *list;
	int64_t wait_ns;
	if (!owned_match(r, pool, &named->filter, &owned))
		return NULL;
	wait_ns = channels_window(pool);
	if (wait_ns > 0)
		return report_later(r, (unsigned)(wait_ns / CLOCK_MS) + 1);
	list = json_array();
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++) {
		json_t *doc;
		if (!is_wanted(pool, named, owned, ix))
			continue;
		doc = channel_doc(pool, ix);
		if (owned != NULL)
			doc = report_merge(doc,
			                   owned_matched(owned, channels_ring(
			                                        pool, ix)->owner));
		report_append(&list, doc);
	}
	channels_window_next(pool);
	return json_pack("{s:o}", "channels", list);
}

json_t *report_channels(struct report *r)
{
	struct owned_named named;
	owned_named_params(r, &named);
	r->arg = &named;
	return report_pools(r, pool_doc);
}
