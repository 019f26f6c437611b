/* SPDX-License-Identifier: MIT */
/* What each pool was like, as far back as is asked for: slots of one ring of
 * pool/past.h, the oldest first. */
#include "daemon/admin/report.h"

#include "daemon/base/clock.h"
#include "daemon/pool/past.h"
#include "daemon/serve/sampling.h"

#define SCHEMA 1 /* of the document, as slabctl(1) says */
#define SPAN_DEFAULT_S 3600

static const char *const counts[PAST_COUNTS] = {
	[PAST_RUNG] = "rings",
	[PAST_GROWN] = "grown_slabs",
	[PAST_TAKEN] = "taken_slabs",
	[PAST_DENIED] = "denied",
	[PAST_DEATHS] = "deaths",
	[PAST_SWEPT] = "swept_objects",
	[PAST_STEPS] = "steps",
	[PAST_MOVED_BYTES] = "moved_bytes",
	[PAST_REFILLS] = "refills",
	[PAST_REFILLED] = "refilled",
	[PAST_FLUSHED] = "flushed",
	[PAST_REMOTE_ALLOCS] = "remote_allocs",
	[PAST_REMOTE_FREES] = "remote_frees",
	[PAST_WAITS] = "waits",
	[PAST_FAILURES] = "failures",
};

/* Unknown before anything was counted, or anybody asked. */
static json_t *known(int64_t at_ns, uint64_t bytes)
{
	return at_ns == 0 ? json_null() : json_integer(report_count(bytes));
}

static json_t *node_doc(const struct pool *pool, const struct past_sample *s,
                        uint32_t node)
{
	const struct past_node *n = &s->node[node];
	return json_pack("{s:i, s:I, s:I, s:o, s:o, s:o, s:o}", "node",
	                 pool->view.nodes[node].os_id, "ready_bytes",
	                 report_count(n->ready), "carved_bytes",
	                 report_count(n->carved), "owned_bytes",
	                 known(s->counted_ns, n->owned), "held_bytes",
	                 known(s->held_ns, n->held), "free_bytes",
	                 known(s->counted_ns, n->free), "lent_bytes",
	                 known(s->counted_ns, n->lent));
}

/* By the clock as it is set now; null for never. */
static json_t *wall_ms(int64_t at_ns)
{
	return at_ns == 0 ? json_null()
	                  : json_integer(clock_wall_at_ns(at_ns) / CLOCK_MS);
}

static json_t *point_doc(const struct pool *pool, const struct past_sample *s)
{
	json_t *nodes = json_array();
	json_t *doc;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		report_append(&nodes, node_doc(pool, s, node));
	doc = json_pack("{s:o, s:f, s:o, s:o, s:i, s:i, s:o}", "at_ms",
	                wall_ms(s->at_ns), "ago_s",
	                (double)(clock_ns() - s->at_ns) / CLOCK_S, "counted_ms",
	                wall_ms(s->counted_ns), "asked_ms", wall_ms(s->held_ns),
	                "clients", s->clients, "caches", s->caches, "nodes",
	                nodes);
	for (unsigned i = 0; i < PAST_COUNTS; i++)
		json_object_set_new(doc, counts[i],
		                    json_integer(report_count(s->count[i])));
	return doc;
}

/* Where the last slice ended is a time, as slots are written meanwhile. */
static bool add_points(struct report *r, struct pool *pool, unsigned ring,
                       int64_t span_ns)
{
	const struct past *past = sampling_past(r->server, pool);
	struct report_job *job = r->job;
	int64_t from_ns = r->job->asked_ns - span_ns - 1;
	const struct past_sample *s;
	if ((int64_t)job->total > from_ns)
		from_ns = (int64_t)job->total;
	while ((s = past_next(past, ring, from_ns)) != NULL) {
		if (report_slice_ends(r))
			return false;
		report_append(&job->items, point_doc(pool, s));
		from_ns = s->at_ns;
		job->total = (uint64_t)from_ns;
	}
	job->total = 0;
	return true;
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct past *past = sampling_past(r->server, pool);
	int64_t span_ns = (int64_t) * (const uint64_t *)r->arg * CLOCK_S;
	unsigned ring;
	if (past == NULL)
		return json_pack("{s:i, s:I, s:i, s:[]}", "schema", SCHEMA,
		                 "span_s", span_ns / CLOCK_S, "step_s", 0,
		                 "points");
	if (!report_slice(r))
		return NULL;
	ring = past_ring(past, span_ns);
	if (!add_points(r, pool, ring, span_ns))
		return NULL;
	return json_pack("{s:i, s:I, s:I, s:o}", "schema", SCHEMA, "span_s",
	                 span_ns / CLOCK_S, "step_s",
	                 past_step_ns(ring) / CLOCK_S, "points",
	                 report_items(r));
}

json_t *report_history(struct report *r)
{
	uint64_t span_s = report_param_count(r, "span", 1, PAST_SPAN_MAX_S,
	                                     SPAN_DEFAULT_S);
	r->arg = &span_s;
	if (r->job->n_pools == 0 && r->job->items == NULL)
		sampling_take(r->server);
	return report_pools(r, pool_doc);
}
