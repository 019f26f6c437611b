/* SPDX-License-Identifier: MIT */
#include "daemon/serve/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/lastconf.h"
#include "daemon/manager/notify.h"
#include "daemon/pool/adopt.h"
#include "daemon/serve/dispatch.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/machine.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/peer_adopt.h"
#include "daemon/serve/pools.h"
#include "daemon/serve/pressed.h"
#include "daemon/serve/timer.h"

#define ACCEPT_AGAIN_NS (200 * CLOCK_MS) /* after descriptors ran out */
#define READY_AGAIN_MS 500

/* What it leaves: told, the sockets, as a restart may follow; else all that a
 * client may have reached. */
enum ending {
	ENDING_NO_START,
	ENDING_TOLD,
	ENDING_BROKEN, /* the loop ended by itself */
};

static struct loop {
	struct server server;
	struct topo topo;
	bool supervised; /* whoever keeps the sockets ends with slabd */
	enum ending ending;
	struct event *accept;
	struct event *accept_again;
	struct event *watchdog;
	struct event *ready_again; /* the manager could not be told */
	struct event *signals[3];
} loop;

/* ---- sockets ------------------------------------------------------------ */

static struct listen_place clients_place(const struct config *c)
{
	return (struct listen_place){
		.name = FDSTORE_CLIENT,
		.path = c->socket,
		.type = SOCK_SEQPACKET,
		.mode = c->socket_mode,
		.gid = c->socket_group[0] ? c->socket_gid : (gid_t)-1};
}

static struct listen_place control_place(const struct config *c)
{
	return (struct listen_place){.name = FDSTORE_CONTROL,
	                             .path = c->control,
	                             .type = SOCK_STREAM,
	                             .mode = c->control_mode,
	                             .gid = (gid_t)-1};
}

static int open_sockets(struct server *server)
{
	struct listen_place clients = clients_place(server->config);
	struct listen_place control = control_place(server->config);
	struct notify_sockets given;
	int r = notify_listen_fds(&given);
	if (r < 0)
		return r;
	server->clients.fd = given.client;
	server->control.fd = given.control;
	if (server->clients.fd < 0)
		r = listen_open(&server->clients, &clients);
	if (r == 0 && server->control.fd < 0)
		r = listen_open(&server->control, &control);
	return r;
}

/* Whether the next slabd is to have it. */
static bool is_left(const struct listen_socket *at)
{
	switch (loop.ending) {
	case ENDING_NO_START:
		return at->origin == LISTEN_KEPT;
	case ENDING_TOLD:
		return !loop.supervised;
	case ENDING_BROKEN:
		return true;
	}
	return false;
}

static void close_sockets(struct server *server)
{
	struct listen_place clients = clients_place(server->config);
	struct listen_place control = control_place(server->config);
	listen_close(&server->clients, &clients, is_left(&server->clients));
	listen_close(&server->control, &control, is_left(&server->control));
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	(void)what;
	if (sock >= 0) {
		dispatch_accept(server, sock);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM &&
	    errno != ENOBUFS)
		return;
	/* The connection stays in the backlog: look again a while later. */
	log_error("can't accept a client: %s; raise LimitNOFILE",
	          strerror(errno));
	server->drops.count[DROP_LIMIT]++;
	event_del(loop.accept);
	timer_start(loop.accept_again, ACCEPT_AGAIN_NS);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (event_add(loop.accept, NULL) < 0)
		timer_start(loop.accept_again, ACCEPT_AGAIN_NS);
}

/* ---- signals ------------------------------------------------------------ */

static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};

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

/* Before there is anything to clean up: a signal that comes during the start
 * is served once the loop runs, and leaves no socket and no hugepage. */
static int open_signals(struct server *server)
{
	for (int i = 0; i < 3; i++) {
		loop.signals[i] = evsignal_new(server->base, signals[i],
		                               on_signal, server);
		if (loop.signals[i] == NULL ||
		    evsignal_add(loop.signals[i], NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* SIG_BLOCK or SIG_UNBLOCK: they wait while slabd starts, until its loop can
 * serve them; and a second SIGTERM must not kill it meanwhile. */
static void hold_signals(int how)
{
	sigset_t set;
	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(how, &set, NULL);
}

/* ---- the manager -------------------------------------------------------- */

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_alive();
}

static int open_watchdog(struct server *server)
{
	int64_t ns = notify_watchdog_ns();
	struct timeval tv = clock_timeval(ns);
	if (ns == 0)
		return 0;
	loop.watchdog =
		event_new(server->base, -1, EV_PERSIST, on_watchdog, server);
	if (loop.watchdog == NULL || event_add(loop.watchdog, &tv) < 0)
		return -ENOMEM;
	return 0;
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
	timer_start(loop.ready_again, READY_AGAIN_MS * CLOCK_MS);
}

static void on_ready_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	say_ready(arg);
}

/* ---- open, run, close --------------------------------------------------- */

static int open_own_events(struct server *server)
{
	struct event_base *base = server->base;
	loop.accept = event_new(base, server->clients.fd, EV_READ | EV_PERSIST,
	                        on_accept, server);
	loop.accept_again = evtimer_new(base, on_accept_again, server);
	loop.ready_again = evtimer_new(base, on_ready_again, server);
	if (!loop.accept || !loop.accept_again || !loop.ready_again ||
	    event_add(loop.accept, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int open_events(struct server *server)
{
	int r = open_own_events(server);
	if (r == 0)
		r = drops_open(&server->drops, server->base);
	if (r == 0)
		r = duty_open(server);
	if (r == 0)
		r = machine_open(server);
	return r == 0 ? pressed_open(server) : r;
}

/* Clients of pools that were taken over; and wants that nobody served. */
static int take_up_clients(struct server *server)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < server->n_pools; i++) {
		r = peer_adopt_clients(server, &server->pools[i]);
		duty_serve_pool(server, &server->pools[i]);
	}
	if (r == 0)
		adopt_rest(server->topo);
	/* Loans that were taken over, and nodes that were being emptied. */
	duty_soon(server, DUTY_SOON_NS);
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
	if (r < 0)
		log_error("can't start the event loop: %s", strerror(-r));
	return r;
}

int loop_open(struct server **out, const struct config *config, bool supervised)
{
	struct server *server = *out = &loop.server;
	int r;
	server->config = config;
	server->topo = &loop.topo;
	server->clients.fd = server->control.fd = -1;
	server->started_ns = clock_ns();
	loop.supervised = supervised;
	r = topo_load(&loop.topo,
	              config->topology[0] ? config->topology : NULL);
	if (r < 0) {
		log_error("topology: %s", loop.topo.error);
		return r;
	}
	hold_signals(SIG_BLOCK);
	server->base = event_base_new();
	return server->base == NULL ? -ENOMEM : start(server);
}

int loop_run(struct server *server)
{
	int r;
	lastconf_keep(server->config);
	say_ready(server);
	hold_signals(SIG_UNBLOCK);
	r = event_base_dispatch(server->base) < 0 ? -EIO : 0;
	loop.ending = r < 0 ? ENDING_BROKEN : ENDING_TOLD;
	if (r < 0)
		log_error("the event loop can't go on");
	hold_signals(SIG_BLOCK);
	notify_stopping();
	return r;
}

void loop_close(struct server *server)
{
	peer_free_all(server);
	pressed_close(server);
	machine_close(server);
	duty_close(server);
	drops_close(&server->drops);
	timer_free(&loop.accept);
	timer_free(&loop.accept_again);
	timer_free(&loop.ready_again);
	timer_free(&loop.watchdog);
	for (int i = 0; i < 3; i++)
		timer_free(&loop.signals[i]);
	close_sockets(server);
	pools_close(server, loop.ending == ENDING_TOLD,
	            loop.ending == ENDING_BROKEN);
	if (server->base != NULL)
		event_base_free(server->base);
}
