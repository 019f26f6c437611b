/* SPDX-License-Identifier: MIT */
/*
 * The documents that slabctl and curl ask for, a file each; and their routes.
 *
 *   report_status.c  report_nodes.c   report_caches.c
 *   report_clients.c report_slabs.c   report_audit.c
 *   report_plan.c    report_log.c     what balance would do, and what it did
 *   report_arenas.c  report_objpools.c    what clients say of what they have
 *   report_leaks.c                    what nobody may need any more
 *   report_history.c                  what the pools were like
 *   report_doctor.c                   what is wrong, and what to do about it
 *   report_advise.c                   what is wider than need be
 *   report_roots.c   report_dump.c    the latter: objects of a slab
 *   report_metrics.c                  for a collector, no JSON
 *   report_act.c     report_set.c     what changes something, by POST
 *
 * All counts come from the tags, of a look that began after the request. What clients can
 * write (tags, leases, lists, their own counts) is read and shown, and nothing
 * is done because of it. Names come from clients too and need not be UTF-8.
 */
#ifndef DAEMON_ADMIN_REPORTS_H
#define DAEMON_ADMIN_REPORTS_H

#include <stdio.h>

#include "daemon/admin/http.h"
#include "daemon/pool/takeover.h"

struct pool;
struct report;
struct server;

/* What a route's `how` points to: one of them. */
struct report_way {
	bool held; /* pools are counted, and clients asked what they hold */
	bool audit; /* pools are audited */
	/* The document, or report_pools() of what is made of each pool. */
	json_t *(*whole)(struct report *r);
	json_t *(*pool)(struct report *r, struct pool *pool);
};

/* Builds each route's document; arg is the server. */
json_t *report_build(void *arg, const struct admin_query *query, int *status);

json_t *report_status(struct report *r);
json_t *report_nodes(struct report *r);
json_t *report_caches(struct report *r);
json_t *report_clients(struct report *r);
json_t *report_roots(struct report *r);
json_t *report_channels(struct report *r);
json_t *report_arenas(struct report *r);
json_t *report_objpools(struct report *r);
json_t *report_leaks(struct report *r);
json_t *report_slabs(struct report *r);
json_t *report_dump(struct report *r);
json_t *report_audit(struct report *r);
json_t *report_doctor(struct report *r);
json_t *report_advise(struct report *r);
json_t *report_metrics(struct report *r);
json_t *report_plan(struct report *r, struct pool *pool);
json_t *report_log(struct report *r);
json_t *report_history(struct report *r);
json_t *report_lend(struct report *r);
json_t *report_migrate(struct report *r);
json_t *report_drain(struct report *r);
json_t *report_undrain(struct report *r);
json_t *report_cache(struct report *r);
json_t *report_evict(struct report *r);
/* Who has closed something a moment ago may not have been heard yet, if slabd has
 * heard slabctl first: what is open is looked at so often before it is said to be. */
#define REPORT_LOOKS 3u
#define REPORT_LOOK_MS 20u

/* The size of a node's file, or what control groups leave of that. */
json_int_t report_max_bytes(const struct pool *pool, uint32_t node);
json_t *report_pool(struct report *r, struct pool *pool);

/* The bounds of it. */
json_t *report_bounds(const struct pool *pool);

#define REPORT_TAKEN_BYTES 160

/* Says of the next of them, from *at on, that all of it is taken, so that somebody
 * is refused, and what to do. False: of none. */
bool report_next_taken(const struct pool *pool, json_t *bounds, size_t *at,
                       char text[REPORT_TAKEN_BYTES]);
extern const char report_taken_remedy[];
json_t *report_root(struct report *r);
json_t *report_channel(struct report *r);
json_t *report_supervisor(struct report *r);
json_t *report_trim(struct report *r);
json_t *report_settings(struct report *r, struct pool *pool);
json_t *report_save(struct report *r);
json_t *report_set(struct report *r);
json_t *report_upgrade(struct report *r);

/* What --takes-over has to say, besides the pools. */
struct report_start {
	struct remedy lack; /* why slabd would not start, or "" */
	const char *file;   /* of its configuration; NULL: none */
	const struct config_error *errors;
	unsigned n; /* pools */
};

/* Writes the document of slabd --takes-over. 0, or -EIO. */
int report_takes_over(FILE *out, const struct report_start *start,
                      const struct takeover *pools);

/* All of them, for admin_start; and those that anybody on this machine may see. */
void report_routes(struct server *server, struct admin_routes *routes);
void report_public_routes(struct server *server, struct admin_routes *routes);

#endif
