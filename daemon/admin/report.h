/* SPDX-License-Identifier: MIT */
/*
 * The documents that slabctl and curl ask for, one file each:
 *
 *   admin/report_status.c  admin/report_nodes.c  admin/report_caches.c
 *   admin/report_clients.c admin/report_slabs.c  admin/report_audit.c
 *   admin/report_plan.c    admin/report_log.c    what balance would do, and what it did
 *   admin/report_act.c      admin/report_set.c    what changes something, by POST
 *
 * All counts come from the tags, taken anew for each request. What clients can
 * write (tags, leases, lists, their own counts) is read and shown, and nothing
 * is done because of it. Names come from clients too and need not be UTF-8.
 */
#ifndef DAEMON_ADMIN_REPORT_H
#define DAEMON_ADMIN_REPORT_H

#include "daemon/admin/http.h"
#include "daemon/balance/balance.h"
#include "daemon/pool/usage.h"
#include "daemon/serve/server.h"

/* The pools that a request is about. */
struct report_pools {
	struct server *server;
	unsigned n;
	struct pool *pool[CONFIG_POOLS_MAX];
};

/* What slabs at home on one node hold. */
struct report_sums {
	uint64_t carved_bytes;
	uint64_t used_bytes;
	uint64_t free_bytes;
	uint64_t lent_bytes;     /* slabs on another node's list */
	uint64_t lent_used_bytes; /* of objects in those */
	uint64_t borrowed_bytes; /* other homes' slabs on this node's list */
	uint64_t slabs;
	uint64_t partial;
};

/* "a, b, ..." for a remedy; all zero to begin with. */
struct report_names {
	char text[240];
	size_t len;
};

/* Picks one pool if the query names one, else all. Unless *status is 200
 * afterwards, what it gives (maybe NULL) is the answer. */
json_t *report_pick(struct report_pools *pools, struct server *server,
                    const struct admin_query *query, int *status);

/* The same, but one pool alone: the only one if the query names none. */
json_t *report_param_pool(struct report_pools *pools, struct server *server,
                          const struct admin_query *query, int *status);

/* Parameters. Unless *status is 200 afterwards, what they give is the answer.
 * must: it is an error if it is not there. node: an index, or PLAN_NONE; all
 * pools lie on the same nodes. value: what it is if it is not there. */
json_t *report_param_cache(const struct report_pools *pools,
                           const struct admin_query *query, bool must,
                           int *status);
json_t *report_param_node(const struct pool *pool,
                          const struct admin_query *query, const char *key,
                          bool must, uint32_t *node, int *status);
json_t *report_param_count(const struct admin_query *query, const char *key,
                           uint64_t min, uint64_t max, uint64_t *value,
                           int *status);

/* An array of what one() gives for each pool, or NULL. */
json_t *report_list(const struct report_pools *pools,
                    json_t *(*one)(struct server *server, struct pool *pool,
                                   void *arg),
                    void *arg);

/* {"pools": [...]} of what one() gives for each pool that the query picks, or
 * the error that answers it. */
json_t *report_each(void *arg, const struct admin_query *query, int *status,
                    json_t *(*one)(struct server *server, struct pool *pool,
                                   void *arg));

/* object with all that more has; takes both. NULL when out of memory. */
json_t *report_merge(json_t *object, json_t *more);

/* {"error": what "value", "remedy": remedy}. value may be any bytes. */
json_t *report_error(const char *what, const char *value, const char *remedy);

void report_names_add(struct report_names *names, const char *name);

/* A string; what is not UTF-8 is escaped as in the log. */
json_t *report_text(const char *text);

/* The kernel's id of a node, and a cache's name, by the indexes of plan/plan.h;
 * null for PLAN_NONE. */
json_t *report_node_id(const struct pool *pool, uint32_t node);
json_t *report_cache_name(const struct pool *pool, uint32_t cache);

/* A step, or what would have helped (refused): kind, reason and its sentence,
 * cache, nodes, and how much. */
json_t *report_step(const struct pool *pool, const struct plan_step *step);

/* What to do about a refusal, or "". */
const char *report_remedy(enum plan_reason reason);

/* A count as JSON can hold it: clients may have written anything. */
json_int_t report_count(uint64_t count);

/* Adds up all caches on a home node. */
void report_sum(const struct pool *pool, const struct usage *census,
                uint32_t node, struct report_sums *sums);

static inline uint64_t report_slab_bytes(const struct pool *pool,
                                         uint32_t cache)
{
	return UNIT_BYTES << pool->view.caches[cache - 1].order;
}

/* CLOCK_MONOTONIC in ns. */
int64_t report_now_ns(void);

/* Builders of routes; arg is the server. */
json_t *report_status(void *arg, const struct admin_query *query, int *status);
json_t *report_nodes(void *arg, const struct admin_query *query, int *status);
json_t *report_caches(void *arg, const struct admin_query *query, int *status);
json_t *report_clients(void *arg, const struct admin_query *query,
                       int *status);
json_t *report_slabs(void *arg, const struct admin_query *query, int *status);
json_t *report_audit(void *arg, const struct admin_query *query, int *status);
json_t *report_plan(void *arg, const struct admin_query *query, int *status);
json_t *report_log(void *arg, const struct admin_query *query, int *status);
json_t *report_lend(void *arg, const struct admin_query *query, int *status);
json_t *report_migrate(void *arg, const struct admin_query *query,
                       int *status);
json_t *report_drain(void *arg, const struct admin_query *query, int *status);
json_t *report_undrain(void *arg, const struct admin_query *query,
                       int *status);
json_t *report_trim(void *arg, const struct admin_query *query, int *status);
json_t *report_settings(void *arg, const struct admin_query *query,
                        int *status);
json_t *report_set(void *arg, const struct admin_query *query, int *status);

#endif
