/* SPDX-License-Identifier: MIT */
#include "daemon/manager/supervise_adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define PATIENCE_S 5

/* Any byte as a form has it. */
static void encode(char *out, size_t size, const char *text)
{
	size_t at = 0;
	for (; *text != '\0' && at + 4 < size; text++)
		at += (size_t)snprintf(out + at, size - at, "%%%02x",
		                       (unsigned char)*text);
}

static int connect_to(const char *path)
{
	const struct timeval wait = {.tv_sec = PATIENCE_S};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || strlen(path) >= sizeof(at.sun_path)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	strcpy(at.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (void *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Whether the answer is a yes. */
static int ask(int fd, const char *notify, int64_t limit_ns)
{
	char form[512] = "socket=";
	char text[1024];
	size_t got = 0;
	ssize_t n;
	encode(form + strlen(form), sizeof(form) - strlen(form) - 40, notify);
	snprintf(form + strlen(form), 40, "&watchdog_us=%lld",
	         (long long)(limit_ns / CLOCK_US));
	snprintf(text, sizeof(text),
	         "POST /supervisor HTTP/1.0\r\nHost: localhost\r\n"
	         "Content-Type: application/x-www-form-urlencoded\r\n"
	         "Content-Length: %zu\r\n\r\n%s", strlen(form), form);
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return 0;
	while (got < 12 && (n = recv(fd, text + got, sizeof(text) - got, 0)) > 0)
		got += (size_t)n;
	return got >= 12 && memcmp(text, "HTTP/1.", 7) == 0 &&
	       memcmp(text + 8, " 200", 4) == 0;
}

pid_t supervise_adopt(const char *control, const char *notify,
                      int64_t limit_ns, int *pidfd)
{
	struct ucred who = {.pid = 0};
	socklen_t bytes = sizeof(who);
	int fd = connect_to(control);
	pid_t pid = 0;
	*pidfd = -1;
	if (fd < 0)
		return 0;
	/* Nobody else's, whatever it answers. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 &&
	    who.pid > 0 && who.uid == geteuid())
		*pidfd = (int)syscall(SYS_pidfd_open, who.pid, 0);
	if (*pidfd >= 0 && ask(fd, notify, limit_ns))
		pid = who.pid;
	if (pid == 0 && *pidfd >= 0) {
		close(*pidfd);
		*pidfd = -1;
	}
	close(fd);
	return pid;
}
