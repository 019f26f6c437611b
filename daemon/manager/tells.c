/* SPDX-License-Identifier: MIT */
#include "daemon/manager/tells.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#define PUT "FDSTORE=1\nFDNAME="
#define DROP "FDSTOREREMOVE=1\nFDNAME="
#define FLUSH_MAX 64u /* at one go */

static struct tell {
	struct tell *next;
	size_t bytes;
	int fd; /* a copy; -1 */
	char fields[];
} * first, **end = &first;
static unsigned n_puts;
static int sock = -1;
static bool said; /* that it can't be told; it can again: false */
static void (*on_wait)(void *arg);
static void *on_wait_arg;

/* ---- the socket --------------------------------------------------------- */

static int connect_to(int fd, const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (path[0] != '/' && path[0] != '@')
		return -EAFNOSUPPORT;
	if (len >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	memcpy(at.sun_path, path, len);
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	len += offsetof(struct sockaddr_un, sun_path) + (path[0] == '/');
	return connect(fd, (void *)&at, (socklen_t)len) < 0 ? -errno : 0;
}

int tells_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int r;
	if (path == NULL)
		return -ENOENT;
	if (sock >= 0)
		return sock;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return -errno;
	r = connect_to(sock, path);
	if (r == 0)
		return sock;
	close(sock);
	sock = -1;
	return r;
}

static bool is_gone(int r)
{
	return r == -ECONNREFUSED || r == -ENOTCONN || r == -ECONNRESET;
}

/* It is full, or the kernel has no memory or room for it: it will have. */
static bool is_passing(int r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -EINTR ||
	       r == -ETOOMANYREFS;
}

static int send_once(const char *fields, size_t bytes, int fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = (void *)(uintptr_t)fields,
	                    .iov_len = bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int to = tells_socket();
	if (to < 0)
		return to;
	if (fd >= 0) {
		struct cmsghdr *c;
		memset(room, 0, sizeof(room));
		msg.msg_control = room;
		msg.msg_controllen = sizeof(room);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A manager that was started again has another socket at the same address; and
 * one that is gone may come back. */
static int send_now(const char *fields, size_t bytes, int fd)
{
	int r = send_once(fields, bytes, fd);
	if (is_gone(r)) {
		connect_to(sock, getenv("NOTIFY_SOCKET"));
		r = send_once(fields, bytes, fd);
	}
	if (r == 0)
		said = false;
	else if (!is_passing(r) && !said) {
		said = true;
		log_warn("the service manager can't be told: %s; what it does "
		         "not have does not outlive slabd",
		         strerror(-r));
	}
	return r;
}

/* ---- the queue ---------------------------------------------------------- */

static bool starts(const char *fields, const char *with)
{
	return strncmp(fields, with, strlen(with)) == 0;
}

static void take_off(struct tell **link)
{
	struct tell *tell = *link;
	*link = tell->next;
	if (end == &tell->next)
		end = link;
	if (tell->fd >= 0) {
		close(tell->fd);
		n_puts--;
	}
	free(tell);
}

/* The put that waits for the descriptor that is dropped by these fields. */
static struct tell **find_put(const char *drop)
{
	const char *name = drop + strlen(DROP);
	size_t len = strcspn(name, "\n");
	struct tell **link = &first;
	for (; *link != NULL; link = &(*link)->next) {
		const char *of = (*link)->fields + strlen(PUT);
		if (starts((*link)->fields, PUT) &&
		    strncmp(of, name, len) == 0 && of[len] == '\n')
			break;
	}
	return link;
}

/* What says the same of an earlier time. */
static void take_older(const char *fields)
{
	size_t len = strcspn(fields, "=") + 1;
	struct tell **link = &first;
	while (*link != NULL)
		if (strncmp((*link)->fields, fields, len) == 0)
			take_off(link);
		else
			link = &(*link)->next;
}

static int queue(const char *fields, int fd)
{
	size_t bytes = strlen(fields);
	struct tell *tell;
	if (fd >= 0 && n_puts >= TELLS_PUTS_MAX)
		return -ENOBUFS;
	tell = malloc(sizeof(*tell) + bytes + 1);
	if (tell == NULL)
		return -ENOMEM;
	*tell = (struct tell){.bytes = bytes, .fd = -1};
	memcpy(tell->fields, fields, bytes + 1);
	if (fd >= 0) {
		tell->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (tell->fd < 0) {
			free(tell);
			return -errno;
		}
		n_puts++;
	}
	*end = tell;
	end = &tell->next;
	if (!said)
		log_debug("the service manager does not read: what it is told "
		          "waits");
	if (on_wait != NULL)
		on_wait(on_wait_arg);
	return 1;
}

int tells_send(const char *fields, int fd)
{
	if (getenv("NOTIFY_SOCKET") == NULL)
		return 0;
	if (first != NULL && starts(fields, DROP)) {
		struct tell **put = find_put(fields);
		if (*put != NULL) {
			take_off(put);
			return 1;
		}
	}
	if (!starts(fields, PUT) && !starts(fields, DROP))
		take_older(fields);
	if (first == NULL) {
		int r = send_now(fields, strlen(fields), fd);
		if (!is_passing(r))
			return r < 0 ? r : 1;
	}
	return queue(fields, fd);
}

int tells_flush(void)
{
	for (unsigned i = 0; i < FLUSH_MAX && first != NULL; i++) {
		int r = send_now(first->fields, first->bytes, first->fd);
		if (is_passing(r))
			return r == -EAGAIN ? TELLS_E_FULL : TELLS_E_LATER;
		take_off(&first);
	}
	return first == NULL ? 0 : TELLS_E_FULL;
}

void tells_on_wait(void (*call)(void *arg), void *arg)
{
	on_wait = call;
	on_wait_arg = arg;
}

/* ---- waiting, where nobody is served ------------------------------------ */

static int left_ms(int64_t until_ns)
{
	int64_t left = until_ns - clock_ns();
	return left <= 0 ? 0 : (int)((left + CLOCK_MS - 1) / CLOCK_MS);
}

/* For room, or where that says nothing a little while. */
static void await_room(int64_t until_ns, int r)
{
	struct pollfd at = {.fd = r == -EAGAIN ? sock : -1, .events = POLLOUT};
	int ms = left_ms(until_ns);
	poll(&at, 1, r == -EAGAIN || ms < 10 ? ms : 10);
}

int tells_drain(int64_t limit_ns)
{
	int64_t until = clock_ns() + limit_ns;
	int r;
	while ((r = tells_flush()) != 0) {
		if (left_ms(until) == 0)
			return -ETIMEDOUT;
		await_room(until, r == TELLS_E_FULL ? -EAGAIN : -ENOBUFS);
	}
	return 0;
}

int tells_barrier(int64_t limit_ns)
{
	static const char fields[] = "BARRIER=1";
	int64_t until = clock_ns() + limit_ns;
	struct pollfd at = {.events = 0};
	int pair[2];
	int r = getenv("NOTIFY_SOCKET") == NULL ? 0 : tells_drain(limit_ns);
	if (r < 0 || getenv("NOTIFY_SOCKET") == NULL)
		return r;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	while (is_passing(r = send_now(fields, strlen(fields), pair[1])) &&
	       left_ms(until) > 0)
		await_room(until, r);
	close(pair[1]);
	/* Closed by whoever reads it, after all that came before. */
	at.fd = pair[0];
	while (r == 0 && (at.revents & POLLHUP) == 0) {
		int n = poll(&at, 1, left_ms(until));
		if (n == 0)
			r = -ETIMEDOUT;
		else if (n < 0 && errno != EINTR)
			r = -errno;
	}
	close(pair[0]);
	return is_passing(r) ? -ETIMEDOUT : r;
}
