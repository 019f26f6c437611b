/* SPDX-License-Identifier: MIT */
#include "client/link.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/error.h"
#include "shm/atom.h"

#define LIMIT_SECONDS 5
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

static int fail(int err, const char *path, const char *what)
{
	error_set(err, "%s: %s: %s", path, what, strerror(err));
	return -err;
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = LIMIT_SECONDS};
	int err;
	int fd;
	if (strlen(path) >= sizeof(to.sun_path))
		return fail(ENAMETOOLONG, path, "socket path");
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(errno, path, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (void *)&to, sizeof(to)) == 0)
		return fd;
	err = errno == EAGAIN ? ETIMEDOUT : errno;
	close(fd);
	return fail(err, path,
	            "no slabd answers there; is it running, and is "
	            "SLABD_SOCKET right");
}

static int read_errno(ssize_t got)
{
	if (got == 0 || errno == ECONNRESET || errno == EPIPE)
		return -ENOTCONN;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

/* Takes the descriptors out of a message; closes those over n. */
static unsigned take_fds(struct msghdr *msg, int *fds, unsigned n)
{
	unsigned got = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (got < n)
				fds[got++] = fd;
			else
				close(fd);
		}
	}
	return got;
}

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* Receives the welcome; fds has room for WIRE_FDS_MAX. */
static int receive(int sock, struct wire_welcome *msg, int *fds, unsigned *n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(WIRE_FDS_MAX *
	                                              sizeof(int))];
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	ssize_t got;
	do
		got = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return read_errno(got);
	*n = take_fds(&hdr, fds, WIRE_FDS_MAX);
	if ((size_t)got < offsetof(struct wire_welcome, error) ||
	    msg->magic != WIRE_MAGIC || msg->type != WIRE_WELCOME)
		return error_set(EPROTO, "the socket answers, but not as slabd"),
		       -EPROTO;
	if (msg->abi != WIRE_ABI)
		return error_set(EPROTO,
		                 "slabd speaks ABI %u, this library ABI %u: "
		                 "install the same version of both",
		                 msg->abi, WIRE_ABI),
		       -EPROTO;
	if ((size_t)got != sizeof(*msg))
		return error_set(EPROTO, "short welcome from slabd"), -EPROTO;
	return 0;
}

static int say_hello(struct link *link, const char *pool,
                     struct link_welcome *welcome)
{
	struct wire_hello hello = {.magic = WIRE_MAGIC,
	                           .abi = WIRE_ABI,
	                           .type = WIRE_HELLO,
	                           .bytes = sizeof(hello)};
	struct wire_welcome *msg = &welcome->msg;
	int fds[WIRE_FDS_MAX];
	unsigned n = 0;
	int r;
	strncpy(hello.pool, pool, sizeof(hello.pool) - 1);
	if (send(link->sock, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
		return fail(-read_errno(-1), pool,
		            "slabd did not take the hello");
	r = receive(link->sock, msg, fds, &n);
	if (r == -ENOTCONN || r == -ETIMEDOUT)
		fail(-r, pool, "slabd did not answer the hello");
	if (r == 0 && msg->error != 0) {
		msg->text[WIRE_TEXT - 1] = '\0';
		r = msg->error > 0 && msg->error < 4096 ? -msg->error : -EPROTO;
		error_set(-r, "%s", msg->text);
	} else if (r == 0 && (msg->n_nodes > NODES_MAX || n != 3 + msg->n_nodes)) {
		r = -EPROTO;
		error_set(EPROTO, "slabd sent %u descriptors for %u nodes", n,
		          msg->n_nodes);
	}
	if (r < 0) {
		close_all(fds, n);
		return r;
	}
	link->events = fds[0];
	welcome->control = fds[1];
	welcome->shared = fds[2];
	memcpy(welcome->data, fds + 3, msg->n_nodes * sizeof(int));
	return 0;
}

int link_open(struct link *link, const char *path, const char *pool,
              struct link_welcome *welcome)
{
	int r;
	memset(link, 0, sizeof(*link));
	memset(welcome, 0, sizeof(*welcome));
	link->events = -1;
	link->sock = connect_to(path);
	if (link->sock < 0)
		return link->sock;
	r = say_hello(link, pool, welcome);
	if (r < 0)
		close(link->sock);
	return r;
}

/* The reply to request seq; replies that came too late for theirs are left. */
static int await_reply(int sock, uint32_t seq, struct wire_reply *reply)
{
	ssize_t got;
	do {
		got = recv(sock, reply, sizeof(*reply), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return read_errno(got);
		if ((size_t)got != sizeof(*reply))
			return -EPROTO;
	} while (got < 0 || reply->head.seq != seq);
	reply->text[WIRE_TEXT - 1] = '\0';
	return 0;
}

int link_call(struct link *link, struct wire_head *msg, size_t bytes,
              struct wire_reply *reply)
{
	int r;
	int held;
	if (atom_peek(&link->gone))
		return -ENOTCONN;
	msg->bytes = (uint32_t)bytes;
	msg->seq = ++link->seq;
	held = link_hold();
	if (send(link->sock, msg, bytes, MSG_NOSIGNAL) < 0)
		r = read_errno(-1);
	else
		r = await_reply(link->sock, msg->seq, reply);
	link_let_go(held);
	if (r == -ENOTCONN)
		atom_poke(&link->gone, 1u);
	return r;
}

static uint64_t second_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec;
}

bool link_may_ring(const struct link *link)
{
	uint64_t seen = atom_peek(&link->rung);
	return (seen & 0xffff) < RINGS_A_SECOND || seen >> 16 != second_now();
}

static void count_ring(struct link *link)
{
	uint64_t second = second_now();
	if (atom_peek(&link->rung) >> 16 != second)
		atom_poke(&link->rung, second << 16);
	atom_add(&link->rung, UINT64_C(1));
}

void link_ring(struct link *link)
{
	struct wire_head head = {.type = WIRE_RING, .bytes = sizeof(head)};
	int saved = errno;
	int held = link_hold();
	count_ring(link);
	if (send(link->events, &head, sizeof(head),
	         MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN)
		atom_poke(&link->gone, 1u);
	link_let_go(held);
	errno = saved;
}

bool link_poll(struct link *link)
{
	struct wire_head head;
	ssize_t got;
	int held = link_hold();
	while ((got = recv(link->events, &head, sizeof(head), MSG_DONTWAIT)) > 0)
		if ((size_t)got == sizeof(head) && head.type == WIRE_TRIM)
			atom_add(&link->trims, 1u);
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		atom_poke(&link->gone, 1u);
	link_let_go(held);
	return atom_peek(&link->gone) == 0;
}

void link_close(struct link *link)
{
	close(link->sock);
	close(link->events);
}
