/* SPDX-License-Identifier: MIT */
#include "daemon/manager/notify.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/tells.h"

#define TEXT_BYTES 256

static bool have_manager = true;

/* The names of what the manager passed, NULL once taken, and how far the search
 * for the next one has come, [0] of sockets, [1] of what it kept for us. */
static char **names;
static int n_names;
static int next[2];

void notify_setup(bool manager)
{
	have_manager = manager;
}

int notify_tell(const char *fields, const int *fds, unsigned n_fds)
{
	assert(n_fds <= 1);
	return have_manager ? tells_send(fields, n_fds > 0 ? fds[0] : -1) : 0;
}

int notify_say(const char *fields, const char *format, ...)
{
	char text[TEXT_BYTES], plain[TEXT_BYTES], all[2 * TEXT_BYTES];
	va_list args;
	int r;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_escape(plain, sizeof(plain), text);
	snprintf(all, sizeof(all), "%sSTATUS=%s", fields, plain);
	r = notify_tell(all, NULL, 0);
	if (r < 0)
		log_debug("the service manager can't be told: %s",
		          strerror(-r));
	return r < 0 ? r : 0;
}

int notify_reloading(void)
{
	char fields[64];
	snprintf(fields, sizeof(fields), "RELOADING=1\nMONOTONIC_USEC=%lld",
	         (long long)(clock_ns() / CLOCK_US));
	return notify_tell(fields, NULL, 0);
}

int64_t notify_watchdog_ns(void)
{
	uint64_t limit_us = 0;
	if (!have_manager || sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	return (int64_t)limit_us * CLOCK_US / 2;
}

int notify_barrier(int64_t limit_ns)
{
	return have_manager ? tells_barrier(limit_ns) : 0;
}

/* What a descriptor is, in the words of its unit. */
static const char *kind_of(int fd)
{
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(at);
	int type = 0;
	socklen_t bytes = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0)
		return errno == ENOTSOCK ? "no socket" : "not open";
	if (getsockname(fd, (void *)&at, &len) < 0 || at.ss_family != AF_UNIX)
		return "no socket of this machine (AF_UNIX)";
	if (type == SOCK_DGRAM)
		return "a datagram socket (ListenDatagram=)";
	if (sd_is_socket(fd, AF_UNIX, type, 0) > 0)
		return "no socket that listens (is Accept=yes set)";
	return type == SOCK_STREAM ? "a stream socket (ListenStream=)"
	                           : "a sequential packet socket "
	                             "(ListenSequentialPacket=)";
}

/* Sockets without a name: "unknown", or that of their unit. Only clients'
 * are of that type. */
static bool is_client(int fd, const char *name)
{
	const char *dot = strrchr(name, '.');
	if (strcmp(name, "slabd") == 0)
		return true;
	return (strcmp(name, "unknown") == 0 ||
	        (dot != NULL && strcmp(dot, ".socket") == 0)) &&
	       sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) > 0;
}

/* Puts one passed descriptor in its place, or says why it has none. */
static int take_one(struct notify_sockets *sockets, int fd, const char *name)
{
	bool client = is_client(fd, name);
	int *slot = client ? &sockets->client : &sockets->control;
	int type = client ? SOCK_SEQPACKET : SOCK_STREAM;
	int flags;
	if (!client && strcmp(name, "control") != 0) {
		log_error("the service manager passed descriptor %d, %s, by "
		          "the name \"%s\"; set FileDescriptorName= "
		          "(systemd-socket-activate --fdname=) to slabd or "
		          "control", fd, kind_of(fd), name);
		return -EINVAL;
	}
	if (*slot >= 0) {
		log_error("the service manager passed two sockets named "
		          "\"%s\"; leave one Listen line", name);
		return -EINVAL;
	}
	if (sd_is_socket_unix(fd, type, 1, NULL, 0) <= 0) {
		log_error("descriptor %d of the service manager, \"%s\", is of "
		          "a wrong type, %s; use %s with a path "
		          "(systemd-socket-activate%s)", fd, name, kind_of(fd),
		          client ? "ListenSequentialPacket=" : "ListenStream=",
		          client ? " --seqpacket" : "");
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
	char **passed;
	int n = sd_listen_fds_with_names(1, &passed);
	if (n < 0) {
		log_error("what the service manager passed in LISTEN_FDS can't "
		          "be read: %s", strerror(-n));
		return -EINVAL;
	}
	if (n > 0) {
		free(names);
		names = passed;
		n_names = n;
		next[0] = next[1] = 0;
	}
	return 0;
}

/* Sockets may come from who is no manager besides, as with --foreground. */
int notify_passed(bool kept, char **name)
{
	int r = have_manager || !kept ? collect() : -ENOENT;
	while (r == 0 && next[kept] < n_names) {
		int i = next[kept]++;
		*name = names[i];
		if (*name == NULL ||
		    kept != (strncmp(*name, NOTIFY_KEPT,
		                     strlen(NOTIFY_KEPT)) == 0))
			continue;
		names[i] = NULL;
		return SD_LISTEN_FDS_START + i;
	}
	return r < 0 ? r : -ENOENT;
}

int notify_listen_fds(struct notify_sockets *sockets)
{
	char *name;
	int fd, r = 0;
	*sockets = (struct notify_sockets){-1, -1};
	while ((fd = notify_passed(false, &name)) >= 0) {
		if (r == 0)
			r = take_one(sockets, fd, name);
		if (r < 0)
			close(fd);
		free(name);
	}
	if (r == 0 && fd == -ENOENT)
		return 0;
	if (sockets->client >= 0)
		close(sockets->client);
	if (sockets->control >= 0)
		close(sockets->control);
	*sockets = (struct notify_sockets){-1, -1};
	return -EINVAL;
}
