/* SPDX-License-Identifier: MIT */
#include "daemon/serve/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/pool/adopt.h"
#include "daemon/pool/marks.h"
#include "daemon/balance/wants.h"
#include "daemon/manager/lastconf.h"
#include "daemon/serve/listen.h"
#include "daemon/base/log.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/pools.h"
#include "daemon/manager/notify.h"
#include "daemon/manager/fdstore.h"

#define RETRY_MS 50         /* denied lists are asked for anew */
#define ACCEPT_AGAIN_MS 200 /* after descriptors ran out */
#define READY_AGAIN_MS 500

/* What it leaves: told, the sockets, as a restart may follow; else all that a
 * client may have reached. */
enum ending {
	ENDING_TOLD,
	ENDING_NO_START,
	ENDING_BROKEN, /* the loop ended by itself */
};

static const char *const drop_names[DROPS] = {
        "garbage",     "short", "oversized", "version", "descriptors",
        "flood",       "timeout", "refused", "limit",
};

const char *server_drop_name(enum drop drop)
{
	return drop_names[drop];
}

static void start_timer(struct event *timer, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};
	if (!evtimer_pending(timer, NULL))
		evtimer_add(timer, &tv);
}

void server_count_drop(struct server *server, enum drop drop, int32_t pid,
                       const char *text)
{
	server->dropped[drop]++;
	log_warn("dropped the connection of pid %d (%s): %s", pid,
	         drop_names[drop], text);
	/* A flood of them is summed up a second later. */
	start_timer(server->log_sums, 1000);
}

/* ---- pools -------------------------------------------------------------- */

unsigned server_trim(struct server *server, const struct pool *pool)
{
	struct wire_head trim = {.type = WIRE_TRIM, .bytes = sizeof(trim)};
	unsigned asked = 0;
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->events < 0)
			continue;
		if (send(peer->events, &trim, sizeof(trim),
		         MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			asked++;
		else
			log_debug("client %u takes no events: %s", peer->id,
			          strerror(errno));
	}
	return asked;
}

bool server_connected(const struct server *server, const struct pool *pool,
                      uint32_t id)
{
	const struct peer *peer = server->peers;
	while (peer != NULL && (peer->pool != pool || peer->id != id))
		peer = peer->next;
	return peer != NULL && peer->sock >= 0;
}

void server_serve_pool(struct server *server, struct pool *pool)
{
	struct unmet unmet;
	enum wants_outcome outcome = wants_serve(pool, &unmet);
	if (pool->denied_any)
		start_timer(server->retry, RETRY_MS);
	if (outcome == WANTS_NOTHING)
		return;
	start_timer(server->ahead, 0);
	duty_soon(server, SERVER_BALANCE_MS);
	if (outcome >= WANTS_EVENED)
		machine_denied(server, pool, &unmet);
	if (outcome == WANTS_DENIED) {
		pool->counts.trims++;
		server_trim(server, pool);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < server->n_pools; i++)
		marks_clear_denied(&server->pools[i]);
}

static void on_ahead(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < server->n_pools; i++)
		if (wants_ahead(&server->pools[i]))
			start_timer(server->ahead, 0);
}

/* ---- sockets ------------------------------------------------------------ */

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	(void)what;
	if (sock >= 0) {
		peer_accept(server, sock);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM &&
	    errno != ENOBUFS)
		return;
	/* The connection stays in the backlog: look again a while later. */
	log_error("can't accept a client: %s; raise LimitNOFILE",
	          strerror(errno));
	server->dropped[DROP_LIMIT]++;
	event_del(server->accept);
	start_timer(server->accept_again, ACCEPT_AGAIN_MS);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;
	if (event_add(server->accept, NULL) < 0)
		start_timer(server->accept_again, ACCEPT_AGAIN_MS);
}

/* The socket that a dead slabd listened at, with all who came since; or a new
 * one. */
static int open_socket(const char *name, const char *path, int type,
                       mode_t mode, gid_t gid, enum socket_origin *origin)
{
	int fd = fdstore_take(name);
	int still = fd < 0 ? 0 : listen_still_at(fd, path, type, mode, gid);
	struct sockaddr_un old = {.sun_family = AF_UNSPEC};
	*origin = SOCKET_KEPT;
	if (still > 0)
		return fd;
	if (fd >= 0) {
		listen_address(fd, &old);
		close(fd);
	}
	if (still < 0)
		return still;
	if (fd >= 0) {
		log_info("%s was kept and is not the socket at %s: that is "
		         "made anew", name, path);
		fdstore_drop(name);
		/* As long as the manager has it, somebody seems to answer. */
		fdstore_barrier();
		listen_remove(&old, type);
	}
	fd = listen_at(path, type, mode, gid);
	if (fd < 0)
		return fd;
	*origin = SOCKET_MADE;
	fdstore_put(name, fd);
	return fd;
}

static int open_sockets(struct server *server)
{
	const struct config *c = server->config;
	struct notify_sockets given;
	gid_t gid = c->socket_group[0] ? c->socket_gid : (gid_t)-1;
	int r = notify_listen_fds(&given);
	if (r < 0)
		return r;
	server->client_fd = given.client;
	server->control_fd = given.control;
	if (server->client_fd < 0) {
		server->client_fd = open_socket(FDSTORE_CLIENT, c->socket,
		                                SOCK_SEQPACKET, c->socket_mode,
		                                gid, &server->client_origin);
	}
	if (server->client_fd >= 0 && server->control_fd < 0) {
		server->control_fd = open_socket(FDSTORE_CONTROL, c->control,
		                                 SOCK_STREAM, c->control_mode,
		                                 (gid_t)-1,
		                                 &server->control_origin);
	}
	return server->client_fd < 0 ? server->client_fd
	       : server->control_fd < 0 ? server->control_fd : 0;
}

static void close_socket(int fd, enum socket_origin origin, const char *name,
                         const char *path, bool leave)
{
	if (fd < 0)
		return;
	close(fd);
	if (origin == SOCKET_GIVEN || (leave && fdstore_has(name)))
		return;
	unlink(path);
	fdstore_drop(name);
}

static void close_sockets(struct server *server, enum ending ending)
{
	enum socket_origin client = server->client_origin;
	enum socket_origin control = server->control_origin;
	bool kept = ending == ENDING_NO_START;
	bool all = !kept && (ending == ENDING_BROKEN || !server->supervised);
	close_socket(server->client_fd, client, FDSTORE_CLIENT,
	             server->config->socket,
	             all || (kept && client == SOCKET_KEPT));
	close_socket(server->control_fd, control, FDSTORE_CONTROL,
	             server->config->control,
	             all || (kept && control == SOCKET_KEPT));
}

/* ---- the loop ----------------------------------------------------------- */

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct server *server = arg;
	(void)what;
	if (signal == SIGHUP) {
		log_info("SIGHUP: the configuration is read at start alone; "
		         "restart slabd to change it");
		return;
	}
	log_info("%s: stopping", strsignal((int)signal));
	event_base_loopbreak(server->base);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_alive();
}

static void on_log_sums(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	int ms = log_flush();
	(void)fd;
	(void)what;
	if (ms >= 0)
		start_timer(server->log_sums, ms + 1);
}

static void say_ready(struct server *server)
{
	uint64_t ready = 0;
	int r;
	for (unsigned i = 0; i < server->n_pools; i++)
		for (uint32_t n = 0; n < server->topo->n_nodes; n++)
			ready += pool_ready_units(&server->pools[i], n);
	log_info("ready: %u pools on %u nodes, %llu MiB, clients at %s, "
	         "slabctl at %s", server->n_pools, server->topo->n_nodes,
	         (unsigned long long)(ready << UNIT_SHIFT >> 20),
	         server->config->socket, server->config->control);
	r = notify_ready("%u pools on %u nodes, %llu MiB ready%s",
	                  server->n_pools, server->topo->n_nodes,
	                  (unsigned long long)(ready << UNIT_SHIFT >> 20),
	                  lastconf_note());
	if (r == 0)
		return;
	/* The manager would wait in vain, and end us. */
	log_warn("the service manager can't be told that slabd is ready: %s; "
	         "tried again in %d ms", strerror(-r), READY_AGAIN_MS);
	start_timer(server->ready_again, READY_AGAIN_MS);
}

static void on_ready_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	say_ready(arg);
}

/* Before there is anything to clean up: a signal that comes during the start
 * is served once the loop runs, and leaves no socket and no hugepage. */
static int open_signals(struct server *server)
{
	static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};
	for (int i = 0; i < 3; i++) {
		server->signals[i] = evsignal_new(server->base, signals[i],
		                                  on_signal, server);
		if (server->signals[i] == NULL ||
		    evsignal_add(server->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int open_events(struct server *server)
{
	struct event_base *base = server->base;
	server->accept = event_new(base, server->client_fd,
	                           EV_READ | EV_PERSIST, on_accept, server);
	server->accept_again = evtimer_new(base, on_accept_again, server);
	server->retry = evtimer_new(base, on_retry, server);
	server->ahead = evtimer_new(base, on_ahead, server);
	server->log_sums = evtimer_new(base, on_log_sums, server);
	server->ready_again = evtimer_new(base, on_ready_again, server);
	if (!server->accept || !server->accept_again || !server->retry ||
	    !server->ahead || !server->log_sums || !server->ready_again)
		return -ENOMEM;
	if (event_add(server->accept, NULL) < 0)
		return -ENOMEM;
	return duty_open(server) < 0 ? -ENOMEM
	                                       : machine_open(server);
}

static int open_watchdog(struct server *server)
{
	uint64_t us = notify_watchdog_us();
	struct timeval tv = {.tv_sec = (time_t)(us / 1000000),
	                     .tv_usec = (suseconds_t)(us % 1000000)};
	if (us == 0)
		return 0;
	server->watchdog =
	        event_new(server->base, -1, EV_PERSIST, on_watchdog, server);
	if (server->watchdog == NULL || event_add(server->watchdog, &tv) < 0)
		return -ENOMEM;
	return 0;
}

static void free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

static void close_events(struct server *server)
{
	admin_stop(server->admin);
	peer_drop_all(server);
	machine_close(server);
	free_event(server->accept);
	free_event(server->accept_again);
	free_event(server->retry);
	free_event(server->ahead);
	free_event(server->balance);
	free_event(server->log_sums);
	free_event(server->ready_again);
	free_event(server->watchdog);
	for (int i = 0; i < 3; i++)
		free_event(server->signals[i]);
}

static int start_admin(struct server *server)
{
	static struct admin_routes routes;
	report_routes(server, &routes);
	return admin_start(&server->admin, server->base, server->control_fd,
	                   &routes);
}

/* Clients of pools that were taken over; and wants that nobody served. */
static int take_up_clients(struct server *server)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < server->n_pools; i++) {
		r = peer_adopt_clients(server, &server->pools[i]);
		server_serve_pool(server, &server->pools[i]);
	}
	if (r == 0)
		adopt_rest(server->topo);
	/* Loans that were taken over, and nodes that were being emptied. */
	duty_soon(server, SERVER_BALANCE_MS);
	return r;
}

/* Everything up to the loop. 0, or -errno with the reason logged. */
static int start(struct server *server)
{
	int r = open_signals(server);
	if (r == 0)
		r = open_sockets(server);
	if (r == 0)
		r = pools_open(server);
	if (r < 0)
		return r;
	r = open_events(server);
	if (r == 0)
		r = take_up_clients(server);
	if (r == 0)
		r = open_watchdog(server);
	if (r == 0)
		r = start_admin(server);
	if (r < 0)
		log_error("can't start the event loop: %s", strerror(-r));
	return r;
}

/* SIG_BLOCK or SIG_UNBLOCK: they wait while slabd starts, until its loop can
 * serve them; and a second SIGTERM must not kill it meanwhile. */
static void hold_signals(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

int server_run(const struct config *config, bool supervised)
{
	static struct server server;
	static struct topo topo;
	enum ending ending = ENDING_NO_START;
	int r = topo_load(&topo, config->topology[0] ? config->topology : NULL);
	if (r < 0) {
		log_error("topology: %s", topo.error);
		return EXIT_FAILURE;
	}
	server.started_ns = clock_ns();
	server.config = config;
	server.supervised = supervised;
	server.topo = &topo;
	server.client_fd = server.control_fd = -1;
	hold_signals(SIG_BLOCK);
	server.base = event_base_new();
	r = server.base == NULL ? -ENOMEM : start(&server);
	if (r == 0) {
		lastconf_keep(config);
		say_ready(&server);
		hold_signals(SIG_UNBLOCK);
		r = event_base_dispatch(server.base);
		ending = r < 0 ? ENDING_BROKEN : ENDING_TOLD;
		if (r < 0)
			log_error("the event loop can't go on");
		hold_signals(SIG_BLOCK);
		notify_stopping();
	}
	close_events(&server);
	close_sockets(&server, ending);
	pools_close(&server, ending == ENDING_TOLD, ending == ENDING_BROKEN);
	if (server.base != NULL)
		event_base_free(server.base);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
