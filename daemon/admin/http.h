/* SPDX-License-Identifier: MIT */
/*
 * The admin server: HTTP/1.1 over a Unix stream socket, JSON replies.
 *
 *      slabctl, curl --> listen_fd --> evhttp --> route->build() --> JSON
 *
 * It runs on the caller's event base and thread and never blocks there: a
 * reply waits in memory until its reader takes it. Bounds: ADMIN_CONNS_MAX
 * connections, beyond which none is accepted: whoever waits then has one closed,
 * of the user with most of them the one whose last request is longest ago;
 * ADMIN_TIMEOUT_S without a byte moved; ADMIN_HEADERS_MAX and ADMIN_BODY_MAX bytes
 * of a request.
 *
 * What looks is asked for by GET, what changes something by POST: a link or a
 * tool that reads ahead changes nothing. Parameters are in the query, those of
 * a POST also in a body of application/x-www-form-urlencoded. The socket's
 * permissions say who may ask, and whether all who do may change something. A route "/" takes the place of the list of paths.
 *
 * Every answer that a route, or the lack of one, gives is one JSON document,
 * but for routes that have a form of their own; errors are {"error": what,
 * "remedy": what to do}. Requests that are not HTTP get evhttp's own HTML error
 * or a closed connection.
 */
#ifndef DAEMON_ADMIN_HTTP_H
#define DAEMON_ADMIN_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/admin/conns.h"

#define ADMIN_TIMEOUT_S 10
#define ADMIN_HEADERS_MAX 8192
#define ADMIN_LATER 102 /* a builder's status: no answer yet */

struct admin;
struct admin_query;
struct dump_form;
struct event_base;

struct admin_route {
	const char *path; /* "/slabs": the whole path, matched exactly */
	/*
	 * Gives a new reference, or NULL for 500. *status is 200 beforehand;
	 * for an error set it and give admin_error_new(). The query lives for
	 * the call only. It must not call admin_stop. Where it takes more than
	 * a moment, it sets *status to ADMIN_LATER and gives NULL: it is
	 * called again in q->later->again_ms, with the same query, until it
	 * has the answer or the connection ends.
	 */
	json_t *(*build)(void *arg, const struct admin_query *q, int *status);
	/* Parameters it takes, each once, "pool cache node"; NULL: none.
	 * Others: 400. */
	const char *params;
	bool changes;    /* POST alone; else GET alone. Others: 405 */
	const void *how; /* the builder's own, in the query */
	const struct dump_form *form; /* of the answer; NULL: JSON */
};

struct admin_routes {
	const struct admin_route *route;
	size_t n;
	void *arg; /* handed to every build */
	bool readers; /* all but root and our own user look, and change nothing */
	/* Browsers can come here: by a name that is not this machine's own they
	 * get nothing (daemon/admin/host.h). */
	bool browsers;
};

/*
 * Serves routes on listen_fd, a bound, listening, non-blocking stream socket
 * that stays the caller's: admin_stop does not close it. The routes
 * array and its strings must live until admin_stop. 0, or negative errno.
 */
int admin_start(struct admin **out, struct event_base *base, int listen_fd,
                const struct admin_routes *routes);

/*
 * Stops listening and drops every connection at once, replies not yet taken
 * included. NULL is fine. What evhttp puts off runs in the loop's next round or
 * when the base is freed; no event stays that would keep the loop running.
 */
void admin_stop(struct admin *a);

/* Stops accepting, and begins again: the socket by the descriptor's number is
 * another one by then. arg is the struct admin. */
void admin_hush(void *arg, bool hushed);

/* Open connections, for reports and tests. */
unsigned admin_n_conns(struct admin *a);

#endif
