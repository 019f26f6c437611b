/* SPDX-License-Identifier: MIT */
/*
 * A program that closes every descriptor from 3 on, as daemons do, and opens its
 * own: not a byte of the library comes to them, none is closed, the pool says so
 * and closes, and what the client had comes back. One that has no standard streams
 * gets none of their numbers from the library.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define PAIRS 12
#define OBJECTS 20000

static struct fixture fixture;

/* Files of the program's own with the numbers that are free now. */
struct own {
	int pair[PAIRS][2];
	int watched; /* in an epoll set of the program's own */
	int poller;
	int timer;
};

static void open_own(struct own *own, int type)
{
	struct epoll_event event = {.events = EPOLLIN};
	own->poller = epoll_create1(0);
	own->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	for (unsigned i = 0; i < PAIRS; i++)
		if (socketpair(AF_UNIX, type, 0, own->pair[i]) < 0)
			tap_bail("socketpair: %s", strerror(errno));
	own->watched = own->pair[0][0];
	epoll_ctl(own->poller, EPOLL_CTL_ADD, own->watched, &event);
}

static void check_own(const struct own *own)
{
	struct epoll_event event;
	struct itimerspec at;
	unsigned bytes = 0;
	unsigned closed = 0;
	for (unsigned i = 0; i < PAIRS * 2; i++) {
		char room[256];
		int fd = own->pair[i / 2][i % 2];
		bytes += recv(fd, room, sizeof(room), MSG_DONTWAIT) >= 0;
		closed += fcntl(fd, F_GETFD) < 0;
	}
	tap_is(bytes, 0, "nothing was sent to the program's own sockets");
	tap_is(closed, 0, "and none was closed");
	tap_ok(epoll_wait(own->poller, &event, 1, 0) == 0 &&
	               epoll_ctl(own->poller, EPOLL_CTL_DEL, own->watched,
	                         NULL) == 0,
	       "its epoll set is as it was");
	tap_ok(timerfd_gettime(own->timer, &at) == 0 &&
	               at.it_value.tv_sec == 0 && at.it_value.tv_nsec == 0,
	       "and its timer");
}

struct how {
	const char *what;
	int type;
	unsigned flags;
	bool forks; /* a child that has copies of all */
};

/* It grows no more, and knows why. */
static void use_up(slabd_pool *pool, slabd_cache *cache)
{
	unsigned n = 0;
	while (n < OBJECTS && slabd_alloc(cache) != NULL)
		n++;
	tap_ok(n < OBJECTS && errno == ENOMEM &&
	               strstr(slabd_last_error(), "closed the descriptors"),
	       "the pool works on with what it has, and says why not more");
	tap_note("%u objects: %s", n, slabd_last_error());
	tap_ok(slabd_cache_create(pool, "more", 32, 0, 0) == NULL &&
	               errno == ENOTCONN,
	       "no cache is made");
	tap_ok(slabd_descriptor(pool) < 0, "there is no descriptor any more");
	tap_ok(slabd_poll(pool) < 0, "and nothing to be polled");
}

static void client(int fd, void *arg)
{
	const struct how *how = arg;
	struct slabd_options options = fixture_options(&fixture, how->flags);
	slabd_pool *pool;
	slabd_cache *cache;
	struct own own;
	pid_t pid = 0;
	options.wait_ms = 200;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "closed", 4096);
	slabd_free(cache, slabd_alloc(cache));
	if (how->forks && (pid = fork()) == 0) {
		pause();
		_exit(0);
	}
	/* The harness's own is 3 or more as well. */
	if (dup2(fd, 500) < 0)
		tap_bail("dup2: %s", strerror(errno));
	syscall(SYS_close_range, 3u, 499u, 0u);
	open_own(&own, how->type);
	use_up(pool, cache);
	tap_is(slabd_close(pool), 0, "the pool closes");
	check_own(&own);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "closed", 4096);
	tap_ok(slabd_alloc(cache) != NULL, "it may open the pool again");
	tap_is(slabd_close(pool), 0, "and close it");
}

/* ---- one number ---------------------------------------------------------- */

#define NUMBERS 64

/* A file of the program's own that can be read from, of another kind each time:
 * what is to be read stays there. */
static int readable(unsigned kind)
{
	struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd at;
	int pair[2];
	int fd;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    write(pair[1], "x", 1) != 1)
		tap_bail("socketpair: %s", strerror(errno));
	fd = kind == 0 ? pair[0]
	     : kind == 1 ? timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)
	                 : epoll_create1(0);
	if (kind == 1)
		timerfd_settime(fd, 0, &soon, NULL);
	if (kind == 2)
		epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &event);
	at = (struct pollfd){.fd = fd, .events = POLLIN};
	if (fd < 0 || poll(&at, 1, (int)SURELY_MS) != 1)
		tap_bail("no file to read from: %s", strerror(errno));
	return fd;
}

/* The library's n-th number, from 3 on, is made another file's. False: it has no
 * more of them. */
static bool take_number(unsigned n, unsigned kind, unsigned flags)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	bool had[NUMBERS];
	slabd_pool *pool;
	slabd_cache *cache;
	struct pollfd at = {.events = POLLIN};
	int number = -1;
	int own = readable(kind);
	options.wait_ms = 100;
	for (int fd = 0; fd < NUMBERS; fd++)
		had[fd] = fcntl(fd, F_GETFD) >= 0;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "number", 4096);
	for (int fd = 3; fd < NUMBERS && number < 0; fd++)
		if (!had[fd] && fcntl(fd, F_GETFD) >= 0 && n-- == 0)
			number = fd;
	if (number >= 0 && dup2(own, number) < 0)
		tap_bail("dup2: %s", strerror(errno));
	for (unsigned i = 0; i < 2000 && slabd_alloc(cache) != NULL; i++)
		continue;
	if ((flags & SLABD_NO_HELPER) != 0)
		(void)slabd_poll(pool);
	slabd_close(pool);
	at.fd = number;
	if (number >= 0)
		tap_ok(poll(&at, 1, 0) == 1 && at.revents == POLLIN,
		       "number %d is the program's own, of kind %u, and still "
		       "has what can be read", number, kind);
	close(own);
	close(number);
	return number >= 0;
}

static void numbers(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	for (unsigned kind = 0; kind < 3; kind++)
		for (unsigned n = 0; take_number(n, kind, 0); n++)
			(void)take_number(n, kind, SLABD_NO_HELPER);
}

/* A daemon without standard streams: what it prints never comes to slabd. */
static void without_streams(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool;
	int saved[3];
	unsigned taken = 0;
	(void)fd;
	(void)arg;
	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD, 500);
		close(i);
	}
	pool = slabd_open(NULL, &options);
	for (int i = 0; i < 3; i++) {
		taken += fcntl(i, F_GETFD) >= 0;
		dup2(saved[i], i);
	}
	tap_ok(pool != NULL, "the pool opens: %s", slabd_last_error());
	tap_is(taken, 0, "with none of the standard streams' numbers");
	tap_ok(pool != NULL && slabd_close(pool) == 0, "and closes");
}

int main(void)
{
	struct child one, streams;
	struct how hows[] = {
		{"with a helper", SOCK_SEQPACKET, 0, false},
		{"a stream, with a helper", SOCK_STREAM, 0, false},
		{"without a helper", SOCK_SEQPACKET, SLABD_NO_HELPER, false},
		{"with a forked child", SOCK_SEQPACKET, 0, true},
	};
	tap_start(200);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 256M\n");
	for (unsigned i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
		struct child child;
		child_start(&child, client, &hows[i]);
		child_end(&child, hows[i].what);
		tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
		       "what it had comes back");
	}
	child_start(&one, numbers, NULL);
	child_end(&one, "each number by itself");
	child_start(&streams, without_streams, NULL);
	child_end(&streams, "without standard streams");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
