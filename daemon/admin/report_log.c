/* SPDX-License-Identifier: MIT */
/* What slabd did to even memory out, newest first, and sums of it. */
#include "daemon/admin/owned.h"

#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/caches.h"

#define LIMIT_DEFAULT 50u

/* Since 1970, as the documents have it. */
static json_int_t as_ms(int64_t ns)
{
	return (json_int_t)(ns / CLOCK_MS);
}

static json_t *event_doc(const struct pool *pool,
                         const struct balance_event *event)
{
	json_t *step = report_step(pool, &event->step);
	json_t *more = json_pack(
	        "{s:I, s:I, s:I, s:s, s:b, s:I, s:I, s:s, s:I, s:o}", "seq",
	        report_count(event->seq), "at_ms",
	        as_ms(clock_wall_at_ns(event->at_ns)), "last_ms",
	        as_ms(clock_wall_at_ns(event->last_ns)), "cause",
	        balance_cause_name(event->cause), "refused", event->refused,
	        "times", report_count(event->times), "done",
	        report_count(event->done), "error",
	        history_error_text(event->error), "us",
	        (json_int_t)(event->took_ns / CLOCK_US), "told",
	        report_text(event->text));
	/* None of the plan's reasons is why. */
	if (event->cause == BALANCE_HAND && !event->refused)
		step = report_merge(step, json_pack("{s:s, s:s}", "reason",
		                                    "asked", "text",
		                                    "slabctl asked for it"));
	return report_merge(step, more);
}

/* Of a cache, or in which it gives slabs up; from or to a node. */
static bool is_wanted(const struct pool *pool, const struct owned_filter *filter,
                      const struct plan_step *step)
{
	uint32_t cache;
	if (filter->node != PLAN_NONE && step->from != filter->node &&
	    step->to != filter->node)
		return false;
	if (filter->cache == NULL)
		return true;
	cache = caches_find(pool, filter->cache);
	return cache != 0 && (step->cache_ix == cache - 1 ||
	                      step->donor_ix == cache - 1);
}

static json_t *events_doc(const struct pool *pool,
                          const struct owned_wanted *wanted)
{
	const struct balance_event *event;
	json_t *list = json_array();
	uint64_t n = 0;
	for (uint32_t i = 0; n < wanted->limit; i++) {
		event = balance_event(pool, i);
		if (!event)
			break;
		if (!is_wanted(pool, &wanted->filter, &event->step))
			continue;
		report_append(&list, event_doc(pool, event));
		n++;
	}
	return list;
}

static const char *kind_name(unsigned i)
{
	return plan_kind_name((enum plan_kind)i);
}

static const char *reason_name(unsigned i)
{
	return plan_reason_name((enum plan_reason)i);
}

static json_t *counts_doc(const struct balance_counts *counts)
{
	return json_pack(
	        "{s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "plans",
	        counts->plans, "steps",
	        report_numbers(counts->steps, PLAN_KINDS, kind_name), "done",
	        report_numbers(counts->done, PLAN_KINDS, kind_name), "failed",
	        report_numbers(counts->failed, PLAN_KINDS, kind_name),
	        "refused",
	        report_numbers(counts->refused, PLAN_NO_REASON, reason_name),
	        "moved_bytes", counts->moved_bytes, "plan_ns_max",
	        counts->plan_ns_max, "snapshot_ns_max", counts->snapshot_ns_max,
	        "move_ns_max", counts->move_ns_max);
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct owned_wanted *wanted = r->arg;
	return json_pack("{s:I, s:o, s:o}", "now_ms", as_ms(clock_wall_ns()),
	                 "events", events_doc(pool, wanted), "counts",
	                 counts_doc(balance_counts(pool)));
}

json_t *report_log(struct report *r)
{
	struct owned_wanted wanted;
	owned_params(r, &wanted.filter);
	wanted.limit = report_param_count(r, "limit", 0, HISTORY_EVENTS,
	                                  LIMIT_DEFAULT);
	r->arg = &wanted;
	return report_pools(r, pool_doc);
}
