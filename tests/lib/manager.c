/* SPDX-License-Identifier: MIT */
#include "tests/lib/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char notify_path[80];
static char text[512]; /* the last message */
static int manager = -1;

int manager_bind(const char *path, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)) < 0)
		tap_bail("%s: %s", path, strerror(errno));
	if (type != SOCK_DGRAM && listen(fd, 16) < 0)
		tap_bail("listen: %s", strerror(errno));
	return fd;
}

void manager_open(const struct fixture *fixture)
{
	int one = 1;
	snprintf(notify_path, sizeof(notify_path), "%s/notify", fixture->dir);
	manager = manager_bind(notify_path, SOCK_DGRAM);
	setsockopt(manager, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
}

void manager_close(void)
{
	close(manager);
	unlink(notify_path);
}

static void put_number(const char *name, long number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%ld", number);
	setenv(name, digits, 1);
}

void manager_environment(const struct manager_given *given)
{
	int high[2];
	setenv("NOTIFY_SOCKET", notify_path, 1);
	if (given->watchdog_ms > 0) {
		put_number("WATCHDOG_USEC", given->watchdog_ms * 1000L);
		put_number("WATCHDOG_PID", getpid());
	}
	if (given->n_fds == 0)
		return;
	for (unsigned i = 0; i < given->n_fds; i++)
		high[i] = fcntl(given->fds[i], F_DUPFD, 16);
	for (unsigned i = 0; i < given->n_fds; i++)
		dup2(high[i], 3 + (int)i);
	put_number("LISTEN_FDS", given->n_fds);
	put_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDNAMES", given->names, 1);
}

/* Descriptors that come along find no room, and the kernel closes them. */
pid_t manager_next(unsigned ms)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	struct pollfd at = {.fd = manager, .events = POLLIN};
	struct ucred from = {.pid = 0};
	struct cmsghdr *c;
	ssize_t n;
	text[0] = '\0';
	if (poll(&at, 1, (int)ms) <= 0)
		return 0;
	n = recvmsg(manager, &hdr, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	c = CMSG_FIRSTHDR(&hdr);
	if (n > 0 && c != NULL && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&from, CMSG_DATA(c), sizeof(from));
	return from.pid;
}

const char *manager_text(void)
{
	return text;
}

bool manager_says(const char *field)
{
	const char *at = strstr(text, field);
	return at != NULL && (at == text || at[-1] == '\n');
}

pid_t manager_await(const char *field, unsigned ms, unsigned *before)
{
	double until = now_ms() + ms;
	*before = 0;
	while (now_ms() < until) {
		pid_t pid = manager_next(100);
		if (pid != 0 && manager_says(field))
			return pid;
		*before += pid != 0;
	}
	return 0;
}

int manager_wait(struct fixture *fixture, unsigned ms)
{
	double until = now_ms() + ms;
	int status = -1;
	while (fixture->pid != 0 && now_ms() < until) {
		manager_next(1);
		status = fixture_wait(fixture, 0);
	}
	return status;
}
