/* SPDX-License-Identifier: MIT */
/* Object pools of clients. */
#include "daemon/admin/owned.h"

#include "daemon/pool/objpools.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX 10000u

static double age_s(uint64_t since_ns)
{
	return (double)live_age_ns(since_ns) / CLOCK_S;
}

static json_t *hit_share(const struct objpool_live *live)
{
	double hits = (double)live->hits;
	double gets = hits + (double)live->misses;
	return gets > 0 ? json_real(hits / gets) : json_null();
}

static json_int_t idle_bytes(const struct objpool_live *live)
{
	uint64_t bytes;
	return __builtin_mul_overflow(live->idle, live->object_bytes, &bytes)
	               ? report_count(UINT64_MAX)
	               : report_count(bytes);
}

/* id: where its record lies. */
static json_t *head_doc(const struct pool *pool,
                        const struct objpools_seen *seen)
{
	const struct layout_client *row = &pool->view.clients[seen->client];
	return json_pack("{s:I, s:o, s:i, s:i, s:o}", "id",
	                 report_count(seen->off), "name",
	                 report_text(seen->live.name), "client", seen->client,
	                 "pid", row->pid, "process", report_text(row->comm));
}

static json_t *objpool_doc(const struct pool *pool,
                           const struct objpools_seen *seen)
{
	const struct objpool_live *live = &seen->live;
	return report_merge(head_doc(pool, seen), json_pack(
	        "{s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	        "s:f, s:f}",
	        "object_bytes", report_count(live->object_bytes),
	        "hits", report_count(live->hits),
	        "misses", report_count(live->misses),
	        "hit_share", hit_share(live),
	        "made", report_count(live->made),
	        "aged", report_count(live->aged),
	        "ended", report_count(live->ended),
	        "idle", report_count(live->idle),
	        "idle_bytes", idle_bytes(live),
	        "refused", report_count(live->refused),
	        "max", report_count(live->max),
	        "idle_ms", report_count(live->idle_ms),
	        "age_s", age_s(live->since_ns),
	        "told_age_s", age_s(live->told_ns)));
}

/* Those whose records lie in a slab. */
static void add(struct report *r, const struct pool *pool,
                const struct usage_slab *slab)
{
	struct objpools_seen seen;
	uint32_t at = 0;
	while (objpools_next(pool, slab, &at, &seen))
		if (owned_lists(r, seen.client))
			report_append(&r->job->items, objpool_doc(pool, &seen));
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	return owned_list(r, pool, "objpools", add);
}

json_t *report_objpools(struct report *r)
{
	struct owned_wanted wanted;
	owned_params(r, &wanted.filter);
	wanted.limit =
	        report_param_count(r, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT);
	r->arg = &wanted;
	return report_pools(r, pool_doc);
}
