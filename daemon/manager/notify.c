/* SPDX-License-Identifier: MIT */
#include "daemon/manager/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#define TEXT_BYTES 256
#define TRIES 5 /* to tell the manager, where the kernel lacks memory */
#define EXTEND_US UINT64_C(30000000)

static bool have_manager = true;

/* What the manager passed: [0] sockets, [1] what it kept for us. */
static struct queue {
	struct passed {
		int fd;
		char *name;
	} *list;
	unsigned n;
	unsigned next; /* the first that nobody took */
} queues[2];

void notify_setup(bool manager)
{
	have_manager = manager;
}

static bool is_passing(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM ||
	       error == -EINTR;
}

int notify_tell(const char *fields, const int *fds, unsigned n_fds)
{
	int r = -EAGAIN;
	if (!have_manager)
		return 0;
	for (int tries = 0; tries < TRIES && is_passing(r); tries++)
		r = sd_pid_notify_with_fds(0, 0, fields, fds, n_fds);
	return r;
}

/* A notification of fields that we wrote, closed by a status text. A failure
 * is no reason to stop serving clients. */
static int __attribute__((format(printf, 2, 0)))
notify(const char *fields, const char *format, va_list args)
{
	char text[TEXT_BYTES], plain[TEXT_BYTES], all[2 * TEXT_BYTES];
	int r;
	if (!have_manager)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	log_escape(plain, sizeof(plain), text);
	snprintf(all, sizeof(all), "%sSTATUS=%s", fields, plain);
	r = notify_tell(all, NULL, 0);
	if (r < 0)
		log_debug("the service manager can't be told: %s",
		          strerror(-r));
	return r;
}

int notify_ready(const char *format, ...)
{
	va_list args;
	int r;
	va_start(args, format);
	r = notify("READY=1\n", format, args);
	va_end(args);
	return r < 0 ? r : 0;
}

void notify_progress(const char *format, ...)
{
	char fields[64];
	va_list args;
	snprintf(fields, sizeof(fields), "EXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
	         EXTEND_US);
	va_start(args, format);
	notify(fields, format, args);
	va_end(args);
}

void notify_status(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	notify("", format, args);
	va_end(args);
}

void notify_stopping(void)
{
	if (have_manager)
		sd_notify(0, "STOPPING=1\nSTATUS=giving memory back");
}

int64_t notify_watchdog_ns(void)
{
	uint64_t limit_us = 0;
	if (!have_manager || sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	return (int64_t)limit_us * CLOCK_US / 2;
}

void notify_alive(void)
{
	if (have_manager)
		sd_notify(0, "WATCHDOG=1");
}

int notify_barrier(int64_t limit_ns)
{
	uint64_t limit_us = (uint64_t)(limit_ns / CLOCK_US);
	int r = have_manager ? sd_notify_barrier(0, limit_us) : 0;
	return r < 0 ? r : 0;
}

/* Puts one passed descriptor in its place, or says why it has none. */
static int take_one(struct notify_sockets *sockets, int fd, const char *name)
{
	int *slot;
	int type, flags;
	if (strcmp(name, "slabd") == 0) {
		slot = &sockets->client;
		type = SOCK_SEQPACKET;
	} else if (strcmp(name, "control") == 0) {
		slot = &sockets->control;
		type = SOCK_STREAM;
	} else {
		log_error("the service manager passed a socket named \"%s\"; "
		          "set FileDescriptorName= to slabd or control", name);
		return -EINVAL;
	}
	if (*slot >= 0) {
		log_error("the service manager passed two sockets named "
		          "\"%s\"; leave one Listen line", name);
		return -EINVAL;
	}
	if (sd_is_socket_unix(fd, type, 1, NULL, 0) <= 0) {
		log_error("socket \"%s\" of the service manager is of a wrong "
		          "type; use %s with a path", name,
		          type == SOCK_STREAM ? "ListenStream="
		                              : "ListenSequentialPacket=");
		return -EINVAL;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	*slot = fd;
	return 0;
}

/* Takes over what the environment names. It is there once: a second call
 * finds nothing. */
static int collect(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	if (n < 0) {
		log_error("what the service manager passed in LISTEN_FDS can't "
		          "be read: %s", strerror(-n));
		return -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		bool kept = strncmp(names[i], NOTIFY_KEPT,
		                    strlen(NOTIFY_KEPT)) == 0;
		struct queue *queue = &queues[kept];
		struct passed *more =
		        realloc(queue->list,
		                (queue->n + 1) * sizeof(struct passed));
		if (more == NULL) {
			log_error("no memory for what the service manager "
			          "passed: \"%s\" is closed", names[i]);
			close(fd);
			free(names[i]);
			continue;
		}
		queue->list = more;
		more[queue->n++] = (struct passed){ fd, names[i] };
	}
	free(names);
	return 0;
}

int notify_passed(bool kept, char **name)
{
	struct queue *queue = &queues[kept];
	int r = have_manager ? collect() : -ENOENT;
	if (r < 0)
		return r;
	if (queue->next == queue->n)
		return -ENOENT;
	*name = queue->list[queue->next].name;
	return queue->list[queue->next++].fd;
}

/* After an error: closes what was taken and what is left. */
static void close_sockets(struct notify_sockets *sockets)
{
	char *name;
	int fd;
	if (sockets->client >= 0)
		close(sockets->client);
	if (sockets->control >= 0)
		close(sockets->control);
	while ((fd = notify_passed(false, &name)) >= 0) {
		close(fd);
		free(name);
	}
	sockets->client = -1;
	sockets->control = -1;
}

int notify_listen_fds(struct notify_sockets *sockets)
{
	char *name;
	int fd = -ENOENT;
	int r = 0;
	sockets->client = -1;
	sockets->control = -1;
	while (r == 0 && (fd = notify_passed(false, &name)) >= 0) {
		r = take_one(sockets, fd, name);
		if (r < 0)
			close(fd);
		free(name);
	}
	if (r == 0 && fd == -ENOENT)
		return 0;
	close_sockets(sockets);
	return -EINVAL;
}
