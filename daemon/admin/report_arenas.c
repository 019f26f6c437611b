/* SPDX-License-Identifier: MIT */
/* Arenas in use. */
#include "daemon/admin/owned.h"

#include "daemon/pool/arenas.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 10000u

static double age_s(uint64_t since_ns)
{
	return (double)live_age_ns(since_ns) / CLOCK_S;
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
static void add(struct report *r, const struct pool *pool,
                const struct usage_slab *slab)
{
	struct arena_seen seen;
	uint32_t at = 0;
	while (arenas_next(pool, slab, &at, &seen))
		if (owned_lists(r, seen.client))
			report_append(&r->job->items, arena_doc(pool, &seen));
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	return owned_list(r, pool, "arenas", add);
}

json_t *report_arenas(struct report *r)
{
	struct owned_wanted wanted;
	owned_params(r, &wanted.filter);
	wanted.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &wanted;
	return report_pools(r, pool_doc);
}
