/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that strangers send, of TCP sockets whose last close takes an
 * hour, and of files in user space whose last close takes as long as their
 * server likes: slabd neither takes nor closes one. First a running slabd, where
 * the kernel refuses to send them; then what was queued before it could refuse
 * (serve/door.c), by sockets that refuse nothing; then all of it as with a kernel
 * that can't refuse. Nothing here bounds a time: a loop that waited once would
 * never come back.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/serve/door.h"
#include "tests/lib/harness.h"
#include "tests/lib/raw.h"
#include "tests/lib/slow.h"
#include "tests/lib/super.h"
#include "tests/lib/turns.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"
#define HOUR 3600
#define SO_PASSRIGHTS 83 /* asm-generic */
#define NOBODY 65534

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

/* Sends so many copies of it, and has the message hold the last reference. Where
 * it is refused it must not linger here. */
static int send_many(int sock, const void *bytes, size_t n, unsigned copies,
                     int *other)
{
	int fd = lingering(other);
	int r = raw_send(sock, bytes, n, copies, fd);
	struct linger none = {0, 0};
	if (r < 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	/* The message has a reference, so that this one is not the last. */
	close(fd);
	return r;
}

static int send_last(int sock, const void *bytes, size_t n, int *other)
{
	return send_many(sock, bytes, n, 1, other);
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

static bool old; /* the kernel can't refuse, as it seems */

static void goes_on(const char *what)
{
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	tap_ok(fixture_number(&fixture, "/status", "pid") > 0,
	       "%s%s: clients and slabctl are served", what,
	       old ? ", as of old" : "");
	raw_close(&raw);
}

/* Refused where the kernel can, and seen elsewhere. */
static void sends(int sock, const void *bytes, size_t n, unsigned copies,
                  int *other, const char *what)
{
	int r;
	/* It is to have the last reference. */
	fixture_halt(&fixture);
	r = send_many(sock, bytes, n, copies, other);
	fixture_signal(&fixture, SIGCONT);
	/* One that sent garbage may have been shut out before. */
	if (!tap_ok(r == 0 || r == -EPIPE || (r == -EPERM && !old), "%s: %s",
	            what, r == 0 ? "sent" : "refused"))
		tap_note("%s", strerror(-r));
	goes_on(what);
}

static void tell_turns(void)
{
	struct turns turns;
	if (turns_read(&fixture, &turns))
		tap_note("%llu turns, each below %llu us",
		         (unsigned long long)turns.count,
		         (unsigned long long)turns_below_us(&turns));
}

static void test_slabd(void)
{
	struct wire_hello hello = raw_hello("default");
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	struct raw raw, second;
	int sock[6];
	int other[8];
	fixture_open(&fixture, CONFIG);
	for (int i = 0; i < 3; i++)
		sock[i] = raw_connect(&fixture);
	sends(sock[0], &hello, sizeof(hello), 1, &other[0], "with a hello");
	sends(sock[1], &hello, sizeof(hello), 200, &other[1], "200 of it");
	raw_send(sock[2], "garbage", 7, 0, -1);
	sends(sock[2], &hello, sizeof(hello), 1, &other[2], "after garbage");
	raw_open(&raw, &fixture, "default");
	raw_open(&second, &fixture, "default");
	sends(raw.sock, "x", 1, 1, &other[3], "by a client");
	sends(second.events, &ring, sizeof(ring), 1, &other[4],
	      "by its events");
	for (int i = 3; i < 6; i++)
		sock[i] = dial_control();
	sends(sock[3], "GET /", 5, 1, &other[5], "to slabctl's socket");
	raw_send(sock[4], "GET /status HT", 14, 0, -1);
	sends(sock[4], "TP/1.1", 6, 1, &other[6], "within a request");
	raw_send(sock[5], "GET /status HTTP/1.1\r\n\r\n", 24, 0, -1);
	sends(sock[5], "GET", 3, 200, &other[7], "after a request");
	close(sock[5]);
	goes_on("who sent it is gone");
	tell_turns();
	fixture_close(&fixture);
	for (int i = 0; i < 5; i++)
		close(sock[i]);
	raw_close(&raw);
	raw_close(&second);
	for (int i = 0; i < 8; i++)
		close(other[i]);
}

/* One user's connections that say nothing keep no other's client out. */
static void test_silent(void)
{
	static int socks[300];
	struct raw raw;
	unsigned n = sizeof(socks) / sizeof(socks[0]);
	if (geteuid() != 0) {
		tap_skip("root alone can be two users", "who says nothing");
		return;
	}
	fixture_open(&fixture, "[slabd]\nsocket_mode = 0666\n" CONFIG
	                       "max_clients = 8\n");
	if (syscall(SYS_setresuid, -1, NOBODY, -1) < 0)
		tap_bail("no other user");
	for (unsigned i = 0; i < n; i++)
		socks[i] = raw_connect(&fixture);
	if (syscall(SYS_setresuid, -1, 0, -1) < 0)
		tap_bail("not root any more");
	raw_open(&raw, &fixture, "default");
	tap_ok(fixture_number(&fixture, "/status", "dropped.limit") > 0,
	       "hundreds that say nothing keep no other user out");
	raw_close(&raw);
	for (unsigned i = 0; i < n; i++)
		close(socks[i]);
	fixture_close(&fixture);
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

/* What libevent reads is what was sent before. */
static void test_read(void)
{
	char bytes[64];
	struct iovec parts[2] = {{bytes, 2}, {bytes + 2, sizeof(bytes) - 2}};
	int pair[2], other;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		tap_bail("no sockets");
	tap_ok(readv(pair[1], parts, 2) < 0 && errno == EAGAIN,
	       "nothing is there to be read");
	raw_send(pair[0], "first", 5, 0, -1);
	tap_ok(readv(pair[1], parts, 2) == 5 && memcmp(bytes, "first", 5) == 0,
	       "bytes are read");
	tap_is(send_last(pair[0], "bad", 3, &other), 0, "a socket is sent");
	tap_ok(readv(pair[1], parts, 2) < 0 && errno == ECONNRESET,
	       "and not read");
	close(other);
	close(pair[0]);
	tap_ok(readv(pair[1], parts, 2) < 0, "nor once its sender is gone");
	close(pair[1]);
	if (pipe(pair) < 0 || write(pair[1], "pipe", 4) != 4)
		tap_bail("no pipe");
	tap_is(readv(pair[0], parts, 2), 4, "a pipe is read");
	close(pair[0]);
	close(pair[1]);
}

/* A pair that another user made. */
static bool pair_of(uid_t uid, int pair[2])
{
	bool good = syscall(SYS_setresuid, -1, uid, -1) == 0 &&
	            socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0;
	return syscall(SYS_setresuid, -1, 0, -1) == 0 && good;
}

/* Files of which no signal ends the last close: a user who sends some holds up
 * what he sends, and nobody else. */
static void test_slow(void)
{
	struct event_base *base = event_base_new();
	struct child server;
	int pair[4][2], other;
	int file = geteuid() == 0 ? slow_open(&server) : -1;
	if (file < 0) {
		tap_skip("no file system in user space can be mounted here",
		         "files whose server does not answer");
		event_base_free(base);
		return;
	}
	if (door_open(base) < 0 || !pair_of(NOBODY, pair[0]))
		tap_bail("no sockets");
	for (int i = 1; i < 4; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair[i]) < 0 ||
		    raw_send(pair[i][0], "bad", 3, 1, file) < 0)
			tap_bail("no sockets");
	close(file);
	slow_dirty();
	/* Each file has three references; the last goes with the last pair. */
	for (int i = 1; i < 4; i++)
		door_close(pair[i][1], NULL);
	send_last(pair[0][0], "bad", 3, &other);
	door_close(pair[0][1], NULL);
	while (door_waiting() > 1)
		event_base_loop(base, EVLOOP_ONCE);
	tap_is(door_waiting(), 1, "another user's socket is closed meanwhile");
	slow_end(&server);
	while (door_waiting() > 0)
		event_base_loop(base, EVLOOP_ONCE);
	tap_ok(true, "and the file's when its server is gone");
	door_stop();
	event_base_free(base);
	close(other);
	for (int i = 0; i < 4; i++)
		close(pair[i][0]);
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

/* The same of a slabd, and of what slabctl asks. */
static void test_slow_slabd(void)
{
	struct child server;
	int file = geteuid() == 0 ? slow_open(&server) : -1;
	int sock, control;
	if (file < 0)
		return;
	fixture_open(&fixture, CONFIG);
	sock = raw_connect(&fixture);
	control = dial_control();
	raw_send(sock, "bad", 3, 1, file);
	raw_send(control, "GET /", 5, 1, file);
	close(file);
	slow_dirty();
	goes_on("a file whose server does not answer");
	close(sock);
	close(control);
	goes_on("who sent it is gone");
	tell_turns();
	slow_end(&server);
	fixture_close(&fixture);
}

/* What the next slabd finds queued: at the sockets that listen, and of a client
 * that it goes on with. */
static void test_successor(void)
{
	struct wire_hello hello = raw_hello("default");
	struct raw raw;
	int other[3];
	int sock, control;
	pid_t pid;
	fixture_make(&fixture, CONFIG);
	pid = super_start(&fixture);
	raw_open(&raw, &fixture, "default");
	kill(pid, SIGSTOP);
	while (*super_status(pid, "State:\t") != 'T')
		sleep_ms(1);
	sock = raw_connect(&fixture);
	control = dial_control();
	send_last(sock, &hello, sizeof(hello), &other[0]);
	send_last(control, "GET /", 5, &other[1]);
	send_last(raw.sock, "x", 1, &other[2]);
	pid = super_kill(&fixture, pid);
	goes_on("queued before the next slabd");
	tell_turns();
	super_stop(&fixture, pid, "with what was queued");
	fixture_remove(&fixture);
	raw_close(&raw);
	close(sock);
	close(control);
	for (int i = 0; i < 3; i++)
		close(other[i]);
}

/* From now on, for this process and all that it starts, as before Linux 6.16. */
static void become_old(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                 offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SO_PASSRIGHTS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
	old = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

int main(void)
{
	tap_start(300);
	signal(SIGPIPE, SIG_IGN);
	test_slabd();
	test_silent();
	test_successor();
	test_read();
	test_slow();
	test_queued(SOCK_SEQPACKET, "packets");
	test_queued(SOCK_STREAM, "bytes");
	test_backlog();
	test_second();
	become_old();
	if (old) {
		test_slabd();
		test_successor();
		test_slow_slabd();
	} else {
		tap_skip("no seccomp here", "a kernel that can't refuse");
	}
	super_end();
	return tap_end();
}
