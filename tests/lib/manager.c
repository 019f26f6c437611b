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

#define FIRST_FD 3
#define HIGH_FD 512 /* clear of where passed descriptors go */
#define MANAGER_FDS_MAX 400u

static char notify_path[80];
static struct manager_message last;
static int manager = -1;

int manager_bind(const char *path, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	size_t bytes = sizeof(at);
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	if (path[0] == '@') {
		at.sun_path[0] = '\0';
		bytes = sizeof(sa_family_t) + strlen(path);
	}
	if (fd < 0 || bind(fd, (void *)&at, (socklen_t)bytes) < 0)
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

void manager_number(const char *name, long number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%ld", number);
	setenv(name, digits, 1);
}

void manager_pass(const int *fds, unsigned n, const char *names)
{
	int high[MANAGER_FDS_MAX];
	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
	for (unsigned i = 0; i < n; i++)
		dup2(high[i], FIRST_FD + (int)i);
	manager_number("LISTEN_FDS", n);
	manager_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDNAMES", names, 1);
}

void manager_environment(const struct manager_given *given)
{
	setenv("NOTIFY_SOCKET", notify_path, 1);
	if (given->watchdog_ms > 0) {
		manager_number("WATCHDOG_USEC", given->watchdog_ms * 1000L);
		manager_number("WATCHDOG_PID", getpid());
	}
	manager_pass(given->fds, given->n_fds, given->names);
}

bool manager_receive(int sock, struct manager_message *message, int flags)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct ucred)) +
	                                   CMSG_SPACE(sizeof(int))];
	struct iovec iov = {message->text, sizeof(message->text) - 1};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	ssize_t n = recvmsg(sock, &hdr, flags | MSG_CMSG_CLOEXEC);
	struct ucred from;
	message->sender = 0;
	message->fd = -1;
	message->text[n > 0 ? n : 0] = '\0';
	if (n < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c != NULL;
	     c = CMSG_NXTHDR(&hdr, c)) {
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(&message->fd, CMSG_DATA(c), sizeof(int));
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&from, CMSG_DATA(c), sizeof(from));
			message->sender = from.pid;
		}
	}
	return true;
}

/* Descriptors are closed at once: a barrier waits for it. */
pid_t manager_next(unsigned ms)
{
	struct pollfd at = {.fd = manager, .events = POLLIN};
	last.text[0] = '\0';
	if (poll(&at, 1, (int)ms) <= 0 ||
	    !manager_receive(manager, &last, MSG_DONTWAIT))
		return 0;
	if (last.fd >= 0)
		close(last.fd);
	return last.sender;
}

const char *manager_text(void)
{
	return last.text;
}

bool manager_says(const char *field)
{
	const char *at = strstr(last.text, field);
	return at != NULL && (at == last.text || at[-1] == '\n');
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
