/* SPDX-License-Identifier: MIT */
/*
 * The documents that slabctl and curl ask for, a file each; and their routes.
 *
 *   report_status.c  report_nodes.c   report_caches.c
 *   report_clients.c report_slabs.c   report_audit.c
 *   report_plan.c    report_log.c     what balance would do, and what it did
 *   report_act.c     report_set.c     what changes something, by POST
 *
 * All counts come from the tags, taken anew for each request. What clients can
 * write (tags, leases, lists, their own counts) is read and shown, and nothing
 * is done because of it. Names come from clients too and need not be UTF-8.
 */
#ifndef DAEMON_ADMIN_REPORTS_H
#define DAEMON_ADMIN_REPORTS_H

#include "daemon/admin/http.h"

struct server;

/* Builders of routes; arg is the server. */
json_t *report_status(void *arg, const struct admin_query *query, int *status);
json_t *report_nodes(void *arg, const struct admin_query *query, int *status);
json_t *report_caches(void *arg, const struct admin_query *query, int *status);
json_t *report_clients(void *arg, const struct admin_query *query, int *status);
json_t *report_slabs(void *arg, const struct admin_query *query, int *status);
json_t *report_audit(void *arg, const struct admin_query *query, int *status);
json_t *report_plan(void *arg, const struct admin_query *query, int *status);
json_t *report_log(void *arg, const struct admin_query *query, int *status);
json_t *report_lend(void *arg, const struct admin_query *query, int *status);
json_t *report_migrate(void *arg, const struct admin_query *query, int *status);
json_t *report_drain(void *arg, const struct admin_query *query, int *status);
json_t *report_undrain(void *arg, const struct admin_query *query, int *status);
json_t *report_trim(void *arg, const struct admin_query *query, int *status);
json_t *report_settings(void *arg, const struct admin_query *query,
                        int *status);
json_t *report_set(void *arg, const struct admin_query *query, int *status);

/* All of them, for admin_start. */
void report_routes(struct server *server, struct admin_routes *routes);

#endif
