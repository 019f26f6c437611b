/* SPDX-License-Identifier: MIT */
/*
 * What the reports have in common: a request with its pools and parameters, and
 * pieces of documents.
 *
 * The first error of a request stays: what is asked of it afterwards does
 * nothing, and report_pools gives the error as the answer. A document without
 * memory is NULL, and so is everything that it is put into.
 */
#ifndef DAEMON_ADMIN_REPORT_H
#define DAEMON_ADMIN_REPORT_H

#include <event2/http.h>
#include <stddef.h>

#include "daemon/admin/query.h"
#include "daemon/admin/reports.h"
#include "daemon/balance/balance.h"
#include "daemon/pool/usage.h"
#include "daemon/serve/found.h"
#include "daemon/serve/held.h"
#include "daemon/serve/server.h"

/* What a request keeps that is not answered at once. */
struct report_job {
	struct server *server;
	uint64_t joined[CONFIG_POOLS_MAX]; /* looks of its pools; 0: not */
	int64_t asked_ns;
	struct survey ask;
	struct survey look; /* of an audit */
	/* What is made of the answer: documents of pools, and of the next pool
	 * items; and which are next. */
	json_t *pools;
	unsigned n_pools;
	json_t *items;
	uint32_t at;
	uint64_t total;
	int64_t slice_ns; /* when the slice began */
	bool slice_any;   /* it has had an item */
	void *own; /* the report's, of malloc */
};

/* One request. */
struct report {
	struct server *server;
	const struct admin_query *query;
	int *status;   /* of HTTP */
	json_t *error; /* the answer, once *status is not 200 */
	unsigned n;    /* pools: the one that the query names, else all */
	struct pool *pool[CONFIG_POOLS_MAX];
	struct report_job *job;
	uint32_t unknown; /* clients of the pool that do not say what they hold */
	void *arg;            /* the report's own */
};

/* Makes one document of a pool. */
typedef json_t *report_one(struct report *r, struct pool *pool);

/* {"pools": [...]} of what one() gives for each pool, behind its name; or the
 * error. The list alone. Both are NULL as long as one() has report_later to say,
 * and go on with that pool then. */
json_t *report_pools(struct report *r, report_one *one);
json_t *report_list(struct report *r, report_one *one);

/* Whether nothing is wrong with the request so far. */
static inline bool report_good(const struct report *r)
{
	return *r->status == HTTP_OK;
}

/* Answers with an error. remedy is what to do, or "". */
void report_fail(struct report *r, int status, const char *what,
                 const char *remedy);

/* There is no answer yet: the report is made anew in so many ms, with what it
 * keeps in r->job. NULL. */
json_t *report_later(struct report *r, unsigned ms);

/* For what is long: false if others are to have their time first, which is said
 * by report_later. Otherwise r->job->items is a list, or NULL without memory,
 * to which items are added from r->job->at on, one at least, until
 * report_slice_ends: then it is later, too. What is whole is taken out of it (report_items). */
bool report_slice(struct report *r);
bool report_slice_ends(struct report *r);
json_t *report_items(struct report *r);

/* ---- parameters ---- */

/* That it is one pool alone: the only one if the query names none. */
struct pool *report_param_pool(struct report *r);

/* The name of a cache that one of the pools has; NULL if it is not given,
 * which is an error if it must be. */
const char *report_param_cache(struct report *r, bool must);

/* A node's index, or PLAN_NONE; all pools lie on the same nodes. */
uint32_t report_param_node(struct report *r, const char *key, bool must);

uint64_t report_param_count(struct report *r, const char *key, uint64_t min,
                            uint64_t max, uint64_t otherwise);

/* ---- pieces of documents ---- */

/* Adds an item to a list. Without memory for either, the list is freed and
 * NULL from then on. */
void report_append(json_t **list, json_t *item);

/* object with all that more has; takes both. */
json_t *report_merge(json_t *object, json_t *more);

/* A member of a structure by its name: a number of 4 or 8 bytes, or a bool. */
struct report_field {
	const char *key;
	size_t at;
	size_t bytes;
};
#define REPORT_FIELD(type, member)                                             \
	{#member, offsetof(struct type, member),                               \
	 sizeof(((struct type *)0)->member)}

/* object with the n fields of from; takes object. */
json_t *report_fields(json_t *object, const void *from,
                      const struct report_field *field, size_t n);

/* What is counted of a pool, with what clients hold; NULL without memory. */
struct usage *report_usage(struct report *r, struct pool *pool);

/* What one() gives for i from..to - 1 of a pool just counted; where it gives
 * null, nothing. In slices: NULL until the last. */
json_t *report_counted(struct report *r, struct pool *pool, uint32_t from,
                       uint32_t to,
                       json_t *(*one)(struct report *r, struct pool *pool,
                                      const struct usage *usage, uint32_t i));

/* A string; what is not UTF-8 is escaped as in the log. */
json_t *report_text(const char *text);

/* An object of n numbers by name. */
json_t *report_numbers(const uint64_t *number, unsigned n,
                       const char *(*name)(unsigned i));

/* A count as JSON can hold it: clients may have written anything. */
json_int_t report_count(uint64_t count);

/* The kernel's id of a node, and a cache's name, by the indexes of plan/plan.h;
 * null for PLAN_NONE. */
json_t *report_node_id(const struct pool *pool, uint32_t node);
json_t *report_cache_name(const struct pool *pool, uint32_t cache);

/* A step, or what would have helped (refused): kind, reason and its sentence,
 * cache, nodes, and how much. */
json_t *report_step(const struct pool *pool, const struct plan_step *step);

static inline json_int_t report_page_bytes(const struct pool *pool,
                                           uint64_t pages)
{
	return report_count(pages << pool->view.geo.page_shift);
}

static inline uint64_t report_slab_bytes(const struct pool *pool,
                                         uint32_t cache)
{
	return UNIT_BYTES << pool->view.caches[cache - 1].order;
}

/* A count that a client keeps of itself, and may have written anything to. */
static inline uint64_t report_stat(const struct pool *pool, uint32_t id,
                                   enum stats_word word)
{
	return atom_load(&pool->view.stats[(uint64_t)id * STATS_WORDS + word]);
}

/* Settings that a pool which was taken over can't follow. */
json_t *report_waiting(const struct waiting *waiting, unsigned n);

/* Memory of the pool's books. */
uint64_t report_metadata_bytes(const struct pool *pool);

/* What slabs at home on one node hold. */
struct report_sums {
	uint64_t carved_bytes;
	uint64_t used_bytes; /* with what clients hold and do not say */
	uint64_t held_bytes;
	uint64_t free_bytes;
	uint64_t waste_bytes;     /* carved, and neither of these */
	uint64_t lent_bytes;      /* slabs on another node's list */
	uint64_t lent_used_bytes; /* of objects in those */
	uint64_t borrowed_bytes;  /* other homes' slabs on this node's list */
	uint64_t slabs;
	uint64_t partial;
	uint64_t empty_slabs; /* free as a whole */
};

/* Adds up all caches on a home node; and on all of them. */
void report_sum(const struct pool *pool, const struct usage *usage,
                uint32_t node, struct report_sums *sums);
void report_sum_all(const struct pool *pool, const struct usage *usage,
                    struct report_sums *sums);
#endif
