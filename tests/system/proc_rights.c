/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that strangers send, of TCP sockets whose last close takes an
 * hour: slabd neither takes nor closes one. First a running slabd, where the
 * kernel refuses to send them or slabd finds them; then what was queued before
 * it could refuse (serve/door.c), by sockets that refuse nothing.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/serve/door.h"
#include "tests/lib/harness.h"
#include "tests/lib/raw.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"
#define HOUR 3600

static struct fixture fixture;

/* ---- what lingers ------------------------------------------------------- */

/* A TCP socket with unsent data; *other is the end that reads nothing. */
static int lingering(int *other)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct linger linger = {1, HOUR};
	socklen_t len = sizeof(at);
	int small = 4096;
	int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const char bytes[65536];
	setsockopt(door, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(door, (void *)&at, len) < 0 || listen(door, 1) < 0 ||
	    getsockname(door, (void *)&at, &len) < 0 ||
	    connect(fd, (void *)&at, len) < 0)
		tap_bail("no TCP: %s", strerror(errno));
	*other = accept(door, NULL, NULL);
	close(door);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return fd;
}

/* Sends it, and has the message hold the last reference. Where it is refused it
 * must not linger here. */
static int send_last(int sock, const void *bytes, size_t n, int *other)
{
	int fd = lingering(other);
	int r = raw_send(sock, bytes, n, 1, fd);
	struct linger none = {0, 0};
	if (r < 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	/* The message has a reference, so that this one is not the last. */
	close(fd);
	return r;
}

static int dial_control(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(at.sun_path, fixture.control);
	if (connect(fd, (void *)&at, sizeof(at)) < 0)
		tap_bail("%s: %s", fixture.control, strerror(errno));
	return fd;
}

/* ---- a slabd ------------------------------------------------------------ */

static void goes_on(const char *what)
{
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	tap_is(fixture_number(&fixture, "/status", "pid"), fixture.pid,
	       "%s: clients and slabctl are served", what);
	raw_close(&raw);
}

static void test_slabd(void)
{
	struct wire_hello hello = raw_hello("default");
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	struct raw raw;
	int other[4];
	int sock, control;
	fixture_open(&fixture, CONFIG);
	sock = raw_connect(&fixture);
	send_last(sock, &hello, sizeof(hello), &other[0]);
	goes_on("sent with a hello");
	raw_open(&raw, &fixture, "default");
	send_last(raw.sock, "x", 1, &other[1]);
	send_last(raw.events, &ring, sizeof(ring), &other[2]);
	goes_on("sent by a client");
	control = dial_control();
	if (send_last(control, "GET /", 5, &other[3]) == -EPERM)
		goes_on("sent to slabctl's socket");
	else
		tap_skip("the kernel has no SO_PASSRIGHTS: who gets there is "
		         "trusted", "sent to slabctl's socket");
	fixture_close(&fixture);
	close(sock);
	close(control);
	raw_close(&raw);
	for (int i = 0; i < 4; i++)
		close(other[i]);
}

/* ---- what was queued ---------------------------------------------------- */

/* Not one call of these waits, else the test would not end. */
static void test_queued(int type, const char *what)
{
	struct event_base *base = event_base_new();
	char byte;
	bool cut, brings;
	int pair[2], other[2];
	ssize_t n;
	if (socketpair(AF_UNIX, type, 0, pair) < 0 || door_open(base) < 0)
		tap_bail("no sockets");
	raw_send(pair[0], "first", 5, 0, -1);
	if (type == SOCK_SEQPACKET)
		raw_send(pair[0], "", 0, 0, -1);
	tap_is(send_last(pair[0], "bad", 3, &other[0]), 0, "%s: queued", what);
	tap_is(send_last(pair[0], "bad", 3, &other[1]), 0, "%s: twice", what);
	n = door_peek(pair[1], &byte, 1, &cut, &brings);
	/* Bytes run into each other. */
	tap_ok(n == 1 && byte == 'f' && (!brings || type == SOCK_STREAM),
	       "%s: the first is fine", what);
	door_close(pair[1], NULL);
	tap_is(door_waiting(), 1, "%s: it waits for a closer", what);
	tap_is(raw_send(pair[0], "more", 4, 0, -1), -EPIPE,
	       "%s: nothing more gets in", what);
	while (door_waiting() > 0)
		event_base_loop(base, EVLOOP_ONCE);
	tap_ok(true, "%s: a closer is done, within the hour", what);
	door_stop();
	event_base_free(base);
	close(pair[0]);
	close(other[0]);
	close(other[1]);
}

/* Those that nobody accepted, as slabd ends. */
static void test_backlog(void)
{
	struct event_base *base = event_base_new();
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(at);
	int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	int sock = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int other;
	if (bind(door, (void *)&at, sizeof(sa_family_t)) < 0 ||
	    listen(door, 1) < 0 || getsockname(door, (void *)&at, &len) < 0 ||
	    connect(sock, (void *)&at, len) < 0 || door_open(base) < 0)
		tap_bail("no socket: %s", strerror(errno));
	tap_is(send_last(sock, "bad", 3, &other), 0, "queued in a backlog");
	door_close_listener(door);
	door_stop();
	tap_is(door_waiting(), 0, "it is emptied before the end");
	event_base_free(base);
	close(sock);
	close(other);
}

/* ---- supervisors -------------------------------------------------------- */

static void test_second(void)
{
	struct fixture second;
	char who[64];
	pid_t pid;
	fixture_make(&fixture, CONFIG);
	fixture_make(&second, CONFIG);
	pid = super_start(&fixture);
	strcpy(second.socket, fixture.socket);
	super_spawn(&second, NULL, NULL);
	tap_ok(super_ended(fixture_wait(&second, SURELY_MS), 2),
	       "a second supervisor at the same socket ends with 2");
	snprintf(who, sizeof(who), "in use by a living slabd (pid %d)", pid);
	tap_ok(fixture_logged(&second, who), "and names the first");
	fixture_remove(&second);
	super_stop(&fixture, pid, "beside a second one");
	fixture_remove(&fixture);
}

int main(void)
{
	tap_start(300);
	signal(SIGPIPE, SIG_IGN);
	test_slabd();
	test_queued(SOCK_SEQPACKET, "packets");
	test_queued(SOCK_STREAM, "bytes");
	test_backlog();
	test_second();
	super_end();
	return tap_end();
}
