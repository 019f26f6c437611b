/* SPDX-License-Identifier: MIT */
#include "daemon/admin/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admin/conns.h"
#include "daemon/admin/dump.h"
#include "daemon/admin/host.h"
#include "daemon/admin/query.h"
#include "daemon/base/clock.h"
#include "daemon/base/turn.h"
#include "daemon/pool/looks.h"

/* How long to leave the backlog alone after accept failed (EMFILE). */
#define ACCEPT_PAUSE_MS 500

#define FORBIDDEN 403

/* Between two looks whether evhttp is done with some. */
#define TEND_MS 1000

/* A long answer is written out in slices, as it was made (pool/looks.h). */
#define WRITE_NS CLOCK_MS

/* Between two tries to have a connection gone. */
#define EVICT_PAUSE_MS 1

/*
 *              the last slot is taken            somebody waits
 *   accepting ------------------------> full -------------------> evicting
 *       ^                                |  a slot came free          |
 *       +--------------------------------+----------------------------+
 *
 * Full or out of descriptors, the listener is off; else it would report the
 * same without end.
 */

/* A request whose builder has no answer yet. It ends with its connection. */
struct waiting {
	struct waiting *next;
	struct waiting **link;
	struct admin *admin;
	struct evhttp_connection *evcon;
	struct evhttp_request *req; /* evhttp's, gone as the connection ends */
	const struct admin_route *route;
	struct admin_later later;
	struct admin_query q;
	struct event *again; /* asks the builder anew; NULL: answered at once */
	bool writes; /* the answer is there, and is written out */
	int status;
	struct dump dump;
};

struct admin {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's once bound */
	struct event *knock;             /* somebody waits while it is full */
	struct event *resume;            /* time to accept again */
	const struct admin_routes *routes;
	struct event *tend; /* connections have begun or ended */
	struct conns conns;
	struct waiting *waiting;
	struct admin *next;
};

/*
 * Servers of this process. evhttp claims the listener's one callback
 * argument, so accept_failed has to find its server here.
 */
static struct admin *servers;

/* Gives a document the paths to GET, and those to POST to. */
static json_t *with_paths(json_t *doc, const struct admin_routes *routes)
{
	json_t *get = json_array(), *post = json_array();
	for (size_t i = 0; i < routes->n; i++)
		json_array_append_new(routes->route[i].changes ? post : get,
		                      json_string(routes->route[i].path));
	json_object_set_new(doc, "paths", get);
	json_object_set_new(doc, "post", post);
	return doc;
}

/* Whether a path is there to look at, or to change something; and as which
 * route. */
static const struct admin_route *route_of(const struct admin_routes *routes,
                                          const char *path, bool changes)
{
	size_t i;
	for (i = 0; path && i < routes->n; i++)
		if (routes->route[i].changes == changes &&
		    strcmp(path, routes->route[i].path) == 0)
			return &routes->route[i];
	return NULL;
}

static void reply(struct evhttp_request *req, int status, json_t *doc)
{
	struct dump dump;
	dump_begin(&dump, doc, NULL);
	while (dump_some(&dump, INT64_MAX))
		continue;
	dump_reply(&dump, req, status);
}

/* ---- requests that are answered later ------------------------------------ */

static void wait_end(struct waiting *w)
{
	if (w->link) {
		*w->link = w->next;
		if (w->next)
			w->next->link = w->link;
	}
	if (w->again)
		event_free(w->again);
	admin_query_done(&w->q);
	if (w->writes)
		dump_done(&w->dump);
	if (w->later.done)
		w->later.done(w->later.job);
	else
		free(w->later.job);
	free(w);
}

static void wait_on(struct waiting *w)
{
	const struct timeval pause = {0, w->later.again_ms * 1000};
	evtimer_add(w->again, &pause);
}

static void ask_again(evutil_socket_t fd, short what, void *arg);
static void conn_closed(struct evhttp_connection *evcon, void *arg);

/* False when there is no memory for it. */
static bool wait_begin(struct waiting *w)
{
	struct admin *a = w->admin;
	w->again = evtimer_new(a->base, ask_again, w);
	if (!w->again)
		return false;
	w->next = a->waiting;
	w->link = &a->waiting;
	if (w->next)
		w->next->link = &w->next;
	a->waiting = w;
	evhttp_connection_set_closecb(w->evcon, conn_closed, a);
	wait_on(w);
	return true;
}

/* What was asked of the builder may go before the reply does. */
static void send_reply(struct waiting *w)
{
	struct evhttp_request *req = w->req;
	struct dump dump = w->dump;
	int status = w->status;
	w->writes = false;
	wait_end(w);
	dump_reply(&dump, req, status);
}

static void write_some(struct waiting *w)
{
	int64_t began_ns = clock_ns();
	if (dump_some(&w->dump, began_ns + WRITE_NS) &&
	    (w->again || wait_begin(w))) {
		looks_pay(began_ns);
		w->later.again_ms = looks_pause_ms();
		wait_on(w);
		return;
	}
	while (dump_some(&w->dump, INT64_MAX))
		continue;
	send_reply(w);
}

static void answered(struct waiting *w, int status, json_t *doc)
{
	w->writes = true;
	w->status = status;
	dump_begin(&w->dump, doc, status == HTTP_OK ? w->route->form : NULL);
	write_some(w);
}

static void ask_again(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *w = arg;
	int status = HTTP_OK;
	json_t *doc;
	(void)fd;
	(void)what;
	turn_at("admin");
	if (w->writes) {
		write_some(w);
		return;
	}
	doc = w->route->build(w->admin->routes->arg, &w->q, &status);
	if (status == ADMIN_LATER)
		wait_on(w);
	else
		answered(w, status, doc);
}

static void waits_of(struct admin *a, const struct evhttp_connection *evcon)
{
	struct waiting *next;
	for (struct waiting *w = a->waiting; w; w = next) {
		next = w->next;
		if (!evcon || w->evcon == evcon)
			wait_end(w);
	}
}

/* ---- one request --------------------------------------------------------- */

/* Answers, now or later: then *status is ADMIN_LATER. NULL. */
static json_t *route_run(struct admin *a, const struct admin_route *route,
                         struct evhttp_request *req, int *status)
{
	struct waiting *w = calloc(1, sizeof(*w));
	json_t *doc;
	if (!w) {
		*status = HTTP_INTERNAL;
		return NULL;
	}
	*w = (struct waiting){
		.admin = a,
		.evcon = evhttp_request_get_connection(req),
		.req = req,
		.route = route,
	};
	w->q.how = route->how;
	w->q.later = &w->later;
	doc = admin_query_read(&w->q, route->path, route->params,
	                       route->changes, req, status);
	if (*status == HTTP_OK)
		doc = route->build(a->routes->arg, &w->q, status);
	if (*status == ADMIN_LATER && !wait_begin(w))
		*status = HTTP_INTERNAL;
	if (*status != ADMIN_LATER)
		answered(w, *status, doc);
	*status = ADMIN_LATER;
	return NULL;
}

static json_t *answer(struct admin *a, struct evhttp_request *req, int *status)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	bool root = path && (!*path || strcmp(path, "/") == 0);
	const struct admin_route *get = route_of(a->routes, path, false);
	const struct admin_route *post = route_of(a->routes, path, true);
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	/* The answer to HEAD is that to GET, without what it says. */
	bool looks = method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
	if (a->routes->browsers && !host_is_here(req)) {
		*status = FORBIDDEN;
		return host_error_new();
	}
	if (get && looks)
		return route_run(a, get, req, status);
	if (root && looks)
		return with_paths(json_object(), a->routes);
	if (post && method == EVHTTP_REQ_POST && a->routes->readers &&
	    !admin_is_own(req)) {
		*status = FORBIDDEN;
		return admin_error_new("you may look, and change nothing",
		                       "root and the user that slabd runs as "
		                       "may, see control_group in "
		                       "slabd.conf(5)");
	}
	if (post && method == EVHTTP_REQ_POST)
		return route_run(a, post, req, status);
	*status = root || get || post ? HTTP_BADMETHOD : HTTP_NOTFOUND;
	if (*status == HTTP_BADMETHOD)
		return admin_bad_method_new(req, root || get, post != NULL);
	return with_paths(admin_error_new("no such path",
	                                  "GET one of the paths, or POST to "
	                                  "one of the others"),
	                  a->routes);
}

/* ---- connections -------------------------------------------------------- */

static void accept_soon(struct admin *a, int ms)
{
	const struct timeval pause = {0, ms * 1000};
	event_del(a->knock);
	evtimer_add(a->resume, &pause);
}

static void conn_closed(struct evhttp_connection *evcon, void *arg)
{
	struct admin *a = arg;
	waits_of(a, evcon);
	conns_ended(&a->conns, evcon);
	/* Once evhttp is back from its end. */
	event_active(a->tend, 0, 0);
	if (event_pending(a->knock, EV_READ, NULL))
		accept_soon(a, 0);
}

unsigned admin_n_conns(struct admin *a)
{
	return conns_count(&a->conns);
}

/* Those that ended without a request are found by looking. */
static void tend(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = {TEND_MS / 1000, 0};
	struct admin *a = arg;
	(void)fd;
	(void)what;
	conns_meet(&a->conns);
	if (admin_n_conns(a) > 0)
		evtimer_add(a->tend, &pause);
}

static void request_came(struct evhttp_request *req, void *arg)
{
	struct admin *a = arg;
	int status = HTTP_OK;
	json_t *doc;
	turn_at("admin");
	conns_asked(&a->conns, evhttp_request_get_connection(req), conn_closed,
	            a);
	doc = answer(a, req, &status);
	if (status != ADMIN_LATER)
		reply(req, status, doc);
}

static struct bufferevent *conn_born(struct event_base *base, void *arg)
{
	struct admin *a = arg;
	struct bufferevent *bev = conns_add(&a->conns, base);
	if (conns_are_all(&a->conns)) {
		evconnlistener_disable(a->listener);
		event_add(a->knock, NULL);
	}
	/* Before the loop looks at what it sent. */
	event_active(a->tend, 0, 0);
	return bev;
}

/* ---- accepting ---------------------------------------------------------- */

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct admin *a = arg;
	(void)fd;
	(void)what;
	if (admin_n_conns(a) == ADMIN_CONNS_MAX) {
		conns_evict(&a->conns);
		accept_soon(a, EVICT_PAUSE_MS);
	} else if (evconnlistener_enable(a->listener) < 0) {
		accept_soon(a, ACCEPT_PAUSE_MS);
	}
}

static void knocked(evutil_socket_t fd, short what, void *arg)
{
	struct admin *a = arg;
	(void)fd;
	(void)what;
	if (admin_n_conns(a) == ADMIN_CONNS_MAX)
		conns_evict(&a->conns);
	accept_soon(a, 0);
}

/* A listener that was off is made so again once the next one comes. */
void admin_hush(void *arg, bool hushed)
{
	struct admin *a = arg;
	if (hushed) {
		event_del(a->knock);
		evconnlistener_disable(a->listener);
	} else {
		accept_soon(a, 0);
	}
}

static void accept_failed(struct evconnlistener *listener, void *evhttp)
{
	struct admin *a = servers;
	while (a && a->http != evhttp)
		a = a->next;
	if (!a)
		return;
	evconnlistener_disable(listener);
	accept_soon(a, ACCEPT_PAUSE_MS);
}

/* ---- start and stop ----------------------------------------------------- */

static void http_setup(struct admin *a)
{
	evhttp_set_max_headers_size(a->http, ADMIN_HEADERS_MAX);
	evhttp_set_max_body_size(a->http, ADMIN_BODY_MAX);
	evhttp_set_timeout(a->http, ADMIN_TIMEOUT_S);
	/* All of them come to request_came, to be refused in JSON. */
	evhttp_set_allowed_methods(
		a->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
				 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
				 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
				 EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(a->http, request_came, a);
	evhttp_set_bevcb(a->http, conn_born, a);
}

static int setup(struct admin *a, int listen_fd)
{
	a->knock = event_new(a->base, listen_fd, EV_READ, knocked, a);
	a->resume = event_new(a->base, -1, 0, accept_again, a);
	a->tend = event_new(a->base, -1, 0, tend, a);
	a->http = evhttp_new(a->base);
	if (!a->knock || !a->resume || !a->tend || !a->http)
		return -ENOMEM;
	http_setup(a);
	a->listener = evconnlistener_new(a->base, NULL, NULL,
	                                 LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
	if (!a->listener)
		return -EINVAL;
	evconnlistener_set_error_cb(a->listener, accept_failed);
	if (!evhttp_bind_listener(a->http, a->listener)) {
		evconnlistener_free(a->listener);
		return -ENOMEM;
	}
	/* To bind enables it, and does not say whether that failed. */
	return evconnlistener_enable(a->listener) < 0 ? -ENOMEM : 0;
}

int admin_start(struct admin **out, struct event_base *base, int listen_fd,
                const struct admin_routes *routes)
{
	struct admin *a = calloc(1, sizeof(*a));
	int r;
	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->base = base;
	a->routes = routes;
	a->next = servers;
	servers = a;
	r = setup(a, listen_fd);
	if (r < 0) {
		admin_stop(a);
		return r;
	}
	*out = a;
	return 0;
}

void admin_stop(struct admin *a)
{
	struct admin **link = &servers;
	if (!a)
		return;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	waits_of(a, NULL);
	conns_forget(&a->conns);
	if (a->http)
		evhttp_free(a->http);
	conns_close(&a->conns);
	if (a->knock)
		event_free(a->knock);
	if (a->resume)
		event_free(a->resume);
	if (a->tend)
		event_free(a->tend);
	free(a);
}
