/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include "daemon/admin/owned.h"
#include "daemon/base/clock.h"
#include "daemon/pool/clients.h"
#include "daemon/serve/peer.h"

#define UP_MAX_S INT64_C(1000000000) /* 31 years: no system is up so long */

static const struct {
	const char *key;
	enum stats_word word;
} counts[] = {
        {"refills", STAT_REFILLS},
        {"refilled", STAT_REFILLED},
        {"flushes", STAT_FLUSHES},
        {"flushed", STAT_FLUSHED},
        {"depot_gets", STAT_DEPOT_GETS},
        {"depot_puts", STAT_DEPOT_PUTS},
        {"remote_allocs", STAT_REMOTE_ALLOCS},
        {"remote_frees", STAT_REMOTE_FREES},
        {"rings", STAT_RINGS},
        {"waits", STAT_WAITS},
        {"failures", STAT_FAILURES},
        {"refused", STAT_REFUSED},
        {"resumes", STAT_RESUMES},
        {"remote_with_room", STAT_REMOTE_WITH_ROOM},
};

/* The client's own word for it: any number may stand there. */
static json_t *counts_doc(const struct pool *pool, uint32_t id)
{
	const uint64_t *stats = &pool->view.stats[(uint64_t)id * STATS_WORDS];
	json_t *doc = json_object();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(doc, counts[i].key,
		                    json_integer(report_count(atom_load(
		                            &stats[counts[i].word]))));
	return doc;
}

/* Who came in by an older slabd came by the time of day. */
static double age_of(const struct layout_client *row)
{
	int64_t now_ns = row->since > UP_MAX_S ? clock_wall_ns() : clock_ns();
	double age;
	age = (double)(now_ns - row->since * CLOCK_S) / 1e9;
	return age > 0 ? age : 0;
}

/* Without what lies in magazines, and gifts that it has not taken. */
static uint64_t used_bytes(const struct usage *usage, uint32_t id)
{
	uint64_t all = usage->owners->bytes[id];
	uint64_t rest = usage->client[id].held_bytes +
	                usage->owners->bytes[id | TAG_KNOWN];
	return all > rest ? all - rest : 0;
}

/* A client alone: ids of channels and roots are in /channels and /roots. */
static bool is_client(const struct pool *pool, uint32_t id)
{
	uint64_t state = atom_load(&pool->view.clients[id].word) & 0xff;
	return state != CLIENT_FREE && state != CLIENT_CHANNEL &&
	       state != CLIENT_ROOT;
}

static json_t *row_doc(const struct report *r, const struct pool *pool,
                       const struct usage *usage, uint32_t id)
{
	const struct layout_client *row = &pool->view.clients[id];
	const struct usage_client *held = &usage->client[id];
	char name[NAME_BYTES];
	bool live = view_client_live(&pool->view, id);
	clients_name(pool, id, name);
	return report_merge(
	        json_pack("{s:i, s:I, s:i, s:I, s:o, s:o, s:s, s:b, s:f, s:I, s:I, "
	                  "s:b, s:I, s:I, s:I, s:I, s:I}",
	                  "id", id, "epoch",
	                  report_count(clients_epoch(pool, id)), "pid",
	                  row->pid, "uid", report_count(row->uid), "name",
	                  report_text(name), "process",
	                  report_text(row->comm), "state",
	                  live ? "live" : "dead", "connected",
	                  live && peer_connected(r->server, pool, id),
	                  "age_s", age_of(row), "objects",
	                  usage->owners->objects[id], "bytes",
	                  usage->owners->bytes[id], "held_known", held->known,
	                  "held_objects", held->held, "held_bytes",
	                  held->held_bytes, "used_bytes",
	                  used_bytes(usage, id), "given_objects",
	                  usage->owners->objects[id | TAG_KNOWN], "given_bytes",
	                  usage->owners->bytes[id | TAG_KNOWN]),
	        counts_doc(pool, id));
}

static json_t *client_doc(struct report *r, struct pool *pool,
                          const struct usage *usage, uint32_t id)
{
	const struct owned *owned = r->job->own;
	if (!is_client(pool, id) ||
	    (owned != NULL && owned->tally.objects[id] == 0))
		return json_null();
	return owned == NULL ? row_doc(r, pool, usage, id)
	                     : report_merge(row_doc(r, pool, usage, id),
	                                    owned_matched(owned, id));
}

/* Its own word, cut to what its tags say. */
static void add_held(void *arg, uint32_t cache, uint32_t node, uint64_t objects)
{
	struct owned *owned = arg;
	struct owned_cell *cell =
		&owned->cell[(uint64_t)(cache - 1) * owned->n_nodes + node];
	cell->held = objects < cell->objects ? objects : cell->objects;
}

/* One client, with all that it has: the row of the list, and what is behind it. */
static json_t *one_doc(struct report *r, struct pool *pool)
{
	const struct owned_filter *filter = r->arg;
	struct owned *owned = owned_count(r, pool, filter);
	const struct usage *usage;
	json_t *more;
	if (owned == NULL)
		return NULL;
	usage = report_usage(r, pool);
	if (usage == NULL)
		return NULL;
	held_each(r->server, pool, filter->client, &r->job->ask, add_held,
	          owned);
	more = report_merge(json_pack("{s:o}", "caches",
	                              owned_caches(
	                                      pool, owned,
	                                      usage->client[filter->client]
	                                              .known)),
	                    owned_threads(pool, filter->client));
	return json_pack("{s:[o], s:o}", "clients",
	                 row_doc(r, pool, usage, filter->client),
	                 "client", more);
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct owned_filter *filter = r->arg;
	struct owned *owned;
	if (!owned_match(r, pool, filter, &owned))
		return NULL;
	return json_pack("{s:o}", "clients",
	                 report_counted(r, pool, 1, pool->head->top_id + 1,
	                                client_doc));
}

json_t *report_clients(struct report *r)
{
	struct owned_filter filter;
	owned_params(r, &filter);
	r->arg = &filter;
	if (filter.client == 0)
		return report_pools(r, pool_doc);
	report_param_pool(r);
	return report_pools(r, one_doc);
}
