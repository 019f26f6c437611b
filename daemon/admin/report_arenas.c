/* SPDX-License-Identifier: MIT */
/* Arenas in use. */
#include "daemon/admin/owned.h"

#include "daemon/pool/arenas.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 10000u

struct wanted {
	uint64_t limit;
	struct owned_filter filter;
};

static double age_s(uint64_t since_ns)
{
	return (double)arenas_age_ns(since_ns) / CLOCK_S;
}

/* id: where its first chunk lies. */
static json_t *arena_doc(const struct pool *pool, const struct arena_seen *seen)
{
	const struct layout_client *row = &pool->view.clients[seen->client];
	const struct arena_live *live = &seen->live;
	uint64_t grown = live->bytes > live->reset_bytes
	                         ? live->bytes - live->reset_bytes
	                         : 0;
	return json_pack(
	        "{s:I, s:o, s:i, s:i, s:o, s:I, s:I, s:I, s:f, s:o, s:b}", "id",
	        report_count(seen->off), "name", report_text(live->name),
	        "client", seen->client, "pid", row->pid, "process",
	        report_text(row->comm), "bytes", report_count(live->bytes),
	        "grown_bytes", report_count(grown), "resets",
	        report_count(live->resets), "age_s", age_s(live->since_ns),
	        "reset_age_s",
	        live->reset_ns != 0 ? json_real(age_s(live->reset_ns))
	                            : json_null(),
	        "overdue", arenas_is_overdue(pool, live));
}

/* Those whose first chunks lie in a slab. */
static void add_slab(struct report_job *job, const struct pool *pool,
                     const struct usage_slab *slab,
                     const struct wanted *wanted)
{
	struct arena_seen seen;
	uint32_t at = 0;
	while (arenas_next(pool, slab, &at, &seen))
		if ((wanted->filter.client == 0 ||
		     wanted->filter.client == seen.client) &&
		    ++job->total <= wanted->limit)
			report_append(&job->items, arena_doc(pool, &seen));
}

/* In slices, as for slabs. */
static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct layout_cache *rows = pool->view.caches;
	const struct wanted *wanted = r->arg;
	struct report_job *job = r->job;
	struct usage_slab slab;
	uint64_t total;
	if (!report_slice(r))
		return NULL;
	for (; usage_next(pool, job->at, &slab);
	     job->at = slab.head + (1u << rows[slab.cache - 1].order)) {
		job->at = slab.head;
		if (report_slice_ends(r))
			return NULL;
		add_slab(job, pool, &slab, wanted);
	}
	total = job->total;
	job->total = 0;
	return json_pack("{s:I, s:o}", "total", total, "arenas",
	                 report_items(r));
}

json_t *report_arenas(struct report *r)
{
	struct wanted wanted;
	owned_params(r, &wanted.filter);
	wanted.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &wanted;
	return report_pools(r, pool_doc);
}
