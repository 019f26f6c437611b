/* SPDX-License-Identifier: MIT */
#include "daemon/base/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	int fd; /* standard error, opened once more; -1: it can't be */
	struct stat of;
	bool opened;
	bool cut; /* the last line had no room for its end */
} own = {.fd = -1};

/* A descriptor that does not wait, or -1. */
static int own_of(const struct stat *st)
{
	if (own.opened && own.of.st_dev == st->st_dev &&
	    own.of.st_ino == st->st_ino)
		return own.fd;
	if (own.fd >= 0)
		close(own.fd);
	own.fd = open("/proc/self/fd/2",
	              O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	own.of = *st;
	own.opened = true;
	own.cut = false;
	return own.fd;
}

/* Where it can't be opened anew: room for anything is as a rule room for a
 * line. */
static ssize_t put_waiting(const char *line, size_t len)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	if (poll(&out, 1, 0) != 0)
		return write(STDERR_FILENO, line, len);
	errno = EAGAIN;
	return -1;
}

static ssize_t put(const struct stat *st, const char *line, size_t len)
{
	int fd;
	if (S_ISSOCK(st->st_mode))
		return send(STDERR_FILENO, line, len,
		            MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!S_ISFIFO(st->st_mode) &&
	    !(S_ISCHR(st->st_mode) && isatty(STDERR_FILENO) == 1))
		return write(STDERR_FILENO, line, len);
	fd = own_of(st);
	return fd < 0 ? put_waiting(line, len) : write(fd, line, len);
}

bool log_out(const char *line, size_t len)
{
	struct stat st = {.st_mode = S_IFREG};
	ssize_t n;
	(void)fstat(STDERR_FILENO, &st);
	if (own.cut && put(&st, "\n", 1) < 0 && errno == EAGAIN)
		return false;
	own.cut = false;
	n = put(&st, line, len);
	own.cut = n > 0 && (size_t)n < len;
	return n < 0 ? errno != EAGAIN : !own.cut;
}
