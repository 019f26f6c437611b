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

#include "daemon/admin/query.h"

/* How long to leave the backlog alone after accept failed (EMFILE). */
#define ACCEPT_PAUSE_MS 500

/*
 * A connection is born in conn_born, as a bufferevent that evhttp has yet to
 * wrap; conn_adopt learns the wrapper; conn_closed hears of its end.
 */
struct conn {
	struct bufferevent *newborn;     /* held until adopted, or NULL */
	struct evhttp_connection *evcon; /* once adopted, or NULL */
	uint64_t last;                   /* tick of the last request */
};

struct admin {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's once bound */
	struct event *adopt;
	struct event *resume;
	const struct admin_routes *routes;
	uint64_t tick; /* counts connections and requests */
	struct conn conn[ADMIN_CONNS_MAX];
	struct admin *next;
};

/*
 * Servers of this process. evhttp claims the listener's one callback
 * argument, so accept_failed has to find its server here.
 */
static struct admin *servers;

static json_t *paths_new(const struct admin_routes *routes, bool changes)
{
	json_t *paths = json_array();
	size_t i;

	for (i = 0; paths && i < routes->n; i++)
		if (routes->route[i].changes == changes)
			json_array_append_new(
				paths, json_string(routes->route[i].path));
	return paths;
}

/* Paths to GET, and paths to POST to. */
static json_t *root_new(const struct admin_routes *routes)
{
	return json_pack("{s:o, s:o}", "paths", paths_new(routes, false),
	                 "post", paths_new(routes, true));
}

static json_t *no_path_new(const struct admin_routes *routes)
{
	json_t *err = admin_error_new("no such path", "GET one of the paths, "
	                              "or POST to one of the others");

	if (err) {
		json_object_set_new(err, "paths", paths_new(routes, false));
		json_object_set_new(err, "post", paths_new(routes, true));
	}
	return err;
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

static json_t *bad_method_new(struct evhttp_request *req, bool get, bool post)
{
	evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
	                  get && post ? "GET, POST" : get ? "GET" : "POST");
	return admin_error_new("method not allowed",
	                       get && post ? "use GET to look, POST to change"
	                       : get       ? "use GET"
	                             : "use POST: it changes something");
}

static json_t *route_run(struct admin *a, const struct admin_route *route,
                         struct evhttp_request *req, int *status)
{
	struct admin_query q;
	json_t *doc = admin_query_read(&q, route, req, status);

	if (*status == HTTP_OK)
		doc = route->build(a->routes->arg, &q, status);
	admin_query_done(&q);
	return doc;
}

static json_t *answer(struct admin *a, struct evhttp_request *req, int *status)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	bool root = path && (!*path || strcmp(path, "/") == 0);
	const struct admin_route *get = route_of(a->routes, path, false);
	const struct admin_route *post = route_of(a->routes, path, true);
	enum evhttp_cmd_type method = evhttp_request_get_command(req);

	if (root && method == EVHTTP_REQ_GET)
		return root_new(a->routes);
	if (get && method == EVHTTP_REQ_GET)
		return route_run(a, get, req, status);
	if (post && method == EVHTTP_REQ_POST)
		return route_run(a, post, req, status);
	*status = root || get || post ? HTTP_BADMETHOD : HTTP_NOTFOUND;
	return *status == HTTP_NOTFOUND
	               ? no_path_new(a->routes)
	               : bad_method_new(req, root || get, post != NULL);
}

static int dump_part(const char *part, size_t len, void *arg)
{
	return evbuffer_add(arg, part, len);
}

static void reply(struct evhttp_request *req, int status, const json_t *doc)
{
	static const char failed[] = "{\"error\":\"no answer could be made\","
				     "\"remedy\":\"see the log of slabd\"}";
	struct evkeyvalq *head = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	if (!doc || json_dump_callback(doc, dump_part, body, JSON_COMPACT)) {
		status = HTTP_INTERNAL;
		evbuffer_drain(body, evbuffer_get_length(body));
		evbuffer_add(body, failed, sizeof(failed) - 1);
	}
	evbuffer_add(body, "\n", 1);
	evhttp_add_header(head, "Content-Type", "application/json");
	evhttp_add_header(head, "Cache-Control", "no-store");
	evhttp_send_reply(req, status, NULL, body);
	evbuffer_free(body);
}

static void request_came(struct evhttp_request *req, void *arg)
{
	struct admin *a = arg;
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	int status = HTTP_OK;
	json_t *doc;
	size_t i;

	for (i = 0; i < ADMIN_CONNS_MAX; i++)
		if (a->conn[i].evcon == evcon)
			a->conn[i].last = ++a->tick;
	doc = answer(a, req, &status);
	reply(req, status, doc);
	json_decref(doc);
}

static void conn_closed(struct evhttp_connection *evcon, void *arg)
{
	struct conn *c = arg;

	evhttp_connection_set_closecb(evcon, NULL, NULL);
	c->evcon = NULL;
}

/*
 * evhttp tells nobody of a new server connection before its first request,
 * but hands itself to the bufferevent as the argument of its callbacks, and
 * takes that back when it frees it.
 */
static void conn_adopt(struct conn *c)
{
	struct bufferevent *bev = c->newborn;
	void *arg = NULL;

	if (!bev)
		return;
	bufferevent_getcb(bev, NULL, NULL, NULL, &arg);
	c->newborn = NULL;
	c->evcon = arg;
	if (c->evcon)
		evhttp_connection_set_closecb(c->evcon, conn_closed, c);
	bufferevent_decref(bev);
}

static void adopt_all(evutil_socket_t fd, short what, void *arg)
{
	struct admin *a = arg;
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < ADMIN_CONNS_MAX; i++)
		conn_adopt(&a->conn[i]);
}

/* A free slot; if there is none, the quietest connection is closed. */
static struct conn *conn_slot(struct admin *a)
{
	struct conn *quiet = NULL, *c;

	for (c = a->conn; c < a->conn + ADMIN_CONNS_MAX; c++) {
		if (!c->evcon)
			return c;
		if (!quiet || c->last < quiet->last)
			quiet = c;
	}
	evhttp_connection_free(quiet->evcon);
	return quiet;
}

/* Called inside accept: evhttp wraps what this returns right afterwards. */
static struct bufferevent *conn_born(struct event_base *base, void *arg)
{
	struct admin *a = arg;
	struct bufferevent *bev;
	struct conn *c;

	adopt_all(-1, 0, a);
	bev = bufferevent_socket_new(base, -1, 0);
	if (!bev)
		return NULL;
	c = conn_slot(a);
	bufferevent_incref(bev);
	c->newborn = bev;
	c->evcon = NULL;
	c->last = ++a->tick;
	event_active(a->adopt, EV_TIMEOUT, 0);
	return bev;
}

/* A listener left as it is would report the same failure without end. */
static void accept_failed(struct evconnlistener *listener, void *evhttp)
{
	const struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
	struct admin *a;

	for (a = servers; a; a = a->next) {
		if (a->http != evhttp)
			continue;
		evconnlistener_disable(listener);
		event_add(a->resume, &pause);
	}
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
	struct admin *a = arg;

	(void)fd;
	(void)what;
	if (evconnlistener_enable(a->listener) < 0)
		evtimer_add(a->resume, &pause);
}

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
	a->adopt = event_new(a->base, -1, 0, adopt_all, a);
	a->resume = event_new(a->base, -1, 0, accept_again, a);
	a->http = evhttp_new(a->base);
	if (!a->adopt || !a->resume || !a->http)
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
	adopt_all(-1, 0, a);
	if (a->http)
		evhttp_free(a->http);
	if (a->adopt)
		event_free(a->adopt);
	if (a->resume)
		event_free(a->resume);
	free(a);
}

unsigned admin_n_conns(const struct admin *a)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < ADMIN_CONNS_MAX; i++)
		n += a->conn[i].evcon || a->conn[i].newborn;
	return n;
}
