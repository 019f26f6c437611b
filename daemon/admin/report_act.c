/* SPDX-License-Identifier: MIT */
/* What slabctl asks to be done about memory between nodes: each of them is one
 * call of balance/hand.h, checked before and logged after. */
#include "daemon/admin/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/balance/hand.h"
#include "daemon/balance/trim.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/caches.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/peer.h"

#define CONFLICT 409
#define SLABS_MAX 65536u
#define SLICE_NS CLOCK_MS
/* Of one request. */
#define MOVE_BYTES_MAX (UINT64_C(1) << 30)
#define TRIM_AGAIN_MS 250u

__attribute__((format(printf, 3, 4)))
static void log_asked(const struct report *r, const struct pool *pool,
                      const char *format, ...)
{
	char what[720];
	va_list ap;
	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	log_info("pool %s: %s; asked for by pid %d, user %lld", pool->name,
	         what, r->query->pid, (long long)r->query->uid);
}

/* Why balance/hand.h did not do it. otherwise is what to do about it where that
 * says nothing. */
static void refuse(struct report *r, const struct remedy *why,
                   const char *otherwise)
{
	report_fail(r, CONFLICT, why->what, why->todo[0] ? why->todo : otherwise);
}

/* ---- lend, migrate ------------------------------------------------------ */

struct transfer {
	struct pool *pool;
	uint32_t cache; /* 0: any */
	uint32_t from;
	uint32_t to;
	uint64_t n;
	uint64_t done;
	struct remedy why;
};

static struct transfer parse(struct report *r, bool lend)
{
	struct transfer t = {.pool = report_param_pool(r)};
	const char *name = report_param_cache(r, lend);
	uint64_t max = SLABS_MAX;
	if (name && t.pool)
		t.cache = caches_find(t.pool, name);
	t.from = report_param_node(r, "from", true);
	t.to = report_param_node(r, "to", true);
	if (!lend && report_good(r))
		max = MOVE_BYTES_MAX >> t.pool->view.geo.page_shift;
	t.n = report_param_count(r, "n", 1, max ? max : 1, 1);
	return t;
}

static void log_transfer(const struct report *r, const struct transfer *t,
                         bool lend)
{
	const struct layout_node *nodes = t->pool->view.nodes;
	const char *of = t->cache != 0 ? " of " : "";
	const char *name = t->cache != 0
	                           ? t->pool->view.caches[t->cache - 1].name
	                           : "";
	unsigned long long done = t->done, n = t->n;
	const char *s = n == 1 ? "" : "s";
	if (lend && t->from == t->to)
		log_asked(r, t->pool, "%llu of %llu slab%s%s%s came back to node "
		          "%u", done, n, s, of, name, nodes[t->to].os_id);
	else
		log_asked(r, t->pool, "%llu of %llu %s%s%s%s %s from node %u to "
		          "node %u", done, n, lend ? "slab" : "page", s, of, name,
		          lend ? "lent" : "moved", nodes[t->from].os_id,
		          nodes[t->to].os_id);
}

/* After it was tried: logs it, and gives the answer. unit_bytes: of one slab,
 * or page. */
static json_t *transfer_doc(struct report *r, const struct transfer *t,
                            bool lend, uint64_t unit_bytes)
{
	const struct pool *pool = t->pool;
	duty_soon(r->server, 0);
	if (!report_good(r))
		return r->error;
	log_transfer(r, t, lend);
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "pool",
	                 report_text(pool->name), "cache",
	                 report_cache_name(pool, t->cache - 1), "from",
	                 report_node_id(pool, t->from), "to",
	                 report_node_id(pool, t->to), "n", t->n, "done",
	                 t->done, "bytes", t->done * unit_bytes, "text",
	                 report_text(t->why.what));
}

/* In slices; what was asked for stays as it was at the first. */
json_t *report_lend(struct report *r)
{
	struct balance_lending *lending = r->job->own;
	struct transfer t = parse(r, true);
	int lent;
	if (report_good(r) && lending == NULL)
		lending = r->job->own = calloc(1, sizeof(*lending));
	if (!report_good(r) || lending == NULL)
		return r->error;
	if (!lending->began)
		*lending = (struct balance_lending){.cache = t.cache,
		                                    .from = t.from,
		                                    .to = t.to,
		                                    .n = (uint32_t)t.n};
	lent = balance_lend_some(t.pool, lending, &t.why);
	if (lent > 0)
		return report_later(r, 0);
	t.done = lending->done;
	if (lent < 0)
		refuse(r, &t.why, "slabctl slabs and slabctl nodes show what "
		       "there is to lend");
	return transfer_doc(r, &t, true,
	                    report_slab_bytes(t.pool, t.cache));
}

/* The same. */
json_t *report_migrate(struct report *r)
{
	struct balance_moving *moving = r->job->own;
	struct transfer t = parse(r, false);
	int moved;
	if (report_good(r) && moving == NULL)
		moving = r->job->own = calloc(1, sizeof(*moving));
	if (!report_good(r) || moving == NULL)
		return r->error;
	if (!moving->began)
		*moving = (struct balance_moving){.cache = t.cache,
		                                  .from = t.from,
		                                  .to = t.to,
		                                  .n = t.n};
	moved = balance_migrate(t.pool, moving, &t.why);
	if (moved > 0)
		return report_later(r, moving->waits);
	t.done = moving->done;
	if (moved < 0)
		refuse(r, &t.why, "slabctl nodes shows what each node has and "
		       "may have");
	return transfer_doc(r, &t, false,
	                    UINT64_C(1) << t.pool->view.geo.page_shift);
}

/* ---- drain -------------------------------------------------------------- */

static unsigned index_of(const struct report *r, const struct pool *pool)
{
	unsigned i = 0;
	while (r->pool[i] != pool)
		i++;
	return i;
}

struct drain {
	uint32_t node;
	bool was[CONFIG_POOLS_MAX]; /* in the request's order */
};

static json_t *drained_doc(struct report *r, struct pool *pool)
{
	const struct drain *drain = r->arg;
	const struct layout_node *row = &pool->view.nodes[drain->node];
	return json_pack("{s:i, s:b, s:b, s:I}", "node", row->os_id, "draining",
	                 row->drain != 0, "was_draining",
	                 drain->was[index_of(r, pool)], "bytes",
	                 report_page_bytes(pool, row->resident_pages));
}

/* All pools or none: a node is emptied to be taken away. */
static void drain_all(struct report *r, uint32_t node, bool drain, bool *was)
{
	struct remedy why;
	unsigned i;
	for (i = 0; i < r->n; i++) {
		was[i] = r->pool[i]->view.nodes[node].drain != 0;
		if (balance_drain(r->pool[i], node, drain, &why) < 0)
			break;
	}
	if (i < r->n) {
		while (i-- > 0)
			balance_drain(r->pool[i], node, was[i],
			              &(struct remedy){.what = ""});
		refuse(r, &why, "slabctl nodes shows which nodes are drained; "
		       "slabctl drain NODE --undo ends that of one");
		return;
	}
	for (i = 0; i < r->n; i++) {
		if (was[i] == drain)
			continue;
		log_asked(r, r->pool[i], "node %u is %s",
		          r->pool[i]->view.nodes[node].os_id,
		          drain ? "to be emptied" : "no longer to be emptied");
	}
}

static json_t *set_drain(struct report *r, bool drain)
{
	struct drain asked = {.node = report_param_node(r, "node", true)};
	r->arg = &asked;
	if (report_good(r))
		drain_all(r, asked.node, drain, asked.was);
	duty_soon(r->server, 0);
	return report_pools(r, drained_doc);
}

json_t *report_drain(struct report *r)
{
	return set_drain(r, true);
}

json_t *report_undrain(struct report *r)
{
	return set_drain(r, false);
}

/* ---- trim --------------------------------------------------------------- */

/* What a request does, from one call to the next. */
struct trim {
	uint32_t node; /* PLAN_NONE: all */
	bool ask;      /* clients, too */
	bool again;    /* what they sent home since is being given back */
	struct survey heard; /* who answers has sent home what it can */
	unsigned asked[CONFIG_POOLS_MAX];
	struct balance_trim pool[CONFIG_POOLS_MAX]; /* in the request's order */
};

static void log_trim(const struct report *r, const struct pool *pool,
                     unsigned asked, const struct balance_trim *done,
                     const struct remedy *why)
{
	char nodes[TRIM_NODES_TEXT];
	trim_name_nodes(nodes, sizeof(nodes), pool, done->of);
	log_asked(r, pool,
	          "%u client%s asked to trim, %llu empty slab%s taken apart, %s "
	          "given back%s%s",
	          asked, asked == 1 ? "" : "s", (unsigned long long)done->slabs,
	          done->slabs == 1 ? "" : "s", nodes[0] ? nodes : "nothing",
	          why->what[0] ? ": " : "", why->what);
}

static json_t *trim_doc(struct report *r, struct pool *pool)
{
	const struct trim *trim = r->arg;
	unsigned i = index_of(r, pool);
	const struct balance_trim *done = &trim->pool[i];
	struct remedy why;
	struct trim_left left = trim_left(pool, done, &why);
	log_trim(r, pool, trim->asked[i], done, &why);
	return json_pack("{s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "node",
	                 report_node_id(pool, trim->node), "asked",
	                 trim->asked[i], "pages", report_count(done->pages),
	                 "bytes", report_page_bytes(pool, done->pages), "slabs",
	                 report_count(done->slabs), "left_bytes",
	                 report_page_bytes(pool, left.beyond), "floor_bytes",
	                 report_page_bytes(pool, left.floor), "text",
	                 report_text(why.what));
}

/* NULL: the request is wrong, or there is no memory. */
static struct trim *begin_trim(struct report *r)
{
	uint32_t node = report_param_node(r, "node", false);
	bool ask = report_param_count(r, "ask", 0, 1, 1) == 1;
	struct trim *trim = report_good(r) ? calloc(1, sizeof(*trim)) : NULL;
	if (trim == NULL)
		return NULL;
	trim->node = node;
	trim->ask = ask;
	for (unsigned i = 0; i < r->n; i++) {
		if (ask)
			trim->asked[i] = peer_trim(r->server, r->pool[i]);
		trim_begin(r->pool[i], node, &trim->pool[i]);
	}
	return trim;
}

static bool is_any_asked(const struct report *r, const struct trim *trim)
{
	unsigned asked = 0;
	for (unsigned i = 0; i < r->n; i++)
		asked += trim->asked[i];
	return asked > 0;
}

/* In slices, and then the answer. Clients need some time to send home what they
 * have: those that say what they hold did that before. For the others it waits a
 * little and does all of it once more. */
json_t *report_trim(struct report *r)
{
	struct trim *trim = r->job->own;
	bool more = false;
	bool waits = false;
	if (trim == NULL)
		trim = r->job->own = begin_trim(r);
	if (trim == NULL)
		return r->error;
	for (unsigned i = 0; trim->ask && i < r->n; i++)
		more |= survey_wait(r->server, r->pool[i], SURVEY_HELD,
		                    &trim->heard);
	if (more)
		return report_later(r, 1);
	for (unsigned i = 0; i < r->n && !more; i++) {
		more = trim_some(r->pool[i], &trim->pool[i]);
		waits = trim->pool[i].waits;
	}
	if (more)
		return report_later(r, waits);
	if (!trim->again && is_any_asked(r, trim)) {
		trim->again = true;
		for (unsigned i = 0; i < r->n; i++)
			trim_again(&trim->pool[i]);
		return report_later(r, TRIM_AGAIN_MS);
	}
	r->arg = trim;
	duty_soon(r->server, 0);
	return report_pools(r, trim_doc);
}

/* ---- cache remove ------------------------------------------------------- */

struct removal {
	struct caches_job job;
	unsigned looks, removed; /* before this job */
	uint64_t before; /* slabs that were taken */
};

static struct removal *begin_removal(const struct pool *pool)
{
	struct removal *own = calloc(1, sizeof(*own));
	if (own != NULL)
		own->before = pool->counts.taken_slabs;
	return own;
}

/* In slices. */
json_t *report_cache(struct report *r)
{
	const char *action = admin_query_get(r->query, "action");
	struct pool *pool = report_param_pool(r);
	const char *name = admin_query_get(r->query, "cache");
	struct remedy why = {.what = ""};
	struct removal *own = r->job->own;
	int n;
	if (report_good(r) && (!action || strcmp(action, "remove") != 0))
		report_fail(r, HTTP_BADREQUEST, "no such action",
		            "action, one of: remove");
	if (report_good(r) && !name)
		report_param_cache(r, true);
	if (!report_good(r))
		return r->error;
	if (own == NULL)
		own = r->job->own = begin_removal(pool);
	if (own == NULL)
		return NULL;
	n = caches_remove_some(pool, name, &own->job, clock_ns() + SLICE_NS,
	                       &why);
	if (n > 0)
		return report_later(r, 0);
	if (n == -EBUSY && own->looks++ < REPORT_LOOKS) {
		own->removed += own->job.removed;
		own->job = (struct caches_job){.cache = 0};
		return report_later(r, REPORT_LOOK_MS);
	}
	if (n < 0) {
		refuse(r, &why, "slabctl caches shows which there are");
		return r->error;
	}
	log_asked(r, pool, "cache %s removed", name);
	duty_serve_pool(r->server, pool);
	duty_soon(r->server, 0);
	return json_pack("{s:o, s:o, s:i, s:I}", "pool",
	                 report_text(pool->name), "cache", report_text(name),
	                 "removed", own->removed + own->job.removed, "slabs",
	                 report_count(pool->counts.taken_slabs - own->before));
}
