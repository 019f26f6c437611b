/* SPDX-License-Identifier: MIT */
#include "client/connect.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/error.h"
#include "client/handshake.h"
#include "client/request.h"
#include "client/silent.h"

static int fail(int err, const char *path, const char *what)
{
	error_set(err, "%s: %s: %s", path, what, strerror(err));
	return -err;
}

static void init(struct link *link, const char *path, const char *pool)
{
	struct resume *r = &link->resume;
	pthread_condattr_t steady;
	memset(link, 0, sizeof(*link));
	link->sock = link->events = link->poller = link->timer = -1;
	link->up = 1;
	pthread_mutex_init(&link->calls, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&link->called, &steady);
	pthread_condattr_destroy(&steady);
	pthread_mutex_init(&r->lock, NULL);
	r->trial = -1;
	r->to.sun_family = AF_UNIX;
	strcpy(r->to.sun_path, path);
	r->hello.magic = WIRE_MAGIC;
	r->hello.abi = WIRE_ABI;
	r->hello.type = WIRE_HELLO;
	r->hello.bytes = sizeof(r->hello);
	strncpy(r->hello.pool, pool, sizeof(r->hello.pool) - 1);
}

static int open_poller(struct link *link)
{
	link->poller = handshake_number(epoll_create1(EPOLL_CLOEXEC));
	link->timer = handshake_number(
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	if (link->poller < 0 || link->timer < 0)
		return -errno;
	return link_watch(link, link->timer);
}

/* slabctl's socket, or a stranger's. The clients' one lies beside the former as a
 * rule. */
static int fail_other(const char *path)
{
	const char *name = strrchr(path, '/');
	int folder = name != NULL ? (int)(name - path) + 1 : 0;
	char beside[sizeof(((struct sockaddr_un *)0)->sun_path) + 16];
	snprintf(beside, sizeof(beside), "%.*sslabd.sock", folder, path);
	error_set(EPROTO, "%s is not slabd's socket for clients, but slabctl's "
	          "or another program's: %s%s", path,
	          access(beside, F_OK) == 0 ? "in SLABD_SOCKET give " : "see ",
	          access(beside, F_OK) == 0 ? beside : "socket in slabd.conf");
	return -EPROTO;
}

static int connect_to(struct link *link, const char *path)
{
	int r = link->sock = handshake_connect(&link->resume.to, 0);
	if (r >= 0)
		return 0;
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return fail(-r, path, "socket");
	if (r == -EACCES)
		return fail(EACCES, path,
		            "this user may not connect: see "
		            "socket_mode and socket_group in "
		            "slabd.conf");
	if (r == -EPROTOTYPE)
		return fail_other(path);
	return fail(r == -EAGAIN ? ETIMEDOUT : -r, path,
	            getenv("SLABD_SOCKET") != NULL &&
	                            secure_getenv("SLABD_SOCKET") == NULL
	                    ? "no slabd answers there; SLABD_SOCKET is not "
	                      "followed, as this program has more rights than "
	                      "who started it"
	                    : "no slabd answers there; is it running, and is "
	                      "SLABD_SOCKET right");
}

static int fail_silent(const struct link *link)
{
	char text[LINK_WHY];
	error_set(ETIMEDOUT, "%s: no answer within %d seconds: %s",
	          link->resume.to.sun_path, HANDSHAKE_SECONDS,
	          silent_text(link->sock, text));
	return -ETIMEDOUT;
}

/* The first hello of all, by which the process becomes a client. */
static int say_hello(struct link *link, struct connect_welcome *welcome)
{
	struct wire_welcome *msg = &welcome->msg;
	const char *pool = link->resume.hello.pool;
	int fds[WIRE_FDS_MAX];
	unsigned n = 0;
	int r = handshake_hello(link->sock, &link->resume.hello);
	if (r == -EAGAIN)
		return fail_silent(link);
	if (r < 0)
		return fail(-r, pool, "slabd did not take the hello");
	/* It may refuse with EAGAIN, too. */
	r = handshake_welcome(link->sock, msg, fds, &n);
	if (r == HANDSHAKE_E_NONE)
		return fail_silent(link);
	/* slabd has let it in, and would keep its id until its end. */
	if (r == -EMFILE && msg->error == 0)
		request_bye(link);
	if (r < 0)
		return error_set(-r, "%s", msg->text), r;
	if (msg->n_nodes > NODES_MAX || n != 3 + msg->n_nodes) {
		for (unsigned i = 0; i < n; i++)
			close(fds[i]);
		error_set(EPROTO, "slabd sent %u descriptors for %u nodes", n,
		          msg->n_nodes);
		return -EPROTO;
	}
	link->resume.hello.id = msg->id;
	link->resume.hello.epoch = msg->epoch;
	link->events = fds[0];
	welcome->control = fds[1];
	welcome->shared = fds[2];
	memcpy(welcome->data, fds + 3, msg->n_nodes * sizeof(int));
	return 0;
}

/* A slabd that ends with this client at its door may be about to be started
 * anew: so it is tried once more, where its successor's queue is. */
static int enter(struct link *link, const char *path,
                 struct connect_welcome *welcome)
{
	int r = connect_to(link, path);
	if (r == 0)
		r = say_hello(link, welcome);
	if (r != -ENOTCONN)
		return r;
	close(link->sock);
	r = connect_to(link, path);
	return r == 0 ? say_hello(link, welcome) : r;
}

/* An empty one would be a name outside the file system, which anybody can
 * take. */
static int check_path(const char *path)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (path[0] == '\0')
		return error_set(ENOENT, "the path of slabd's socket is empty"),
		       -ENOENT;
	if (strlen(path) > most)
		return error_set(ENAMETOOLONG,
		                 "the path of slabd's socket is "
		                 "over %zu bytes: %.100s",
		                 most, path),
		       -ENAMETOOLONG;
	return 0;
}

int connect_open(struct link *link, const char *path, const char *pool,
                 struct connect_welcome *welcome)
{
	int r;
	memset(welcome, 0, sizeof(*welcome));
	r = check_path(path);
	if (r < 0)
		return r;
	init(link, path, pool);
	r = open_poller(link);
	if (r < 0)
		fail(-r, path,
		     r == -EMFILE || r == -ENFILE
		             ? "no descriptors for the connection"
		             : "epoll or timerfd is not to be had here");
	if (r == 0)
		r = enter(link, path, welcome);
	if (r < 0)
		link_close(link);
	return r;
}

int connect_settle(struct link *link, const struct view *view)
{
	struct resume *r = &link->resume;
	r->view = view;
	r->hello.instance = view->head->instance;
	r->stands_ns = clock_now_ns();
	link_note(link);
	return link_watch(link, link->events);
}
