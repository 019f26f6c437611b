/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/looks.h"
#include "daemon/serve/sampling.h"

#define MENDED_MS 2    /* until a pool's shared file may be whole again */
#define MENDED_NS CLOCK_S /* for which that is waited for */
#define HELD_LOOK_MS 1 /* between looks for clients' answers */
#define SLICE_NS CLOCK_MS

/* "pools: a, b, ..." for a remedy. */
struct names {
	char text[280];
	size_t from; /* where names begin */
	size_t len;
};

static struct names names_of(const char *what)
{
	struct names names = {.from = strlen(what), .len = strlen(what)};
	strcpy(names.text, what);
	return names;
}

/* Ends in "..." where there are too many. */
static void add_name(struct names *names, const char *name)
{
	const char *comma = names->len > names->from ? ", " : "";
	size_t room = names->from + 240 - sizeof(", ...");
	size_t n = strlen(name);
	if (names->len > room)
		return;
	names->len += strlen(strcpy(names->text + names->len, comma));
	if (names->len + n > room) {
		strcpy(names->text + names->len, "...");
		names->len = sizeof(names->text);
		return;
	}
	memcpy(names->text + names->len, name, n + 1);
	names->len += n;
}

/* ---- a request ---------------------------------------------------------- */

void report_fail(struct report *r, int status, const char *what,
                 const char *remedy)
{
	if (!report_good(r))
		return;
	*r->status = status;
	r->error = admin_error_new(what, remedy);
}

/* The same with: what "value". The value may be any bytes. */
static void fail_value(struct report *r, int status, const char *what,
                       const char *value, const char *remedy)
{
	char error[240];
	snprintf(error, sizeof(error), "%s \"%.160s\"", what, value);
	report_fail(r, status, error, remedy);
}

static void no_pool(struct report *r, const char *name)
{
	struct names names = names_of("pools: ");
	for (unsigned i = 0; i < r->server->n_pools; i++)
		add_name(&names, r->server->pools[i].name);
	fail_value(r, HTTP_NOTFOUND, "no pool", name, names.text);
}

static void job_done(void *arg)
{
	struct report_job *job = arg;
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++)
		if (job->joined[i] != 0)
			looks_leave(&job->server->pools[i], job->joined[i]);
	json_decref(job->pools);
	json_decref(job->items);
	free(job->own);
	free(job);
}

/* NULL without memory. */
static struct report_job *job_of(struct server *server,
                                 const struct admin_query *query)
{
	struct admin_later *later = query->later;
	struct report_job *job = later->job;
	if (job != NULL)
		return job;
	job = later->job = calloc(1, sizeof(*job));
	if (job == NULL)
		return NULL;
	later->done = job_done;
	job->server = server;
	job->asked_ns = job->ask.since_ns = clock_ns();
	job->pools = json_array();
	return job;
}

/* Of each pool. False without memory. */
static bool join(const struct report *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		uint64_t *joined = &r->job->joined[r->pool[i] -
		                                   r->server->pools];
		*joined = looks_join(r->pool[i], *joined);
		if (*joined == 0)
			return false;
	}
	return true;
}

/* 0 once all pools are counted. */
static int count_pools(struct report *r, const struct report_way *way)
{
	int counted = join(r) ? 0 : -ENOMEM;
	for (unsigned i = 0; counted == 0 && i < r->n; i++) {
		const struct audit *audit;
		struct usage *usage;
		int64_t took_ns;
		counted = way->held ? looks_usage(r->pool[i], r->job->asked_ns,
		                                  &usage)
		                    : looks_audit(r->pool[i], r->job->asked_ns,
		                                  &audit, &took_ns);
	}
	return counted;
}

/* Whether all that is to be had of counts, and of what clients hold, is there. The
 * latter last: an answer is good until somebody else asks. */
static bool is_counted(struct report *r, const struct report_way *way)
{
	bool wait = false;
	int counted = count_pools(r, way);
	if (counted < 0)
		*r->status = HTTP_INTERNAL;
	if (counted > 0)
		report_later(r, looks_pause_ms());
	if (counted != 0)
		return false;
	for (unsigned i = 0; way->held && i < r->n; i++)
		wait |= survey_wait(r->server, r->pool[i], SURVEY_HELD,
		                    &r->job->ask);
	for (unsigned i = 0; way->audit && i < r->n; i++)
		wait |= survey_wait(r->server, r->pool[i], SURVEY_FOUND,
		                    &r->job->look);
	if (wait)
		report_later(r, HELD_LOOK_MS);
	return !wait;
}

/* Leaves out the pools whose tags are not to be read: while their shared files are
 * made whole, which a client's call may hold up. False: it may be soon. */
static bool take_whole(struct report *r)
{
	unsigned n = 0;
	bool waits = clock_ns() - r->job->asked_ns < MENDED_NS;
	for (unsigned i = 0; i < r->n; i++)
		if (holes_guard(r->pool[i]))
			r->pool[n++] = r->pool[i];
	if (n < r->n && waits)
		return false;
	r->n = n;
	return true;
}

json_t *report_build(void *server, const struct admin_query *query, int *status)
{
	const struct report_way *way = query->how;
	struct report r = {server, query, status, .job = job_of(server, query)};
	const char *name = admin_query_get(query, "pool");
	bool whole;
	if (r.job == NULL) {
		*status = HTTP_INTERNAL;
		return NULL;
	}
	for (unsigned i = 0; i < r.server->n_pools; i++)
		if (!name || strcmp(r.server->pools[i].name, name) == 0)
			r.pool[r.n++] = &r.server->pools[i];
	if (name && r.n == 0)
		no_pool(&r, name);
	whole = take_whole(&r);
	if (whole && name && r.n == 0 && report_good(&r))
		report_fail(&r, HTTP_SERVUNAVAIL,
		            "the pool's shared file is being made whole, and a "
		            "client's call holds it",
		            "end the pool's clients");
	if (!report_good(&r))
		return r.error;
	if (!whole)
		return report_later(&r, MENDED_MS);
	if ((way->held || way->audit) && !is_counted(&r, way))
		return NULL;
	return way->whole ? way->whole(&r) : report_pools(&r, way->pool);
}

json_t *report_list(struct report *r, report_one *one)
{
	struct report_job *job = r->job;
	json_t *list;
	for (; job->n_pools < r->n; job->n_pools++) {
		struct pool *pool = r->pool[job->n_pools];
		json_t *doc = one(r, pool);
		if (*r->status == ADMIN_LATER)
			return NULL;
		doc = report_merge(json_pack("{s:o}", "name",
		                             report_text(pool->name)), doc);
		report_append(&job->pools, doc);
	}
	list = job->pools;
	job->pools = NULL;
	return list;
}

json_t *report_pools(struct report *r, report_one *one)
{
	json_t *list;
	if (!report_good(r))
		return r->error;
	list = report_list(r, one);
	return *r->status == ADMIN_LATER ? NULL
	                                 : json_pack("{s:o}", "pools", list);
}

bool report_slice(struct report *r)
{
	struct report_job *job = r->job;
	if (!looks_may()) {
		report_later(r, looks_pause_ms());
		return false;
	}
	if (job->items == NULL && job->at == 0)
		job->items = json_array();
	job->slice_ns = clock_ns();
	job->slice_any = false;
	return true;
}

bool report_slice_ends(struct report *r)
{
	bool any = r->job->slice_any;
	r->job->slice_any = true;
	if (!any || clock_ns() - r->job->slice_ns < SLICE_NS)
		return false;
	looks_pay(r->job->slice_ns);
	report_later(r, looks_pause_ms());
	return true;
}

json_t *report_items(struct report *r)
{
	json_t *items = r->job->items;
	looks_pay(r->job->slice_ns);
	r->job->items = NULL;
	r->job->at = 0;
	return items;
}

json_t *report_later(struct report *r, unsigned ms)
{
	*r->status = ADMIN_LATER;
	r->query->later->again_ms = ms;
	return NULL;
}

/* ---- parameters --------------------------------------------------------- */

struct pool *report_param_pool(struct report *r)
{
	struct names names = names_of("give pool, one of: ");
	if (!report_good(r) || r->n == 1)
		return r->pool[0];
	for (unsigned i = 0; i < r->n; i++)
		add_name(&names, r->pool[i]->name);
	report_fail(r, HTTP_BADREQUEST, "there are several pools", names.text);
	return NULL;
}

static void bad_cache(struct report *r, const char *name)
{
	struct names names = names_of("caches: ");
	for (unsigned i = 0; i < r->n; i++)
		for (uint32_t ix = 0; ix < r->pool[i]->n_caches; ix++)
			if (pool_has_cache(r->pool[i], ix + 1))
				add_name(&names,
				         r->pool[i]->view.caches[ix].name);
	if (names.len == names.from)
		add_name(&names, "none yet");
	if (name)
		fail_value(r, HTTP_BADREQUEST, "no cache", name, names.text);
	else
		report_fail(r, HTTP_BADREQUEST, "no cache is given",
		            names.text);
}

const char *report_param_cache(struct report *r, bool must)
{
	const char *name = admin_query_get(r->query, "cache");
	if (!name && !must)
		return NULL;
	for (unsigned i = 0; name && i < r->n; i++)
		if (caches_find(r->pool[i], name) != 0)
			return name;
	bad_cache(r, name);
	return NULL;
}

static void bad_node(struct report *r, const char *key, const char *value)
{
	const struct view *view = &r->pool[0]->view;
	struct names names = names_of("nodes: ");
	char what[40] = "no node is given";
	for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
		char id[16];
		snprintf(id, sizeof(id), "%u", view->nodes[node].os_id);
		add_name(&names, id);
	}
	if (strcmp(key, "node") != 0)
		snprintf(what, sizeof(what), "no \"%s\" node is given", key);
	if (value)
		fail_value(r, HTTP_BADREQUEST, "no node", value, names.text);
	else
		report_fail(r, HTTP_BADREQUEST, what, names.text);
}

uint32_t report_param_node(struct report *r, const char *key, bool must)
{
	uint64_t id;
	int node = -1;
	int got = admin_query_uint(r->query, key, INT32_MAX, &id);
	if (!report_good(r) || (got == -ENOENT && !must))
		return PLAN_NONE;
	if (got == 0)
		node = view_node_index(&r->pool[0]->view, (int)id);
	if (node >= 0)
		return (uint32_t)node;
	bad_node(r, key, admin_query_get(r->query, key));
	return PLAN_NONE;
}

uint64_t report_param_count(struct report *r, const char *key, uint64_t min,
                            uint64_t max, uint64_t otherwise)
{
	char what[40];
	char remedy[100];
	uint64_t value = otherwise;
	int got = admin_query_uint(r->query, key, max, &value), n;
	if (got == -ENOENT || (got == 0 && value >= min))
		return value;
	snprintf(what, sizeof(what), "bad %s", key);
	n = snprintf(remedy, sizeof(remedy), "%s is %llu to %llu", key,
	             (unsigned long long)min, (unsigned long long)max);
	if (otherwise >= min && otherwise <= max)
		snprintf(remedy + n, sizeof(remedy) - (size_t)n,
		         ", %llu if it is not given",
		         (unsigned long long)otherwise);
	fail_value(r, HTTP_BADREQUEST, what, admin_query_get(r->query, key),
	           remedy);
	return otherwise;
}

/* ---- pieces of documents ------------------------------------------------ */

void report_append(json_t **list, json_t *item)
{
	if (!*list) {
		json_decref(item);
	} else if (json_array_append_new(*list, item) < 0) {
		json_decref(*list);
		*list = NULL;
	}
}

json_t *report_merge(json_t *object, json_t *more)
{
	int r = json_object_update(object, more);
	json_decref(more);
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *value_of(const void *at, size_t bytes)
{
	if (bytes == sizeof(bool))
		return json_boolean(*(const bool *)at);
	if (bytes == sizeof(uint32_t))
		return json_integer(*(const uint32_t *)at);
	return json_integer(report_count(*(const uint64_t *)at));
}

json_t *report_fields(json_t *object, const void *from,
                      const struct report_field *field, size_t n)
{
	json_t *more = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set_new(more, field[i].key,
		                    value_of((const char *)from + field[i].at,
		                             field[i].bytes));
	if (json_object_size(more) == n)
		return report_merge(object, more);
	json_decref(more);
	json_decref(object);
	return NULL;
}

struct usage *report_usage(struct report *r, struct pool *pool)
{
	struct usage *usage;
	if (looks_usage(pool, r->job->asked_ns, &usage) != 0)
		return NULL;
	if (usage->held_for != r->job->ask.seq) {
		usage_hold_nothing(usage, pool);
		held_fill(r->server, pool, &r->job->ask, usage);
		usage->held_for = r->job->ask.seq;
		sampling_note(r->server, pool, usage);
	}
	r->unknown = usage->unknown;
	return usage;
}

json_t *report_counted(struct report *r, struct pool *pool, uint32_t from,
                       uint32_t to,
                       json_t *(*one)(struct report *r, struct pool *pool,
                                      const struct usage *usage, uint32_t i))
{
	struct report_job *job = r->job;
	const struct usage *usage;
	if (!report_slice(r))
		return NULL;
	usage = report_usage(r, pool);
	job->at = job->at < from ? from : job->at;
	for (; usage != NULL && job->at < to; job->at++) {
		json_t *item;
		if (report_slice_ends(r))
			return NULL;
		item = one(r, pool, usage, job->at);
		if (!json_is_null(item))
			report_append(&job->items, item);
	}
	if (usage != NULL)
		return report_items(r);
	json_decref(report_items(r));
	return NULL;
}

json_t *report_text(const char *text)
{
	return admin_text_new(text);
}

json_t *report_numbers(const uint64_t *number, unsigned n,
                       const char *(*name)(unsigned i))
{
	json_t *object = json_object();
	for (unsigned i = 0; i < n; i++)
		json_object_set_new(object, name(i),
		                    json_integer(report_count(number[i])));
	return object;
}

json_int_t report_count(uint64_t count)
{
	return count > INT64_MAX ? INT64_MAX : (json_int_t)count;
}

json_t *report_node_id(const struct pool *pool, uint32_t node)
{
	if (node >= pool->view.geo.n_nodes)
		return json_null();
	return json_integer(pool->view.nodes[node].os_id);
}

json_t *report_cache_name(const struct pool *pool, uint32_t cache)
{
	if (cache >= pool->n_caches)
		return json_null();
	return report_text(pool->view.caches[cache].name);
}
