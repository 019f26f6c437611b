/* SPDX-License-Identifier: MIT */
#include "daemon/base/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define END_MS 1000u
#define MEMORY_MAJOR 1 /* of /dev/null, /dev/full and the like */

static struct {
	int fd; /* standard error, opened once more; -1: it can't be */
	struct statx of;
	bool opened;
	bool cut; /* the last line had no room for its end */
} own = {.fd = -1};
static struct log_lost lost;

/* Who serves the file is not asked, as that may take for ever, but where a
 * sandbox knows no other call. */
static bool look(struct statx *st)
{
	struct stat old;
	if (statx(STDERR_FILENO, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
	          STATX_TYPE | STATX_INO, st) == 0)
		return true;
	if (fstat(STDERR_FILENO, &old) < 0)
		return false;
	st->stx_mode = (uint16_t)old.st_mode;
	st->stx_ino = old.st_ino;
	st->stx_dev_major = major(old.st_dev);
	st->stx_dev_minor = minor(old.st_dev);
	st->stx_rdev_major = major(old.st_rdev);
	return true;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino &&
	       a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

bool log_out_is(uint64_t dev, uint64_t ino)
{
	struct statx st;
	return look(&st) && st.stx_ino == ino &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == dev;
}

/* A descriptor that does not wait, or -1. */
static int own_of(const struct statx *st)
{
	if (own.opened && is_same(&own.of, st))
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

static bool is_terminal(const struct statx *st)
{
	return S_ISCHR(st->stx_mode) && st->stx_rdev_major != MEMORY_MAJOR &&
	       isatty(STDERR_FILENO) == 1;
}

static ssize_t put(const struct statx *st, const char *line, size_t len)
{
	int fd;
	if (S_ISSOCK(st->stx_mode))
		return send(STDERR_FILENO, line, len,
		            MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!S_ISFIFO(st->stx_mode) && !is_terminal(st))
		return write(STDERR_FILENO, line, len);
	fd = own_of(st);
	return fd < 0 ? put_waiting(line, len) : write(fd, line, len);
}

static void lose(unsigned n, int error)
{
	lost.n += n;
	lost.error = error;
}

bool log_out(const char *line, size_t len, unsigned stands_for)
{
	struct statx st = {.stx_mode = S_IFREG};
	ssize_t n = -1;
	if (look(&st) && S_ISREG(st.stx_mode))
		return log_file_put(line, len, stands_for);
	if (!own.cut || put(&st, "\n", 1) >= 0) {
		n = put(&st, line, len);
		own.cut = n > 0 && (size_t)n < len;
	}
	if (n >= 0 && !own.cut)
		return true;
	lose(stands_for, n < 0 ? errno : EAGAIN);
	return false;
}

void log_out_lose(void)
{
	lost.n++;
}

struct log_lost log_out_lost(void)
{
	struct log_lost all = log_file_lost();
	if (lost.error != 0)
		all.error = lost.error;
	all.n += lost.n;
	lost = (struct log_lost){0};
	return all;
}

void log_out_end(void)
{
	log_file_drain(END_MS);
}
