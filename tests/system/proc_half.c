/* SPDX-License-Identifier: MIT */
/*
 * Messages of which half is missing: each type cut at each length, from a
 * client to slabd, and from slabd to a client. What is cut costs its
 * connection or its call, with a reason, and nothing else.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/asked.h"
#include "tests/lib/harness.h"
#include "tests/lib/raw.h"

#define SIZE 64
#define LIMIT_MS 5000 /* the wait for one who never answers */

static struct fixture fixture;

/* ---- a client's messages ------------------------------------------------- */

static long long dropped(const char *name)
{
	char at[64];
	snprintf(at, sizeof(at), "dropped.%s", name);
	return fixture_number(&fixture, "/status", at);
}

static void send_cut(bool first, bool event, const void *bytes, size_t n_bytes,
                     const char *drop, const char *what)
{
	long long before = dropped(drop);
	unsigned gone = 0;
	for (size_t n = 1; n < n_bytes; n++) {
		struct raw raw = {.sock = -1};
		int sock;
		if (!first)
			raw_open(&raw, &fixture, "default");
		sock = first   ? raw_connect(&fixture)
		       : event ? raw.events
		               : raw.sock;
		raw_send(sock, bytes, n, 0, -1);
		gone += raw_closed(sock);
		if (first)
			close(sock);
		else
			raw_close(&raw);
	}
	tap_is(gone, (long long)n_bytes - 1, "%s cut at %zu lengths: slabd "
	       "closes", what, n_bytes - 1);
	tap_is(dropped(drop) - before, (long long)n_bytes - 1,
	       "each is dropped as %s", drop);
}

static void test_to_slabd(void)
{
	struct wire_hello hello = raw_hello("default");
	struct wire_create create = {
	        .head = {.type = WIRE_CREATE, .bytes = sizeof(create)},
	        .size = SIZE,
	        .name = "half"};
	struct wire_head bye = {.type = WIRE_BYE, .bytes = sizeof(bye)};
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	send_cut(true, false, &hello, sizeof(hello), "short", "a hello");
	hello.id = 1;
	hello.epoch = 1;
	send_cut(true, false, &hello, sizeof(hello), "short",
	         "a hello of one who is back");
	send_cut(false, false, &create, sizeof(create), "short", "a create");
	send_cut(false, false, &bye, sizeof(bye), "short", "a goodbye");
	send_cut(false, true, &ring, sizeof(ring), "garbage", "a ring");
}

/* ---- a slabd that cuts its messages -------------------------------------- */

/* It stands between the clients and slabd, whose only client it is. */
static struct board {
	uint32_t welcome; /* so many bytes of it; 0: all */
	uint32_t back;    /* of the welcome to one who is back */
	uint32_t reply;   /* to a create */
	uint32_t bye;     /* of the reply to a goodbye */
} *board;

#define LEAVE 1000u /* said to it: drop the client; less: send a trim so long */

static char path[108];
static struct raw real;

static size_t cut_to(uint32_t n, size_t all)
{
	return n != 0 ? n : all;
}

/* The descriptors go along whole. */
static void send_with(int sock, const void *bytes, size_t n_bytes,
                      const int *fds, unsigned n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(WIRE_FDS_MAX *
	                                              sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes,
	                    .iov_len = n_bytes};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = (struct cmsghdr *)(void *)room;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	sendmsg(sock, &hdr, MSG_NOSIGNAL);
}

/* Answers a hello; our end of the events, or -1. */
static int welcome(int sock)
{
	struct wire_hello hello = {.magic = 0};
	int fds[WIRE_FDS_MAX];
	int events[2];
	unsigned n = 3 + real.welcome.n_nodes;
	bool is_back;
	if (recv(sock, &hello, sizeof(hello), 0) != sizeof(hello) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, events) < 0)
		return -1;
	is_back = hello.id != 0;
	fds[0] = events[1];
	fds[1] = real.control;
	fds[2] = real.shared;
	memcpy(fds + 3, real.data, real.welcome.n_nodes * sizeof(int));
	send_with(sock, &real.welcome,
	          cut_to(is_back ? board->back : board->welcome,
	                 sizeof(real.welcome)),
	          fds, is_back ? 1 : n);
	close(events[1]);
	return events[0];
}

/* Passes one request on and half of its reply back. False at the end. */
static bool pass_on(int sock)
{
	struct wire_create room;
	struct wire_reply reply = {.head = {.type = WIRE_REPLY,
	                                    .bytes = sizeof(reply)}};
	ssize_t n = recv(sock, &room, sizeof(room), 0);
	uint32_t cut = board->bye;
	if (n <= 0)
		return false;
	reply.head.seq = room.head.seq;
	if (room.head.type == WIRE_CREATE) {
		raw_send(real.sock, &room, (size_t)n, 0, -1);
		if (recv(real.sock, &reply, sizeof(reply), 0) != sizeof(reply))
			tap_bail("slabd does not answer");
		cut = board->reply;
	}
	send(sock, &reply, cut_to(cut, sizeof(reply)), MSG_NOSIGNAL);
	return true;
}

/* One client, until it goes or the test has it dropped. */
static void serve(int sock, int fd)
{
	struct wire_head trim = {.type = WIRE_TRIM, .bytes = sizeof(trim)};
	int events = welcome(sock);
	bool goes_on = events >= 0;
	while (goes_on) {
		struct pollfd at[2] = {{.fd = sock, .events = POLLIN},
		                       {.fd = fd, .events = POLLIN}};
		uint64_t word;
		poll(at, 2, -1);
		if (at[0].revents != 0)
			goes_on = pass_on(sock);
		if (!goes_on || at[1].revents == 0)
			continue;
		word = hear(fd);
		goes_on = word != LEAVE;
		if (goes_on)
			raw_send(events, &trim, (size_t)word, 0, -1);
		say(fd, word);
	}
	close(events);
	close(sock);
}

static void stands_between(int fd, void *arg)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)arg;
	strcpy(at.sun_path, path);
	raw_open(&real, &fixture, "default");
	if (bind(listening, (void *)&at, sizeof(at)) < 0 ||
	    listen(listening, 4) < 0)
		tap_bail("bind: %s", strerror(errno));
	say(fd, 1);
	for (;;)
		serve(accept(listening, NULL, NULL), fd);
}

/* ---- its client
 * ----------------------------------------------------------- */

struct score {
	unsigned tried;
	unsigned bad;
	double worst_ms;
};

/* What came of the call that began with asked_begin. */
static void score(struct score *s, bool good, uint32_t n)
{
	double took = asked_end();
	s->tried++;
	s->worst_ms = took > s->worst_ms ? took : s->worst_ms;
	if (good && took < LIMIT_MS)
		return;
	s->bad++;
	tap_note("cut after %u bytes, %.0f ms waited: %s, \"%s\"", n, took,
	         strerror(errno), slabd_last_error());
}

static void result(const struct score *s, const char *what)
{
	tap_is(s->bad, 0, "%s, cut at %u lengths", what, s->tried);
	tap_note("at the most %.1f ms waited", s->worst_ms);
}

static slabd_pool *try_open(void)
{
	struct slabd_options options = {.socket = path,
	                                .flags = SLABD_NO_HELPER};
	return slabd_open(NULL, &options);
}

static slabd_pool *open_whole(void)
{
	slabd_pool *pool = try_open();
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

static void test_welcome(void)
{
	struct score s = {.tried = 0};
	unsigned fds = count_fds(getpid(), 0);
	for (uint32_t n = 1; n < sizeof(struct wire_welcome); n++) {
		slabd_pool *pool;
		board->welcome = n;
		asked_begin();
		pool = try_open();
		score(&s, pool == NULL && errno == EPROTO &&
		                  *slabd_last_error() != '\0', n);
	}
	board->welcome = 0;
	result(&s, "a welcome: slabd_open fails with EPROTO and a reason");
	tap_is(count_fds(getpid(), fds), fds, "no descriptor of them is left");
	tap_is(slabd_close(open_whole()), 0, "a whole one is good");
}

static void test_reply(void)
{
	struct score s = {.tried = 0};
	slabd_pool *pool = open_whole();
	slabd_cache *cache;
	void *object;
	for (uint32_t n = 1; n < sizeof(struct wire_reply); n++) {
		board->reply = n;
		asked_begin();
		cache = slabd_cache_create(pool, "half", SIZE, 0, 0);
		score(&s, cache == NULL && errno == EPROTO &&
		                  *slabd_last_error() != '\0', n);
	}
	board->reply = 0;
	result(&s,
	       "a reply: slabd_cache_create fails with EPROTO and a reason");
	cache = fixture_cache(pool, "half", SIZE);
	object = slabd_alloc(cache);
	tap_ok(object != NULL, "with a whole one the cache is there");
	slabd_free(cache, object);
	tap_is(slabd_close(pool), 0, "and the pool closes");
}

static void test_bye(void)
{
	struct score s = {.tried = 0};
	unsigned fds = count_fds(getpid(), 0);
	for (uint32_t n = 1; n < sizeof(struct wire_reply); n++) {
		slabd_pool *pool = open_whole();
		board->bye = n;
		asked_begin();
		score(&s, slabd_close(pool) == 0, n);
	}
	board->bye = 0;
	result(&s, "the reply to a goodbye: slabd_close works");
	tap_is(count_fds(getpid(), fds), fds, "no descriptor is left");
}

static void test_trim(int fd)
{
	slabd_pool *pool = open_whole();
	slabd_cache *cache = fixture_cache(pool, "half", SIZE);
	static void *objects[2000];
	unsigned polled = 0;
	long long held;
	slabd_alloc_bulk(cache, 2000, objects);
	slabd_free_bulk(cache, 2000, objects);
	held = fixture_client(&fixture, slabd_client_id(pool), "objects");
	for (uint32_t n = 1; n < sizeof(struct wire_head); n++) {
		say(fd, n);
		hear(fd);
		polled += slabd_poll(pool) == 0;
	}
	tap_is(polled, sizeof(struct wire_head) - 1,
	       "a trim cut at each length: slabd_poll goes on");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects"), held,
	       "and does not trim");
	say(fd, sizeof(struct wire_head));
	hear(fd);
	tap_ok(slabd_poll(pool) == 0 &&
	               fixture_client(&fixture, slabd_client_id(pool),
	                              "objects") < held,
	       "a whole one is served");
	slabd_close(pool);
}

/* Loses its slabd, and is welcomed back. True when it gave up. */
static bool comes_back(slabd_pool *pool, int fd)
{
	double until = now_ms() + SURELY_MS;
	say(fd, LEAVE);
	hear(fd);
	while (slabd_poll(pool) == 0 && now_ms() < until)
		sleep_ms(1);
	while (slabd_poll(pool) < 0 && slabd_descriptor(pool) >= 0 &&
	       now_ms() < until)
		sleep_ms(1);
	return slabd_descriptor(pool) < 0 && errno == ENOTCONN &&
	       *slabd_last_error() != '\0';
}

static void test_back(int fd)
{
	struct score s = {.tried = 0};
	unsigned fds = count_fds(getpid(), 0);
	for (uint32_t n = 1; n < sizeof(struct wire_welcome); n++) {
		slabd_pool *pool = open_whole();
		slabd_cache *cache = fixture_cache(pool, "half", SIZE);
		char *object = slabd_alloc(cache);
		bool good;
		memset(object, 0x42, SIZE);
		board->back = n;
		good = comes_back(pool, fd) && object[SIZE - 1] == 0x42;
		slabd_free(cache, object);
		good &= slabd_alloc(cache) == object;
		asked_begin();
		score(&s, good && slabd_close(pool) == 0, n);
	}
	board->back = 0;
	result(&s,
	       "the welcome of one who is back: no way back, with a reason");
	tap_is(count_fds(getpid(), fds), fds, "no descriptor is left");
}

static void test_whole(int fd)
{
	slabd_pool *pool = open_whole();
	tap_ok(!comes_back(pool, fd) && slabd_poll(pool) == 0,
	       "with a whole welcome it is back");
	slabd_close(pool);
}

static void client(int fd, void *arg)
{
	int between = *(int *)arg;
	(void)fd;
	test_welcome();
	test_reply();
	test_bye();
	test_trim(between);
	test_back(between);
	test_whole(between);
}

static void test_to_client(void)
{
	struct child between;
	struct child child;
	snprintf(path, sizeof(path), "%s/between", fixture.dir);
	child_start(&between, stands_between, NULL);
	hear(between.fd);
	child_start(&child, client, &between.fd);
	child_end(&child, "the client ends well");
	child_kill(&between);
	unlink(path);
}

int main(void)
{
	tap_start(300);
	board = shared_memory(sizeof(*board));
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	test_to_slabd();
	test_to_client();
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
