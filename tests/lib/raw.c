/* SPDX-License-Identifier: MIT */
#include "tests/lib/raw.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 253u /* what the kernel passes at one time */

int raw_connect(const struct fixture *fixture)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 30};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	strncpy(to.sun_path, fixture->socket, sizeof(to.sun_path) - 1);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(sock, (void *)&to, sizeof(to)) == 0)
		return sock;
	close(sock);
	return -1;
}

int raw_send(int sock, const void *bytes, size_t n_bytes, unsigned n, int fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes,
	                    .iov_len = n_bytes};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	if (n > 0) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)room;
		memset(room, 0, sizeof(room));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (unsigned i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
		hdr.msg_control = room;
		hdr.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	return sendmsg(sock, &hdr, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

struct wire_hello raw_hello(const char *pool)
{
	struct wire_hello hello = {.magic = WIRE_MAGIC,
	                           .abi = WIRE_ABI,
	                           .type = WIRE_HELLO,
	                           .bytes = sizeof(hello)};
	strncpy(hello.pool, pool, sizeof(hello.pool) - 1);
	return hello;
}

/* The welcome and what came with it: how many descriptors, -1 for none. */
static int receive(int sock, struct wire_welcome *welcome, int *fds)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(WIRE_FDS_MAX *
	                                              sizeof(int))];
	struct iovec iov = {.iov_base = welcome, .iov_len = sizeof(*welcome)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	struct cmsghdr *c;
	if (recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC) != sizeof(*welcome))
		return -1;
	c = CMSG_FIRSTHDR(&hdr);
	if (c == NULL)
		return 0;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

void raw_open(struct raw *raw, const struct fixture *fixture, const char *pool)
{
	struct wire_hello hello = raw_hello(pool);
	int fds[WIRE_FDS_MAX];
	int n;
	memset(raw, 0, sizeof(*raw));
	raw->sock = raw_connect(fixture);
	raw_send(raw->sock, &hello, sizeof(hello), 0, -1);
	n = receive(raw->sock, &raw->welcome, fds);
	if (n < 0 || raw->welcome.error != 0)
		tap_bail("no welcome: %s", raw->welcome.text);
	if (n != 3 + (int)raw->welcome.n_nodes)
		tap_bail("no descriptors with the welcome");
	raw->events = fds[0];
	raw->control = fds[1];
	raw->shared = fds[2];
	memcpy(raw->data, fds + 3, raw->welcome.n_nodes * sizeof(int));
}

int raw_answer(struct raw *raw)
{
	int fds[WIRE_FDS_MAX];
	int n = receive(raw->sock, &raw->welcome, fds);
	raw->events = n > 0 ? fds[0] : -1;
	raw->control = raw->shared = -1;
	raw->welcome.n_nodes = 0;
	if (n < 0)
		return -1;
	if (raw->welcome.error == 0 && n != 1)
		tap_bail("%d descriptors for one who comes back", n);
	return raw->welcome.error;
}

int raw_resume(struct raw *raw, const struct fixture *fixture,
               const struct wire_hello *hello)
{
	memset(raw, 0, sizeof(*raw));
	raw->sock = raw_connect(fixture);
	raw_send(raw->sock, hello, sizeof(*hello), 0, -1);
	return raw_answer(raw);
}

void raw_close(struct raw *raw)
{
	close(raw->sock);
	close(raw->events);
	close(raw->control);
	close(raw->shared);
	for (uint32_t i = 0; i < raw->welcome.n_nodes; i++)
		close(raw->data[i]);
}

struct wire_reply raw_create(int sock, const char name[NAME_BYTES],
                             uint64_t size)
{
	struct wire_create msg = {
	        .head = {.type = WIRE_CREATE, .bytes = sizeof(msg)},
	        .size = size};
	struct wire_reply reply = {.error = -1};
	memcpy(msg.name, name, sizeof(msg.name));
	if (raw_send(sock, &msg, sizeof(msg), 0, -1) < 0 ||
	    recv(sock, &reply, sizeof(reply), 0) != sizeof(reply))
		reply.error = -1;
	return reply;
}

bool raw_closed(int sock)
{
	char room[WIRE_BYTES_MAX];
	struct pollfd at = {.fd = sock, .events = POLLIN};
	double until = now_ms() + SURELY_MS;
	while (now_ms() < until) {
		ssize_t n;
		if (poll(&at, 1, 100) == 0)
			continue;
		n = recv(sock, room, sizeof(room), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
	}
	return false;
}
