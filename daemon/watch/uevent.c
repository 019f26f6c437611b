/* SPDX-License-Identifier: MIT */
#include "daemon/watch/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST_MS 100     /* the kernel sends one message a memory block */
#define READS_MAX 64u    /* at one time */
#define MESSAGE_MAX 8192 /* the kernel's own limit is below that */

struct uevent {
	struct uevent_request want;
	int fd;
	struct event *readable;
	struct event *burst;
	unsigned what; /* since the burst began */
};

/* ---- messages ----------------------------------------------------------- */

/* The value of a key, or NULL. All strings have their end within bytes. */
static const char *value_of(const char *message, size_t bytes, const char *key)
{
	size_t len = strlen(key);
	for (size_t at = 0; at < bytes; at += strlen(message + at) + 1)
		if (strncmp(message + at, key, len) == 0)
			return message + at + len;
	return NULL;
}

static bool is_news(const char *action)
{
	static const char *const actions[] = {"add", "remove", "online",
	                                      "offline", "change"};
	for (unsigned i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(action, actions[i]) == 0)
			return true;
	return false;
}

enum uevent_what uevent_parse(const char *message, size_t bytes)
{
	const char *action;
	const char *subsystem;
	if (bytes == 0 || message[bytes - 1] != '\0' ||
	    strchr(message, '@') == NULL)
		return UEVENT_NOTHING;
	action = value_of(message, bytes, "ACTION=");
	subsystem = value_of(message, bytes, "SUBSYSTEM=");
	if (action == NULL || subsystem == NULL || !is_news(action))
		return UEVENT_NOTHING;
	if (strcmp(subsystem, "cpu") == 0)
		return UEVENT_CPUS;
	if (strcmp(subsystem, "memory") == 0 || strcmp(subsystem, "node") == 0)
		return UEVENT_MEMORY;
	return UEVENT_NOTHING;
}

/* One message, or -1. Another process may send, too: that is garbage. A message
 * that is cut, or lost, may have been anything. */
static int read_one(int fd)
{
	char text[MESSAGE_MAX];
	struct sockaddr_nl from = {.nl_pid = 0};
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr msg = {.msg_name = &from,
	                     .msg_namelen = sizeof(from),
	                     .msg_iov = &iov,
	                     .msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return errno == ENOBUFS ? UEVENT_CPUS | UEVENT_MEMORY : -1;
	if (from.nl_pid != 0)
		return UEVENT_NOTHING;
	if (msg.msg_flags & MSG_TRUNC)
		return UEVENT_CPUS | UEVENT_MEMORY;
	return (int)uevent_parse(text, (size_t)n);
}

/* ---- the loop ----------------------------------------------------------- */

static void on_message(evutil_socket_t fd, short event, void *arg)
{
	struct uevent *h = arg;
	struct timeval tv = {.tv_usec = BURST_MS * 1000};
	(void)event;
	for (unsigned i = 0; i < READS_MAX; i++) {
		int what = read_one(fd);
		if (what < 0)
			break;
		h->what |= (unsigned)what;
	}
	if (h->what != UEVENT_NOTHING && !evtimer_pending(h->burst, NULL))
		evtimer_add(h->burst, &tv);
}

static void on_burst(evutil_socket_t fd, short event, void *arg)
{
	struct uevent *h = arg;
	unsigned what = h->what;
	(void)fd;
	(void)event;
	h->what = UEVENT_NOTHING;
	h->want.changed(h->want.arg, what);
}

static int listen_to_kernel(void)
{
	struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                NETLINK_KOBJECT_UEVENT);
	int r;
	if (fd < 0)
		return -errno;
	if (bind(fd, (const void *)&at, sizeof(at)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int uevent_open(struct uevent **out, const struct uevent_request *want)
{
	struct uevent *h = calloc(1, sizeof(*h));
	int r;
	*out = NULL;
	if (h == NULL)
		return -ENOMEM;
	h->want = *want;
	r = h->fd = listen_to_kernel();
	if (r >= 0) {
		h->burst = evtimer_new(want->base, on_burst, h);
		h->readable = event_new(want->base, h->fd,
		                        EV_READ | EV_PERSIST, on_message, h);
		r = h->burst == NULL || h->readable == NULL ||
		                    event_add(h->readable, NULL) < 0
		            ? -ENOMEM
		            : 0;
	}
	if (r < 0) {
		uevent_close(h);
		return r;
	}
	*out = h;
	return 0;
}

void uevent_close(struct uevent *h)
{
	if (h == NULL)
		return;
	if (h->readable != NULL)
		event_free(h->readable);
	if (h->burst != NULL)
		event_free(h->burst);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}
