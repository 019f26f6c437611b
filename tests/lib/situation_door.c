/* SPDX-License-Identifier: MIT */
/* Strangers at slabd's sockets, and a log that nobody reads. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/raw.h"
#include "tests/lib/situation.h"

#define LINGER_S 2
#define RIGHTS 200u
#define CONNECTIONS 1000u
#define CONFIG "[pool default]\npage = 4k\nstart = 16M\nmax = 64M\n"

static int dial(const struct fixture *fixture, bool admin)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX,
	                  (admin ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC,
	                  0);
	strncpy(to.sun_path, admin ? fixture->control : fixture->socket,
	        sizeof(to.sun_path) - 1);
	if (connect(sock, (void *)&to, sizeof(to)) == 0)
		return sock;
	close(sock);
	return -1;
}

static void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* ---- descriptors whose last close waits ----------------------------------- */

/* A connection within this machine that has more to send than it can, so that
 * who closes it last waits; *keep is its other end. */
static int lingering(int *keep)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct linger linger = {1, LINGER_S};
	socklen_t n = sizeof(to);
	int small = 4096;
	char bytes[65536] = "";
	int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bind(door, (void *)&to, sizeof(to));
	setsockopt(door, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	listen(door, 1);
	getsockname(door, (void *)&to, &n);
	connect(sock, (void *)&to, n);
	*keep = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	close(door);
	fcntl(sock, F_SETFL, O_NONBLOCK);
	while (send(sock, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return sock;
}

/* One such in the queue of another socket, so that our own close never is the
 * last one and does not wait. */
static int wrapped(int *keep)
{
	int ends[2];
	int sock = lingering(keep);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		tap_bail("socketpair: %s", strerror(errno));
	raw_send(ends[0], "x", 1, 1, sock);
	close(sock);
	close(ends[0]);
	return ends[1];
}

static void send_rights(int fd, void *arg)
{
	struct situation_run *run = arg;
	struct wire_hello hello = raw_hello("default");
	unsigned rounds = situation_of(run, 3, 20, 60);
	static const char ask[] = "GET /status HTTP/1.1\r\n\r\n";
	(void)fd;
	for (unsigned i = 0; i < rounds; i++) {
		int keep;
		int sock = dial(&run->fixture, i % 3 == 2);
		int what = wrapped(&keep);
		int r = i % 3 == 2 ? raw_send(sock, ask, sizeof(ask) - 1,
		                              RIGHTS, what)
		                   : raw_send(sock, &hello, sizeof(hello),
		                              i % 3 == 0 ? 1 : RIGHTS, what);
		/* Otherwise keep stays open: nobody reads what lingers. */
		if (r < 0)
			close(keep); /* it is ours still, and lingers no more */
		close(what);
		close(sock);
	}
}

void situation_door_rights(struct situation_run *run)
{
	struct asker asker[2];
	struct child child;
	fixture_open(&run->fixture, CONFIG);
	situation_ask(&asker[0], &run->fixture, NULL, "default");
	situation_ask(&asker[1], &run->fixture, "/status", NULL);
	child_start(&child, send_rights, run);
	child_end(&child, "who sends descriptors ends");
	sleep_ms(situation_of(run, 0, 1000, 3000));
	situation_asked(&asker[0]);
	situation_asked(&asker[1]);
	situation_close(run);
}

/* ---- who says half of it -------------------------------------------------- */

static void say_half(int fd, void *arg)
{
	static int socks[CONNECTIONS];
	struct situation_run *run = arg;
	struct wire_hello hello = raw_hello("default");
	unsigned n = situation_of(run, 100, CONNECTIONS, CONNECTIONS);
	struct rlimit many = {8192, 8192};
	char head[512] = "GET /status HTTP/1.1\r\nX-More: ";
	setrlimit(RLIMIT_NOFILE, &many);
	for (unsigned i = 0; i < n; i++) {
		socks[i] = dial(&run->fixture, i % 2 == 1);
		if (socks[i] < 0)
			continue;
		if (i % 2 == 1)
			send(socks[i], head, strlen(head), MSG_NOSIGNAL);
		else if (i % 4 == 0)
			raw_send(socks[i], &hello, sizeof(hello) / 2, 0, -1);
	}
	memset(head, 'x', sizeof(head));
	say(fd, n);
	for (unsigned k = 0; k < situation_of(run, 20, 200, 600); k++)
		for (unsigned i = 1; i < n; i += 2)
			send(socks[i], head, sizeof(head),
			     MSG_NOSIGNAL | MSG_DONTWAIT);
	hear(fd);
	close_all(socks, n);
}

void situation_door_half(struct situation_run *run)
{
	struct asker asker;
	struct child child;
	fixture_open(&run->fixture, CONFIG);
	child_start(&child, say_half, run);
	hear(child.fd);
	situation_ask(&asker, &run->fixture, NULL, "default");
	sleep_ms(situation_of(run, 300, 3000, 8000));
	situation_asked(&asker);
	say(child.fd, 0);
	child_end(&child, "who says half ends");
	situation_close(run);
}

/* ---- who does not read ---------------------------------------------------- */

static void never_read(int fd, void *arg)
{
	static int socks[64];
	struct situation_run *run = arg;
	static const char ask[] = "GET /caches HTTP/1.1\r\nHost: s\r\n\r\n"
	                          "GET /clients HTTP/1.1\r\nHost: s\r\n\r\n";
	for (unsigned i = 0; i < 64; i++) {
		socks[i] = dial(&run->fixture, true);
		for (unsigned k = 0; k < 20 && socks[i] >= 0; k++)
			send(socks[i], ask, sizeof(ask) - 1,
			     MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	say(fd, 0);
	hear(fd);
	close_all(socks, 64);
}

static void have_caches(int fd, void *arg)
{
	const struct situation_run *run = arg;
	slabd_pool *pool = fixture_pool(&run->fixture);
	unsigned n = situation_of(run, 50, 1000, 1000);
	for (unsigned i = 0; i < n; i++) {
		char name[16];
		snprintf(name, sizeof(name), "c%u", i);
		fixture_cache(pool, name, 64);
	}
	say(fd, n);
	hear(fd);
}

void situation_door_readers(struct situation_run *run)
{
	struct asker asker[2];
	struct child child;
	struct child owner;
	fixture_open(&run->fixture, CONFIG "max_caches = 1024\n");
	child_start(&owner, have_caches, run);
	hear(owner.fd);
	child_start(&child, never_read, run);
	hear(child.fd);
	situation_ask(&asker[0], &run->fixture, NULL, "default");
	situation_ask(&asker[1], &run->fixture, "/caches", NULL);
	sleep_ms(situation_of(run, 300, 5000, 10000));
	situation_asked(&asker[0]);
	situation_asked(&asker[1]);
	say(child.fd, 0);
	child_end(&child, "who does not read ends");
	child_kill(&owner);
	situation_close(run);
}

/* ---- the log -------------------------------------------------------------- */

static int log_ends[2];

static void log_to_pipe(void)
{
	dup2(log_ends[1], STDERR_FILENO);
}

/* Each hello to a pool that is not there is a line of the log. */
static void be_refused(const struct fixture *fixture, unsigned n)
{
	struct wire_hello hello = raw_hello("no such pool");
	for (unsigned i = 0; i < n; i++) {
		int sock = raw_connect(fixture);
		raw_send(sock, &hello, sizeof(hello), 0, -1);
		raw_closed(sock);
		close(sock);
	}
}

void situation_door_log(struct situation_run *run)
{
	char bytes[4096];
	if (pipe2(log_ends, O_CLOEXEC) < 0)
		tap_bail("pipe2: %s", strerror(errno));
	fcntl(log_ends[1], F_SETFL, O_NONBLOCK);
	memset(bytes, '\n', sizeof(bytes));
	while (write(log_ends[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(log_ends[1], F_SETFL, 0);
	fixture_make(&run->fixture, CONFIG);
	fixture_spawn(&run->fixture, log_to_pipe);
	tap_ok(fixture_ready(&run->fixture),
	       "slabd starts though nobody reads its log");
	be_refused(&run->fixture, situation_of(run, 200, 2000, 5000));
	situation_close(run);
	close_all(log_ends, 2);
}
