/* SPDX-License-Identifier: MIT */
/* What slabd did to even memory out, newest first, and sums of it. */
#include "daemon/admin/report.h"

#include <event2/http.h>
#include <string.h>
#include <time.h>

#define LIMIT_DEFAULT 50u

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *event_doc(const struct pool *pool,
                         const struct balance_event *event)
{
	const char *error = event->error < 0 ? strerror(-event->error) : "";
	json_t *step = report_step(pool, &event->step);
	json_t *more = json_pack(
	        "{s:I, s:I, s:I, s:s, s:b, s:I, s:I, s:s, s:I, s:o}", "seq",
	        report_count(event->seq), "at_ms", (json_int_t)event->at_ms,
	        "last_ms", (json_int_t)event->last_ms, "cause",
	        balance_cause_name(event->cause), "refused", event->refused,
	        "times", report_count(event->times), "done",
	        report_count(event->done), "error", error, "us",
	        report_count(event->us), "told", report_text(event->text));
	/* The policy's reason is the next best: none of them is why. */
	if (event->cause == BALANCE_HAND && !event->refused)
		step = report_merge(step, json_pack("{s:s, s:s}", "reason",
		                                    "asked", "text",
		                                    "slabctl asked for it"));
	return report_merge(step, more);
}

static json_t *events_doc(const struct pool *pool, uint64_t limit)
{
	const struct balance_event *event;
	json_t *list = json_array();
	for (uint32_t i = 0; list != NULL && i < limit; i++) {
		event = balance_event(pool, i);
		if (event == NULL)
			break;
		if (json_array_append_new(list, event_doc(pool, event)) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

/* An object of n numbers by name. */
static json_t *numbers(const uint64_t *number, unsigned n,
                       const char *(*name)(unsigned i))
{
	json_t *object = json_object();
	for (unsigned i = 0; i < n; i++)
		json_object_set_new(object, name(i),
		                    json_integer(report_count(number[i])));
	return object;
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
	        report_count(counts->plans), "steps",
	        numbers(counts->steps, PLAN_KINDS, kind_name), "done",
	        numbers(counts->done, PLAN_KINDS, kind_name), "failed",
	        numbers(counts->failed, PLAN_KINDS, kind_name), "refused",
	        numbers(counts->refused, PLAN_NO_REASON, reason_name),
	        "moved_bytes", report_count(counts->moved_bytes),
	        "plan_ns_max", report_count(counts->plan_ns_max),
	        "snapshot_ns_max", report_count(counts->snapshot_ns_max),
	        "move_ns_max", report_count(counts->move_ns_max));
}

static json_t *pool_doc(struct server *server, struct pool *pool, void *arg)
{
	const uint64_t *limit = arg;
	(void)server;
	return json_pack("{s:o, s:I, s:o, s:o}", "name",
	                 report_text(pool->name), "now_ms",
	                 (json_int_t)now_ms(), "events",
	                 events_doc(pool, *limit), "counts",
	                 counts_doc(balance_counts(pool)));
}

json_t *report_log(void *arg, const struct admin_query *query, int *status)
{
	struct report_pools pools;
	uint64_t limit = LIMIT_DEFAULT;
	json_t *error = report_pick(&pools, arg, query, status);
	if (*status == HTTP_OK)
		error = report_param_count(query, "limit", 0, BALANCE_LOG,
		                           &limit, status);
	if (*status != HTTP_OK)
		return error;
	return json_pack("{s:o}", "pools",
	                 report_list(&pools, pool_doc, &limit));
}
