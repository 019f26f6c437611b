/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <event2/http.h>
#include <time.h>

#include "daemon/pool/clients.h"

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
};

/* The client's own word for it: any number may stand there. */
static int add_counts(json_t *doc, const struct pool *pool, uint32_t id)
{
	const uint64_t *stats = &pool->view.stats[(uint64_t)id * STATS_WORDS];
	int r = 0;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t count = atom_load(&stats[counts[i].word]);
		r |= json_object_set_new(doc, counts[i].key,
		                         json_integer(report_count(count)));
	}
	return r;
}

static double age_of(const struct layout_client *row)
{
	struct timespec now;
	double age;
	clock_gettime(CLOCK_REALTIME, &now);
	age = (double)(now.tv_sec - row->since) + (double)now.tv_nsec / 1e9;
	return age > 0 ? age : 0;
}

static json_t *client_doc(const struct server *server, const struct pool *pool,
                          const struct usage *census, uint32_t id)
{
	const struct layout_client *row = &pool->view.clients[id];
	bool live = view_client_live(&pool->view, id);
	bool connected = live && server_connected(server, pool, id);
	json_t *doc = json_pack(
	        "{s:i, s:I, s:i, s:I, s:o, s:s, s:b, s:f, s:I, s:I}", "id", id,
	        "epoch", report_count(clients_epoch(pool, id)), "pid", row->pid,
	        "uid", report_count(row->uid), "name", report_text(row->comm),
	        "state", live ? "live" : "dead", "connected", connected,
	        "age_s", age_of(row), "objects",
	        report_count(census->owners->objects[id]), "bytes",
	        report_count(census->owners->bytes[id]));
	if (doc == NULL || add_counts(doc, pool, id) == 0)
		return doc;
	json_decref(doc);
	return NULL;
}

static bool is_free(const struct pool *pool, uint32_t id)
{
	return (atom_load(&pool->view.clients[id].word) & 0xff) == CLIENT_FREE;
}

static json_t *pool_doc(struct server *server, struct pool *pool, void *arg)
{
	json_t *clients = json_array();
	struct usage census;
	int r = usage_take(&census, pool);
	(void)arg;
	if (r == 0) {
		for (uint32_t id = 1; r == 0 && id < CLIENT_IDS; id++)
			if (!is_free(pool, id))
				r = json_array_append_new(
				        clients,
				        client_doc(server, pool, &census, id));
		usage_done(&census);
	}
	if (r < 0) {
		json_decref(clients);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "name", report_text(pool->name),
	                 "clients", clients);
}

json_t *report_clients(void *arg, const struct admin_query *query, int *status)
{
	return report_each(arg, query, status, pool_doc);
}
