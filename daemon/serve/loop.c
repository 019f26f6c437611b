/* SPDX-License-Identifier: MIT */
#include "daemon/serve/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/balance/balance.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/remedy.h"
#include "daemon/base/stop.h"
#include "daemon/base/turn.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/lastconf.h"
#include "daemon/manager/notify.h"
#include "daemon/manager/tells.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/ledger.h"
#include "daemon/pool/rest.h"
#include "daemon/pool/work.h"
#include "daemon/serve/beat.h"
#include "daemon/serve/death.h"
#include "daemon/serve/dispatch.h"
#include "daemon/serve/door.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/files.h"
#include "daemon/serve/fits.h"
#include "daemon/serve/guardian.h"
#include "daemon/serve/grown.h"
#include "daemon/serve/leaving.h"
#include "daemon/serve/machine.h"
#include "daemon/serve/overdue.h"
#include "daemon/serve/paths.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/pools.h"
#include "daemon/serve/ready.h"
#include "daemon/serve/sampling.h"
#include "daemon/serve/share.h"
#include "daemon/serve/told.h"
#include "daemon/serve/users.h"
#include "daemon/watch/wake.h"
#include "numa/hugepool.h"

#define ACCEPT_AGAIN_NS (200 * CLOCK_MS) /* after descriptors ran out */
#define HELD_LIMIT_NS (10 * CLOCK_S)   /* for what clients' calls hold, at the end */
#define TELLS_LIMIT_NS (5 * CLOCK_S)   /* for what waits, at the end */

/* What it leaves: told, the sockets, as a restart may follow; else all that a
 * client may have reached. */
enum ending {
	ENDING_NO_START,
	ENDING_TOLD,
	ENDING_BROKEN, /* the loop ended by itself */
};

#define ENDS 2 /* signals that end it */

static struct loop {
	struct server server;
	struct topo topo;
	bool supervised; /* whoever keeps the sockets ends with slabd */
	enum ending ending;
	struct event *accept;
	struct event *accept_again;
	struct event *signals[ENDS];
} loop;

/* ---- sockets ------------------------------------------------------------ */

static void place_sockets(struct server *server)
{
	const struct config *c = server->config;
	server->clients = (struct listen_socket){
		.fd = -1,
		.pin = -1,
		.name = FDSTORE_CLIENT,
		.path = c->socket,
		.type = SOCK_SEQPACKET,
		.mode = c->socket_mode,
		.gid = c->socket_group[0] ? c->socket_gid : (gid_t)-1};
	server->control = (struct listen_socket){.fd = -1,
	                                         .pin = -1,
	                                         .name = FDSTORE_CONTROL,
	                                         .path = c->control,
	                                         .type = SOCK_STREAM,
	                                         .mode = c->control_mode,
	                                         .gid = c->control_group[0]
	                                                 ? c->control_gid
	                                                 : (gid_t)-1};
}

static int open_sockets(struct server *server)
{
	struct notify_sockets given;
	int r = notify_listen_fds(&given);
	if (r < 0)
		return r;
	if (given.client >= 0)
		listen_given(&server->clients, given.client);
	if (given.control >= 0)
		listen_given(&server->control, given.control);
	if (server->clients.fd < 0)
		r = listen_open(&server->clients);
	if (r == 0 && server->control.fd < 0)
		r = listen_open(&server->control);
	return r;
}

/* Whether the next slabd is to have it. */
static bool is_left(const struct listen_socket *at)
{
	if (loop.ending == ENDING_NO_START)
		return at->origin == LISTEN_KEPT;
	return loop.ending == ENDING_BROKEN || !loop.supervised;
}

/* Those who wait stay in the backlog: look again a while later. */
static void pause_accepting(struct server *server)
{
	server->drops.count[DROP_LIMIT]++;
	event_del(loop.accept);
	wake_start(loop.accept_again, ACCEPT_AGAIN_NS);
}

static void on_accept(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	int sock;
	if (door_waiting() >= DOOR_WAITING_MAX) {
		log_warn("no client is accepted: %u connections that brought "
		         "descriptors are not closed yet", door_waiting());
		pause_accepting(server);
		return;
	}
	sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock >= 0) {
		dispatch_accept(server, sock);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM &&
	    errno != ENOBUFS)
		return;
	log_error("can't accept a client: %s; %s", strerror(errno),
	          remedy_of(errno));
	pause_accepting(server);
}

/* All who wait are let in first: nobody asks at the old socket any more. */
static void hush_accept(void *arg, bool hushed)
{
	struct server *server = arg;
	if (hushed) {
		int sock;
		while ((sock = accept4(server->clients.fd, NULL, NULL,
		                       SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
			dispatch_accept(server, sock);
		event_del(loop.accept);
	} else {
		wake_set(loop.accept_again, 0);
	}
}

static void on_accept_again(UNUSED evutil_socket_t fd, UNUSED short what,
                            UNUSED void *arg)
{
	if (event_add(loop.accept, NULL) < 0)
		wake_start(loop.accept_again, ACCEPT_AGAIN_NS);
}

/* ---- pools -------------------------------------------------------------- */

/* Told to stop, slabd gives their memory back. Otherwise a pool that clients
 * may have is left to the next slabd: all of them if this one had started, else
 * those that it took over. */
static void close_pool(struct pool *pool)
{
	balance_done(pool);
	/* Nobody may go on with what a thread still works on. */
	if (!work_settle_all(pool, clock_ns() + HELD_LIMIT_NS)) {
		log_error("pool %s: a client's call has held its files for %d s: "
		          "slabd goes on to end without closing it; its memory "
		          "goes back when its clients have ended",
		          pool->name, (int)(HELD_LIMIT_NS / CLOCK_S));
		return;
	}
	if (loop.ending == ENDING_TOLD) {
		pool->backing.unused = pool->n_clients == 0;
		pool_destroy(pool);
	} else {
		keep_or_destroy(pool, loop.ending == ENDING_BROKEN ||
		                              pool->adopted);
	}
}

/* ---- signals ------------------------------------------------------------ */

/* That slabd is told by; a reload heeds the last. */
static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};

static void on_signal(evutil_socket_t signal, UNUSED short what, void *arg)
{
	struct server *server = arg;
	log_info("%s: stopping", strsignal((int)signal));
	leaving_say_holders(server);
	event_base_loopbreak(server->base);
}

/* Before there is anything to clean up: a signal that comes during the start
 * is served once the loop runs, and leaves no socket and no hugepage. */
static int open_signals(struct server *server)
{
	for (int i = 0; i < ENDS; i++) {
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

/* ---- open, run, close --------------------------------------------------- */

static int open_events(struct server *server)
{
	struct event_base *base = server->base;
	int r = wake_timer(&loop.accept_again, base, on_accept_again, server);
	if (r == 0)
		r = ready_open(server);
	if (r == 0)
		r = wake_on_fd(&loop.accept, base, server->clients.fd,
		               on_accept, server);
	if (r == 0)
		r = drops_open(&server->drops, base);
	if (r == 0)
		r = death_start(server);
	if (r == 0)
		r = duty_open(server);
	if (r == 0)
		r = share_open(server);
	if (r == 0)
		r = users_open(server, dispatch_read);
	if (r == 0)
		r = peer_open(server);
	if (r == 0)
		r = files_open(server);
	if (r == 0)
		r = overdue_open(server);
	if (r == 0)
		r = grown_open(server);
	if (r == 0)
		r = paths_open(server);
	if (r == 0)
		r = sampling_open(server);
	server->clients.hush = hush_accept;
	server->clients.arg = server;
	return r == 0 ? machine_open(server) : r;
}

/* Sockets that nobody took up: for the loop, not for the manager, to empty. */
static void close_orphans(void)
{
	unsigned at = 0;
	const char *name;
	while ((name = fdstore_next(&at)) != NULL) {
		int type;
		socklen_t bytes = sizeof(type);
		char copy[256];
		if (getsockopt(fdstore_peek(name), SOL_SOCKET, SO_TYPE, &type,
		               &bytes) < 0)
			continue;
		log_info("%s was kept and is of no use now: closed", name);
		snprintf(copy, sizeof(copy), "%s", name);
		door_close(fdstore_take(copy), copy);
	}
}

/* Clients of pools that were taken over; and wants that nobody served. */
static int take_up_clients(struct server *server)
{
	int r = 0;
	for (unsigned i = 0; i < server->n_left; i++)
		rest_leave(server->left[i]);
	for (unsigned i = 0; r == 0 && i < server->n_pools; i++) {
		r = death_adopt_clients(server, &server->pools[i]);
		duty_serve_pool(server, &server->pools[i]);
	}
	if (r == 0)
		dispatch_take_over(server);
	leaving_say(server);
	if (r == 0)
		leaving_close(server);
	if (r == 0)
		close_orphans();
	if (r == 0)
		rest_close(server->topo);
	/* Loans that were taken over, and nodes that were being emptied. */
	duty_soon(server, DUTY_SOON_NS);
	files_look(server, 0);
	overdue_watch(server);
	return r;
}

/* Everything up to the loop. 0, or -errno with the reason logged. */
static int start(struct server *server)
{
	int r = open_signals(server);
	if (r == 0)
		r = door_open(server->base);
	if (r == 0)
		r = open_sockets(server);
	ledger_place(server->config->control);
	if (r == 0)
		ledger_settle(server->topo);
	if (r == 0)
		r = pools_open(server);
	if (r == 0)
		r = pools_open_leaving(server);
	if (r < 0)
		return r;
	r = open_events(server);
	if (r == 0)
		r = take_up_clients(server);
	if (r == 0)
		r = beat_open(server->base);
	if (r == 0)
		r = told_open(server->base);
	if (r == 0)
		r = guardian_open(server, loop.supervised);
	if (r < 0)
		log_error("can't start the event loop: %s%s%s", strerror(-r),
		          remedy_of(-r)[0] != '\0' ? "; " : "", remedy_of(-r));
	return r;
}

/* Whoever set it as a rule meant another program. */
static void say_topology(const struct topo *topo)
{
	if (topo->variable == NULL)
		return;
	if (topo->simulated)
		log_warn("%s is set in slabd's environment: the machine that it "
		         "describes is served, of %u nodes, and nothing is "
		         "bound to a node of this one; unset it, or set "
		         "topology in slabd.conf if that is meant",
		         topo->variable, topo->n_nodes);
	else
		log_warn("%s is set in slabd's environment and changes what "
		         "slabd sees of this machine: unset it",
		         topo->variable);
}

int loop_open(struct server **out, const struct config *config, bool supervised)
{
	struct server *server = *out = &loop.server;
	int r;
	server->config = config;
	server->topo = &loop.topo;
	place_sockets(server);
	server->started_ns = clock_ns();
	loop.supervised = supervised;
	r = topo_load(&loop.topo,
	              config->topology[0] ? config->topology : NULL);
	if (r < 0) {
		log_error("topology: %s", loop.topo.error);
		return r;
	}
	say_topology(&loop.topo);
	fits_say(config, &loop.topo);
	hold_signals(SIG_BLOCK);
	server->base = wake_base();
	stop_watch();
	r = server->base == NULL ? -ENOMEM : start(server);
	stop_unwatch();
	return r;
}

int loop_run(struct server *server)
{
	int r;
	server->start_took_ns = clock_ns() - server->started_ns;
	if (!stop_is_due()) {
		lastconf_keep(server->config);
		sampling_keep(server, false);
		ready_say(server);
	}
	hold_signals(SIG_UNBLOCK);
	turn_open();
	hugepool_hurry(true);
	r = event_base_dispatch(server->base) < 0 ? -EIO : 0;
	hugepool_hurry(false);
	loop.ending = r < 0 ? ENDING_BROKEN : ENDING_TOLD;
	if (r < 0)
		log_error("the event loop can't go on");
	hold_signals(SIG_BLOCK);
	notify_stopping();
	return r;
}

void loop_close(struct server *server)
{
	/* Nothing is faulted in any more. */
	stop_set();
	/* Their clients live on, as slabd may come back. */
	while (server->peers != NULL)
		peer_free(server->peers);
	death_stop(server);
	machine_close(server);
	paths_close();
	guardian_close();
	files_close(server);
	overdue_close(server);
	duty_close(server);
	sampling_close(server);
	peer_close(server);
	users_close(server);
	share_close(server);
	drops_close(&server->drops);
	wake_free(&loop.accept);
	wake_free(&loop.accept_again);
	ready_close();
	told_close();
	beat_close();
	for (int i = 0; i < ENDS; i++)
		wake_free(&loop.signals[i]);
	listen_close(&server->clients, is_left(&server->clients));
	listen_close(&server->control, is_left(&server->control));
	door_stop();
	/* What was in use as it was let go of may be free by now: first, as
	 * beside free pages less can be given back. */
	if (loop.ending == ENDING_TOLD)
		ledger_settle(server->topo);
	for (unsigned i = 0; i < server->n_pools; i++)
		close_pool(&server->pools[i]);
	grown_close(server);
	/* As of all others: the next slabd may not come, or not find them. */
	if (loop.ending == ENDING_TOLD)
		pools_pay_left(server);
	if (tells_drain(TELLS_LIMIT_NS) < 0)
		log_warn("the service manager does not read what slabd tells it");
	if (server->base != NULL)
		event_base_free(server->base);
}
