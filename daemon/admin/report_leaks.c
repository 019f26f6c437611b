/* SPDX-License-Identifier: MIT */
/*
 * Who has memory that nobody may need any more, the most suspicious first: what
 * the owner tags, the pool's own rows and, of arenas, their own word tell. slabd
 * does not see which objects a program has forgotten: of a live client there is
 * only how much it owns, and since when it can have had it.
 */
#include "daemon/admin/owned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/arenas.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/peer.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 1000u
#define OLD_S 3600.0 /* a client that has something for so long is looked at */
#define ARENA_OLD_S 600.0

enum kind { ARENA, DEAD, CHANNEL, ROOT, GIFTS, UNLINKED, CLIENT };
static const char *const kinds[] = {"arena", "dead",     "channel", "root",
                                    "gifts", "unlinked", "client"};

/* kept: on purpose, as far as slabd can tell. */
enum suspicion { LIKELY, POSSIBLE, KEPT };
static const char *const suspicions[] = {"likely", "possible", "kept"};

struct leak {
	enum kind kind;
	enum suspicion suspicion;
	uint32_t id; /* in the owner tags */
	uint64_t objects;
	uint64_t bytes;
	double age_s;            /* it can't have had it for longer */
	char name[NAME_BYTES];   /* channel or root */
	struct arena_seen arena;
};

/* The job's own: the first limit of row once they are sorted. */
struct leaks {
	const struct pool *pool;
	uint64_t total;
	uint32_t n;
	struct leak row[2 * LIMIT_MAX];
};

struct wanted {
	struct owned_filter filter;
	uint64_t limit;
};

/* ---- a list of the most suspicious --------------------------------------- */

static int by_suspicion(const void *a, const void *b)
{
	const struct leak *one = a, *other = b;
	double is = (double)one->bytes * (one->age_s + 1);
	double was = (double)other->bytes * (other->age_s + 1);
	if (one->suspicion != other->suspicion)
		return one->suspicion < other->suspicion ? -1 : 1;
	if (is != was)
		return is > was ? -1 : 1;
	return one->id < other->id ? -1 : one->id > other->id;
}

static void note(struct leaks *leaks, const struct leak *leak)
{
	leaks->total++;
	if (leaks->n == 2 * LIMIT_MAX) {
		qsort(leaks->row, leaks->n, sizeof(*leak), by_suspicion);
		leaks->n = LIMIT_MAX;
	}
	leaks->row[leaks->n++] = *leak;
}

/* ---- who has what -------------------------------------------------------- */

static double age_of(const struct pool *pool, uint32_t id)
{
	double age = (double)(clock_ns() -
	                      pool->view.clients[id].since * CLOCK_S) / 1e9;
	return age > 0 ? age : 0;
}

/* No more than its client owns by the tags, whatever it says. */
static uint64_t arena_bytes(const struct usage *usage,
                            const struct arena_seen *seen)
{
	uint64_t owned = usage->owners->bytes[seen->client];
	return seen->live.bytes < owned ? seen->live.bytes : owned;
}

static void note_arenas(struct leaks *leaks, const struct usage *usage,
                        const struct usage_slab *slab, uint32_t client)
{
	struct arena_seen seen;
	uint32_t at = 0;
	while (arenas_next(leaks->pool, slab, &at, &seen)) {
		const struct arena_live *live = &seen.live;
		bool overdue = arenas_is_overdue(leaks->pool, live);
		struct leak leak = {
			.kind = ARENA,
			.suspicion = overdue ? LIKELY : POSSIBLE,
			.id = seen.client,
			.bytes = arena_bytes(usage, &seen),
			.age_s = (double)live_age_ns(live->reset_ns != 0
			                                       ? live->reset_ns
			                                       : live->since_ns) /
			         1e9,
			.arena = seen,
		};
		if (client != 0 && client != seen.client)
			continue;
		if (overdue || (live->resets == 0 && leak.age_s >= ARENA_OLD_S))
			note(leaks, &leak);
	}
}

static void note_channel(struct leaks *leaks, const struct usage *usage,
                         uint32_t ix)
{
	const struct channel *ring = channels_ring(leaks->pool, ix);
	struct leak leak = {.kind = CHANNEL, .suspicion = KEPT};
	if (ring == NULL)
		return;
	leak.id = ring->owner;
	leak.objects = usage->owners->objects[leak.id];
	leak.bytes = usage->owners->bytes[leak.id];
	leak.age_s = age_of(leaks->pool, leak.id);
	memcpy(leak.name, leaks->pool->view.channels[ix].name, NAME_BYTES);
	if (channels_peers(leaks->pool, ix) == 0)
		leak.suspicion = LIKELY;
	if (leak.objects > 0)
		note(leaks, &leak);
}

static void note_root(struct leaks *leaks, const struct usage *usage,
                      uint32_t ix)
{
	const struct layout_root *row = &leaks->pool->view.roots[ix];
	struct leak leak = {.kind = ROOT, .id = row->owner};
	if (row->state != ROOT_LIVE)
		return;
	leak.objects = usage->owners->objects[leak.id];
	leak.bytes = usage->owners->bytes[leak.id];
	leak.age_s = age_of(leaks->pool, leak.id);
	leak.suspicion = row->handle == 0 ? LIKELY : KEPT;
	memcpy(leak.name, row->name, NAME_BYTES);
	if (leak.objects > 0)
		note(leaks, &leak);
}

static void note_gifts(struct leaks *leaks, const struct usage *usage,
                       struct leak leak)
{
	leak.objects = usage->owners->objects[leak.id | TAG_KNOWN];
	leak.bytes = usage->owners->bytes[leak.id | TAG_KNOWN];
	leak.kind = GIFTS;
	leak.suspicion = POSSIBLE;
	if (leak.objects > 0)
		note(leaks, &leak);
}

static void note_client(const struct report *r, struct leaks *leaks,
                        struct pool *pool, const struct usage *usage,
                        uint32_t id)
{
	uint64_t state = atom_load(&pool->view.clients[id].word) & 0xff;
	struct leak leak = {
		.kind = CLIENT,
		.suspicion = KEPT,
		.id = id,
		.objects = usage->owners->objects[id],
		.bytes = usage->owners->bytes[id],
	};
	if ((state != CLIENT_LIVE && state != CLIENT_DEAD) || leak.objects == 0)
		return;
	leak.age_s = age_of(pool, id);
	if (state == CLIENT_DEAD) {
		leak.kind = DEAD;
		leak.suspicion = LIKELY;
	} else if (!peer_connected(r->server, pool, id)) {
		leak.kind = UNLINKED;
		leak.suspicion = POSSIBLE;
	} else if (leak.age_s >= OLD_S) {
		leak.suspicion = POSSIBLE;
	}
	note(leaks, &leak);
	note_gifts(leaks, usage, leak);
}

/* ---- words --------------------------------------------------------------- */

static const char *const remedies[] = {
	[DEAD] = "slabd takes it back by itself within seconds; if it stays, "
	         "slabctl audit and slabd's log say why",
	[CHANNEL] = "start a program that opens it and receives what is there",
	[ROOT] = "if no program needs it any more: slabctl root remove",
	[GIFTS] = "have it take them (slabd_take), or list them (slabd_gifts); "
	          "they come back when it ends",
	[UNLINKED] = "end it, or slabctl evict it: slabd can't ask for what it "
	             "holds",
	[CLIENT] = "slabctl clients with its id shows of which caches and nodes; "
	           "slabctl history, whether it grows",
};

/* "client 3 (pid 4711, gateway)" */
static void name_client(const struct pool *pool, uint32_t id, char out[96])
{
	const struct layout_client *row = &pool->view.clients[id];
	snprintf(out, 96, "client %u (pid %d, %.16s)", id, row->pid, row->comm);
}

static void put_text(const struct pool *pool, const struct leak *leak,
                     char out[512])
{
	unsigned long long n = leak->objects;
	const char *s = n == 1 ? "" : "s";
	bool likely = leak->suspicion == LIKELY;
	char who[96];
	name_client(pool, leak->id, who);
	if (leak->kind == ARENA)
		arenas_text(pool, &leak->arena, out, 512);
	else if (leak->kind == DEAD)
		snprintf(out, 512, "%s has ended, and %llu object%s of it %s not "
		         "back yet", who, n, s, n == 1 ? "is" : "are");
	else if (leak->kind == CHANNEL)
		snprintf(out, 512, "channel %.*s: %llu object%s %s under way%s",
		         (int)NAME_BYTES, leak->name, n, s,
		         n == 1 ? "is" : "are",
		         likely ? ", and nobody has it open" : "");
	else if (leak->kind == ROOT)
		snprintf(out, 512, "root %.*s keeps %llu object%s%s",
		         (int)NAME_BYTES, leak->name, n, s,
		         likely ? ", and names none of them" : "");
	else if (leak->kind == GIFTS)
		snprintf(out, 512, "%s was given %llu object%s that it has not "
		         "taken", who, n, s);
	else
		snprintf(out, 512, "%s owns %llu object%s%s", who, n, s,
		         leak->kind == UNLINKED ? ", and lost its connection"
		                                : "");
}

static json_t *leak_doc(const struct pool *pool, const struct leak *leak)
{
	bool of_client = leak->kind != CHANNEL && leak->kind != ROOT;
	char what[512];
	put_text(pool, leak, what);
	return json_pack(
	        "{s:s, s:s, s:i, s:o, s:o, s:o, s:I, s:f, s:o, s:s}", "suspicion",
	        suspicions[leak->suspicion], "kind", kinds[leak->kind], "id",
	        leak->id, "pid",
	        of_client ? json_integer(pool->view.clients[leak->id].pid)
	                  : json_null(),
	        "name",
	        report_text(leak->kind == ARENA ? leak->arena.live.name
	                    : of_client ? pool->view.clients[leak->id].comm
	                                : leak->name),
	        "objects",
	        leak->kind == ARENA ? json_null()
	                            : json_integer(report_count(leak->objects)),
	        "bytes", report_count(leak->bytes), "age_s", leak->age_s, "what",
	        report_text(what), "todo",
	        leak->kind == ARENA ? arenas_remedy() : remedies[leak->kind]);
}

/* ---- a pool -------------------------------------------------------------- */

static struct leaks *begin(struct report *r, const struct pool *pool)
{
	struct leaks *leaks = r->job->own;
	if (leaks != NULL && leaks->pool == pool)
		return leaks;
	free(leaks);
	leaks = r->job->own = calloc(1, sizeof(*leaks));
	if (leaks == NULL)
		*r->status = HTTP_INTERNAL;
	else
		leaks->pool = pool;
	return leaks;
}

/* All arenas, in slices. False: there are more, or others have their turn. */
static bool look_at_arenas(struct report *r, const struct pool *pool,
                           struct leaks *leaks, const struct usage *usage,
                           uint32_t client)
{
	const struct layout_cache *rows = pool->view.caches;
	struct report_job *job = r->job;
	struct usage_slab slab;
	for (; job->at < pool->view.geo.n_units &&
	       usage_next(pool, job->at, &slab);
	     job->at = slab.head + (1u << rows[slab.cache - 1].order)) {
		job->at = slab.head;
		if (report_slice_ends(r))
			return false;
		note_arenas(leaks, usage, &slab, client);
	}
	if (job->at < pool->view.geo.n_units)
		job->at = (uint32_t)pool->view.geo.n_units;
	return true;
}

/* Then the clients, which follow the units in job->at. */
static bool look_at_clients(struct report *r, struct pool *pool,
                            struct leaks *leaks, const struct usage *usage,
                            uint32_t client)
{
	struct report_job *job = r->job;
	uint32_t from = (uint32_t)pool->view.geo.n_units;
	for (; job->at < from + pool->head->top_id; job->at++) {
		uint32_t id = job->at - from + 1;
		if (report_slice_ends(r))
			return false;
		if (client == 0 || client == id)
			note_client(r, leaks, pool, usage, id);
	}
	return true;
}

static json_t *list_of(struct leaks *leaks, uint64_t limit)
{
	json_t *list = json_array();
	qsort(leaks->row, leaks->n, sizeof(leaks->row[0]), by_suspicion);
	for (uint32_t i = 0; i < leaks->n && i < limit; i++)
		report_append(&list, leak_doc(leaks->pool, &leaks->row[i]));
	return list;
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct wanted *wanted = r->arg;
	uint32_t client = wanted->filter.client;
	struct leaks *leaks = begin(r, pool);
	const struct usage *usage;
	if (leaks == NULL || !report_slice(r))
		return NULL;
	usage = report_usage(r, pool);
	if (usage == NULL || !look_at_arenas(r, pool, leaks, usage, client) ||
	    !look_at_clients(r, pool, leaks, usage, client))
		return NULL;
	for (uint32_t ix = 0; client == 0 && ix < CHANNELS_MAX; ix++)
		note_channel(leaks, usage, ix);
	for (uint32_t ix = 0; client == 0 && ix < roots_n(pool); ix++)
		note_root(leaks, usage, ix);
	json_decref(report_items(r));
	return json_pack("{s:I, s:o}", "total", report_count(leaks->total),
	                 "leaks", list_of(leaks, wanted->limit));
}

json_t *report_leaks(struct report *r)
{
	struct wanted wanted;
	owned_params(r, &wanted.filter);
	wanted.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &wanted;
	return report_pools(r, pool_doc);
}
