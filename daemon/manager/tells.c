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
#include "daemon/base/stop.h"

#define PUT "FDSTORE=1\nFDNAME="
#define DROP "FDSTOREREMOVE=1\nFDNAME="
#define FLUSH_MAX 64u /* at one go */
#define STOP_MS 100   /* from one look whether to stop to the next */

#define BUCKETS 1024u /* of puts, by name; one more of what is no put or drop */

static struct tell {
	struct tell *next; /* in the order of the queue */
	struct tell **link;
	struct tell *beside; /* in its bucket */
	struct tell **beside_link;
	size_t bytes;
	int fd; /* a copy; -1 */
	char fields[];
} * first, **end = &first;
static struct tell *buckets[BUCKETS + 1];
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

/* What waits beside those that it may cancel out. A drop does with nothing. */
static struct tell **bucket_of(const char *fields)
{
	uint32_t hash = 2166136261u;
	if (starts(fields, DROP))
		fields += strlen(DROP);
	else if (starts(fields, PUT))
		fields += strlen(PUT);
	else
		return &buckets[BUCKETS];
	for (size_t i = 0; fields[i] != '\0' && fields[i] != '\n'; i++)
		hash = (hash ^ (unsigned char)fields[i]) * 16777619u;
	return &buckets[hash % BUCKETS];
}

static void put_on(struct tell *tell)
{
	struct tell **bucket = bucket_of(tell->fields);
	tell->link = end;
	*end = tell;
	end = &tell->next;
	if (starts(tell->fields, DROP))
		return;
	tell->beside = *bucket;
	tell->beside_link = bucket;
	*bucket = tell;
	if (tell->beside != NULL)
		tell->beside->beside_link = &tell->beside;
}

static void take_off(struct tell *tell)
{
	*tell->link = tell->next;
	if (tell->next != NULL)
		tell->next->link = tell->link;
	else
		end = tell->link;
	if (tell->beside_link != NULL)
		*tell->beside_link = tell->beside;
	if (tell->beside != NULL)
		tell->beside->beside_link = tell->beside_link;
	if (tell->fd >= 0) {
		close(tell->fd);
		n_puts--;
	}
	free(tell);
}

/* The put that waits for the descriptor that is dropped by these fields. */
static struct tell *find_put(const char *drop)
{
	const char *name = drop + strlen(DROP);
	size_t len = strcspn(name, "\n");
	struct tell *tell = *bucket_of(drop);
	for (; tell != NULL; tell = tell->beside) {
		const char *of = tell->fields + strlen(PUT);
		if (strncmp(of, name, len) == 0 && of[len] == '\n')
			break;
	}
	return tell;
}

/* What waits and has the same first field, of which there is one at most. */
static struct tell *find_note(const char *fields)
{
	size_t len = strcspn(fields, "=") + 1;
	struct tell *tell = *bucket_of(fields);
	while (tell != NULL && strncmp(tell->fields, fields, len) != 0)
		tell = tell->beside;
	return tell;
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
	put_on(tell);
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
	if (first != NULL && !starts(fields, PUT)) {
		bool is_drop = starts(fields, DROP);
		struct tell *tell =
			is_drop ? find_put(fields) : find_note(fields);
		/* Signs of life keep their place: a manager that is slow reads
		 * of a watchdog in time. What else says the same may end what
		 * something in between began. */
		if (tell != NULL && starts(fields, "WATCHDOG="))
			return 1;
		if (tell != NULL)
			take_off(tell);
		if (tell != NULL && is_drop)
			return 1;
	}
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
		take_off(first);
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
	int most = r == -EAGAIN ? STOP_MS : 10;
	poll(&at, 1, ms < most ? ms : most);
}

/* Until the other end is closed, by whoever reads it after all that came
 * before. */
static int await_end(int fd, int64_t until_ns)
{
	struct pollfd at = {.fd = fd};
	while (poll(&at, 1, left_ms(until_ns) < STOP_MS ? left_ms(until_ns)
	                                                : STOP_MS) <= 0) {
		if (left_ms(until_ns) == 0)
			return -ETIMEDOUT;
		if (stop_is_due())
			return -ECANCELED;
	}
	return 0;
}

static int drain(int64_t until_ns, bool may_stop)
{
	int r;
	while ((r = tells_flush()) != 0) {
		if (left_ms(until_ns) == 0)
			return -ETIMEDOUT;
		if (may_stop && stop_is_due())
			return -ECANCELED;
		await_room(until_ns, r == TELLS_E_FULL ? -EAGAIN : -ENOBUFS);
	}
	return 0;
}

int tells_drain(int64_t limit_ns)
{
	return drain(clock_ns() + limit_ns, false);
}

int tells_barrier(int64_t limit_ns)
{
	static const char fields[] = "BARRIER=1";
	int64_t until = clock_ns() + limit_ns;
	int pair[2];
	int r = getenv("NOTIFY_SOCKET") == NULL ? 0 : drain(until, true);
	if (r < 0 || getenv("NOTIFY_SOCKET") == NULL)
		return r;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	while (is_passing(r = send_now(fields, strlen(fields), pair[1])) &&
	       left_ms(until) > 0 && !stop_is_due())
		await_room(until, r);
	close(pair[1]);
	if (r == 0)
		r = await_end(pair[0], until);
	close(pair[0]);
	return is_passing(r) ? -ETIMEDOUT : r;
}
