/* SPDX-License-Identifier: MIT */
#include "client/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/clock.h"

/* The end of a wait that begins now. */
static uint64_t end_of_wait(void)
{
	return clock_now_ns() + HANDSHAKE_SECONDS * SECOND_NS;
}

/* Has the socket wait until then and no longer: a call that a signal ended
 * would begin its wait anew. False, with errno EAGAIN, when it is over. */
static bool may_wait(int sock, uint64_t until_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t us = now < until_ns ? (until_ns - now + 999) / 1000 : 0;
	struct timeval rest = {.tv_sec = (time_t)(us / 1000000),
	                       .tv_usec = (suseconds_t)(us % 1000000)};
	if (us == 0) {
		errno = EAGAIN;
		return false;
	}
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &rest, sizeof(rest));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &rest, sizeof(rest));
	return true;
}

int handshake_number(int fd)
{
	int above, error;
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	error = errno;
	close(fd);
	errno = error;
	return above;
}

int handshake_connect(const struct sockaddr_un *to, int flags)
{
	int fd = handshake_number(
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
	uint64_t until_ns = end_of_wait();
	int err;
	int r;
	if (fd < 0)
		return -errno;
	do
		r = may_wait(fd, until_ns)
		            ? connect(fd, (const void *)to, sizeof(*to))
		            : -1;
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

int handshake_hello(int sock, const struct wire_hello *hello)
{
	uint64_t until_ns = end_of_wait();
	ssize_t n;
	do
		n = may_wait(sock, until_ns)
		            ? send(sock, hello, sizeof(*hello), MSG_NOSIGNAL)
		            : -1;
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return -ENOTCONN;
	return n < 0 ? -errno : 0;
}

/* Takes the descriptors out of a message; closes those over WIRE_FDS_MAX. -1 of
 * one: it has no number. */
static unsigned take_fds(struct msghdr *msg, int *fds)
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
			if (got < WIRE_FDS_MAX)
				fds[got++] = handshake_number(fd);
			else
				close(fd);
		}
	}
	return got;
}

static int say(struct wire_welcome *msg, int err, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static int say(struct wire_welcome *msg, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(msg->text, sizeof(msg->text), format, args);
	va_end(args);
	return -err;
}

static int say_no_room(struct wire_welcome *msg)
{
	return say(msg, EMFILE,
	           "this process has no room for the descriptors that slabd "
	           "sent: raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)");
}

/* A message of that many bytes: 0, or -errno with the text set. */
static int check(struct wire_welcome *msg, size_t bytes, int flags)
{
	if (bytes < offsetof(struct wire_welcome, error) ||
	    msg->magic != WIRE_MAGIC || msg->type != WIRE_WELCOME)
		return say(msg, EPROTO, "the socket answers, but not as slabd");
	if (msg->abi != WIRE_ABI)
		return say(msg, EPROTO,
		           "slabd speaks ABI %u, this library ABI %u: install "
		           "the same version of both", msg->abi, WIRE_ABI);
	if (bytes != sizeof(*msg))
		return say(msg, EPROTO, "short welcome from slabd");
	msg->text[WIRE_TEXT - 1] = '\0';
	if (msg->error != 0)
		return msg->error > 0 && msg->error < 4096 ? -msg->error
		                                           : -EPROTO;
	return flags & MSG_CTRUNC ? say_no_room(msg) : 0;
}

int handshake_welcome(int sock, struct wire_welcome *msg, int fds[WIRE_FDS_MAX],
                  unsigned *n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(WIRE_FDS_MAX *
	                                              sizeof(int))];
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	uint64_t until_ns = end_of_wait();
	ssize_t got;
	int r;
	do
		got = may_wait(sock, until_ns)
		              ? recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC)
		              : -1;
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return HANDSHAKE_E_NONE;
	if (got == 0 || (got < 0 && (errno == ECONNRESET || errno == EPIPE)))
		return say(msg, ENOTCONN, "slabd did not answer the hello: it "
		                          "closed the connection");
	if (got < 0)
		return say(msg, errno, "slabd's welcome: %s", strerror(errno));
	*n = take_fds(&hdr, fds);
	r = check(msg, (size_t)got, hdr.msg_flags);
	for (unsigned i = 0; r == 0 && i < *n; i++)
		if (fds[i] < 0)
			r = say_no_room(msg);
	while (r < 0 && *n > 0)
		close(fds[--*n]);
	return r;
}
