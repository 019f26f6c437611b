/* SPDX-License-Identifier: MIT */
#include "client/link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client/error.h"
#include "client/handshake.h"

#define SECOND_NS UINT64_C(1000000000)
#define LIMIT_NS (HANDSHAKE_SECONDS * SECOND_NS)
#define SLICE_MS 100
#define RINGS_A_SECOND 1024u /* slabd bears four times as many messages */

int link_hold(void)
{
	int before;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

void link_let_go(int before)
{
	pthread_setcancelstate(before, NULL);
}

uint64_t link_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* ---- open and close ----------------------------------------------------- */

int link_watch(struct link *link, int sock)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = sock};
	return epoll_ctl(link->poller, EPOLL_CTL_ADD, sock, &event) < 0 ? -errno
	                                                                : 0;
}

void link_unwatch(struct link *link, int sock)
{
	epoll_ctl(link->poller, EPOLL_CTL_DEL, sock, NULL);
}

static int fail(int err, const char *path, const char *what)
{
	error_set(err, "%s: %s: %s", path, what, strerror(err));
	return -err;
}

static void init(struct link *link, const char *path, const char *pool)
{
	struct resume *r = &link->resume;
	memset(link, 0, sizeof(*link));
	link->sock = link->events = link->poller = link->timer = -1;
	link->up = 1;
	pthread_mutex_init(&link->calls, NULL);
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
	link->poller = epoll_create1(EPOLL_CLOEXEC);
	link->timer = timerfd_create(CLOCK_MONOTONIC,
	                             TFD_CLOEXEC | TFD_NONBLOCK);
	if (link->poller < 0 || link->timer < 0)
		return -errno;
	return link_watch(link, link->timer);
}

static int connect_to(struct link *link, const char *path)
{
	int r = link->sock = handshake_connect(&link->resume.to, 0);
	if (r >= 0)
		return 0;
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return fail(-r, path, "socket");
	if (r == -EACCES)
		return fail(EACCES, path, "this user may not connect: see "
		                          "socket_mode and socket_group in "
		                          "slabd.conf");
	if (r == -EPROTOTYPE)
		return fail(EPROTO, path, "a socket, but not the one that "
		                          "slabd has for clients");
	return fail(r == -EAGAIN ? ETIMEDOUT : -r, path,
	            "no slabd answers there; is it running, and is "
	            "SLABD_SOCKET right");
}

/* The first hello of all, by which the process becomes a client. */
static int say_hello(struct link *link, struct link_welcome *welcome)
{
	struct wire_welcome *msg = &welcome->msg;
	const char *pool = link->resume.hello.pool;
	int fds[WIRE_FDS_MAX];
	unsigned n = 0;
	int r = handshake_hello(link->sock, &link->resume.hello);
	if (r < 0)
		return fail(r == -EAGAIN ? ETIMEDOUT : -r, pool,
		            "slabd did not take the hello");
	r = handshake_welcome(link->sock, msg, fds, &n);
	if (r == HANDSHAKE_E_NONE)
		return fail(ETIMEDOUT, pool, "slabd did not answer the hello");
	/* slabd has let it in, and would keep its id until its end. */
	if (r == -EMFILE && msg->error == 0)
		link_bye(link);
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
                 struct link_welcome *welcome)
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
		return error_set(ENAMETOOLONG, "the path of slabd's socket is "
		                 "over %zu bytes: %.100s", most, path),
		       -ENAMETOOLONG;
	return 0;
}

int link_open(struct link *link, const char *path, const char *pool,
              struct link_welcome *welcome)
{
	int r;
	memset(welcome, 0, sizeof(*welcome));
	r = check_path(path);
	if (r < 0)
		return r;
	init(link, path, pool);
	r = open_poller(link);
	if (r < 0)
		fail(-r, path, "no descriptors for the connection");
	if (r == 0)
		r = enter(link, path, welcome);
	if (r < 0)
		link_close(link);
	return r;
}

int link_settle(struct link *link, const struct view *view)
{
	struct resume *r = &link->resume;
	r->view = view;
	r->hello.instance = view->head->instance;
	r->stands_ns = link_now_ns();
	return link_watch(link, link->events);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void link_close(struct link *link)
{
	close_fd(link->resume.trial);
	close_fd(link->sock);
	close_fd(link->events);
	close_fd(link->timer);
	close_fd(link->poller);
}

/* ---- requests ----------------------------------------------------------- */

/* slabd was seen to be gone from the connection that up names. */
static void cut(struct link *link, uint32_t up)
{
	/* pairs: connected; needs no order, see up. */
	if ((up & 1) != 0)
		atom_cas(&link->up, &up, up + 1);
}

static bool is_cut(ssize_t got)
{
	return got == 0 || errno == EPIPE || errno == ECONNRESET ||
	       errno == ENOTCONN;
}

/* After a send or recv that gave got: 0 to try again, or -errno. Waits where
 * the socket is not ready; in slices, as nothing wakes who comes to wait when
 * new sockets are in place already. */
static int wait_ready(const struct link *link, ssize_t got, short what,
                      uint32_t up, uint64_t until_ns)
{
	struct pollfd at = {.fd = link->sock, .events = what};
	if (is_cut(got))
		return -ENOTCONN;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	poll(&at, 1, SLICE_MS);
	if (atom_load(&link->up) != up)
		return -ENOTCONN;
	return link_now_ns() < until_ns ? 0 : -ETIMEDOUT;
}

static int send_request(const struct link *link, const struct wire_head *msg,
                        uint32_t up, uint64_t until_ns)
{
	int r = 0;
	while (r == 0) {
		ssize_t n = send(link->sock, msg, msg->bytes,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			return 0;
		r = wait_ready(link, n, POLLOUT, up, until_ns);
	}
	return r;
}

/* The reply to request seq; replies that came too late for theirs are left. */
static int await_reply(const struct link *link, uint32_t seq,
                       struct wire_reply *reply, uint32_t up, uint64_t until_ns)
{
	int r = 0;
	while (r == 0) {
		ssize_t got = recv(link->sock, reply, sizeof(*reply),
		                   MSG_DONTWAIT);
		if (got > 0 && (size_t)got != sizeof(*reply))
			return -EPROTO;
		if (got > 0 && reply->head.seq == seq) {
			reply->text[WIRE_TEXT - 1] = '\0';
			return 0;
		}
		if (got <= 0)
			r = wait_ready(link, got, POLLIN, up, until_ns);
	}
	return r;
}

/* In slices, as a lock is waited for by the time of day, which may be set. */
static int lock_calls(struct link *link, uint64_t until_ns)
{
	int err;
	do {
		struct timespec at;
		clock_gettime(CLOCK_REALTIME, &at);
		at.tv_nsec += SLICE_MS * 1000000;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		err = pthread_mutex_timedlock(&link->calls, &at);
	} while (err == ETIMEDOUT && link_now_ns() < until_ns);
	return -err;
}

/* Once, over the connection that stands. */
static int exchange(struct link *link, struct wire_head *msg, size_t bytes,
                    struct wire_reply *reply, uint64_t until_ns)
{
	uint32_t up;
	int r = lock_calls(link, until_ns);
	if (r < 0)
		return r;
	up = atom_load(&link->up);
	msg->bytes = (uint32_t)bytes;
	msg->seq = ++link->seq;
	r = (up & 1) != 0 ? send_request(link, msg, up, until_ns) : -ENOTCONN;
	if (r == 0)
		r = await_reply(link, msg->seq, reply, up, until_ns);
	pthread_mutex_unlock(&link->calls);
	if (r == -ENOTCONN)
		cut(link, up);
	return r;
}

int link_call(struct link *link, struct wire_head *msg, size_t bytes,
              struct wire_reply *reply)
{
	uint64_t until_ns = link_now_ns() + LIMIT_NS;
	int held = link_hold();
	int r;
	do
		r = exchange(link, msg, bytes, reply, until_ns);
	while (r == -ENOTCONN && resume_wait(link, until_ns) == 0);
	link_let_go(held);
	return r;
}

void link_bye(struct link *link)
{
	struct wire_head bye = {.type = WIRE_BYE};
	struct wire_reply reply;
	uint64_t now = link_now_ns();
	int held = link_hold();
	if (exchange(link, &bye, sizeof(bye), &reply, now + LIMIT_NS) ==
	            -ENOTCONN &&
	    resume_once(link, now + SECOND_NS) == 0)
		exchange(link, &bye, sizeof(bye), &reply, now + LIMIT_NS);
	link_let_go(held);
}

/* ---- events ------------------------------------------------------------- */

static uint64_t second_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec;
}

bool link_may_ring(const struct link *link)
{
	uint64_t seen = atom_load(&link->rung);
	return (seen & 0xffff) < RINGS_A_SECOND || seen >> 16 != second_now();
}

static void count_ring(struct link *link)
{
	uint64_t second = second_now();
	if (atom_load(&link->rung) >> 16 != second)
		atom_store(&link->rung, second << 16);
	atom_add(&link->rung, UINT64_C(1));
}

void link_ring(struct link *link)
{
	struct wire_head head = {.type = WIRE_RING, .bytes = sizeof(head)};
	uint32_t up = atom_load(&link->up);
	int saved = errno;
	int held = link_hold();
	count_ring(link);
	if ((up & 1) != 0 && send(link->events, &head, sizeof(head),
	                          MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    is_cut(-1))
		cut(link, up);
	link_let_go(held);
	errno = saved;
}

static void read_events(struct link *link)
{
	uint32_t up = atom_load(&link->up);
	struct wire_head head;
	ssize_t got;
	while ((got = recv(link->events, &head, sizeof(head), MSG_DONTWAIT)) >
	       0)
		if ((size_t)got == sizeof(head) && head.type == WIRE_TRIM)
			atom_add(&link->trims, 1u);
	if (is_cut(got))
		cut(link, up);
}

/* What the timer had to tell is told by the return of link_poll. */
static void hush(const struct link *link)
{
	uint64_t fired;
	while (read(link->timer, &fired, sizeof(fired)) < 0 && errno == EINTR)
		continue;
}

bool link_poll(struct link *link)
{
	int held = link_hold();
	if (link_is_up(link))
		read_events(link);
	if (!link_is_up(link))
		resume_step(link);
	if (link_is_lost(link))
		hush(link);
	link_let_go(held);
	return link_is_up(link);
}

const char *link_why(const struct link *link)
{
	/* pairs: give_up */
	if (atom_load_acquire(&link->lost) != 0)
		return link->resume.why;
	return "slabd is gone: the pool works on with what it has, and grows "
	       "when slabd is there again";
}
