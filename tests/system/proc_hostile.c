/* SPDX-License-Identifier: MIT */
/* Messages that no library sends: each costs its connection, with a count. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/raw.h"

#define BANNED 10u /* raw clients that sent what they may not */
#define FLOOD 4600u /* more than a client has in a second */

static struct fixture fixture;

static long long dropped(const char *name)
{
	char at[64];
	snprintf(at, sizeof(at), "dropped.%s", name);
	return fixture_number(&fixture, "/status", at);
}

static void sends(int sock, const void *bytes, size_t n, const char *drop,
                  const char *what)
{
	long long before = dropped(drop);
	bool gone;
	raw_send(sock, bytes, n, 0, -1);
	gone = raw_closed(sock);
	if (!tap_ok(gone && dropped(drop) == before + 1, "%s: dropped as %s",
	            what, drop))
		tap_note("%s, counted %lld", gone ? "closed" : "open",
		         dropped(drop) - before);
	close(sock);
}

/* ---- instead of a hello ------------------------------------------------- */

static void test_first_message(void)
{
	struct wire_hello hello = raw_hello("default");
	char room[70000];
	memset(room, 0xa5, sizeof(room));
	sends(raw_connect(&fixture), room, 64, "garbage", "64 bytes of noise");
	sends(raw_connect(&fixture), room, 4, "short", "4 bytes of noise");
	sends(raw_connect(&fixture), room, 513, "oversized",
	      "513 bytes of noise");
	sends(raw_connect(&fixture), room, sizeof(room), "oversized",
	      "70,000 bytes of noise");
	memcpy(room, &hello, sizeof(hello));
	sends(raw_connect(&fixture), room, sizeof(hello) + 1, "oversized",
	      "a hello that is a byte too long");
	hello.magic++;
	sends(raw_connect(&fixture), &hello, sizeof(hello), "garbage",
	      "another magic");
	hello = raw_hello("default");
	hello.type = WIRE_BYE;
	sends(raw_connect(&fixture), &hello, sizeof(hello), "garbage",
	      "a goodbye first");
	hello = raw_hello("no such pool");
	sends(raw_connect(&fixture), &hello, sizeof(hello), "refused",
	      "a pool that is not");
}

static void test_cut(void)
{
	struct wire_hello hello = raw_hello("default");
	long long before = dropped("short");
	unsigned gone = 0;
	for (size_t n = 1; n < sizeof(hello); n++) {
		int sock = raw_connect(&fixture);
		raw_send(sock, &hello, n, 0, -1);
		gone += raw_closed(sock);
		close(sock);
	}
	tap_is(gone, sizeof(hello) - 1, "a hello cut at every length");
	tap_is(dropped("short") - before, sizeof(hello) - 1,
	       "each is dropped as short");
}

static void test_version(void)
{
	struct wire_hello hello = raw_hello("default");
	struct wire_welcome answer = {.error = 0};
	long long before = dropped("version");
	int sock = raw_connect(&fixture);
	char own[16];
	snprintf(own, sizeof(own), "ABI %u", WIRE_ABI);
	hello.abi = 77;
	/* Another version's hello may have another length. */
	raw_send(sock, &hello, 48, 0, -1);
	tap_is(recv(sock, &answer, sizeof(answer), 0), sizeof(answer),
	       "another ABI is answered");
	tap_is(answer.error, EPROTO, "with an error");
	tap_is(answer.abi, WIRE_ABI, "and slabd's own");
	answer.text[WIRE_TEXT - 1] = '\0';
	tap_ok(strstr(answer.text, own) && strstr(answer.text, "ABI 77"),
	       "the text names both");
	tap_note("%s", answer.text);
	tap_ok(raw_closed(sock), "and the connection closes");
	tap_is(dropped("version") - before, 1, "dropped as version");
	close(sock);
}

/* ---- descriptors -------------------------------------------------------- */

static void sends_fds(int sock, const void *bytes, size_t n, unsigned n_fds,
                      const char *what)
{
	long long before = dropped("descriptors");
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Since Linux 6.16 the kernel does not even send them. */
	if (raw_send(sock, bytes, n, n_fds, fd) == -EPERM) {
		tap_ok(dropped("descriptors") == before,
		       "%s with %u descriptors: not sent", what, n_fds);
		close(fd);
		close(sock);
		return;
	}
	tap_ok(raw_closed(sock) && dropped("descriptors") == before + 1,
	       "%s with %u descriptors: dropped", what, n_fds);
	close(fd);
	close(sock);
}

static void test_descriptors(void)
{
	struct wire_hello hello = raw_hello("default");
	unsigned before = count_fds(fixture.pid, 0);
	struct raw raw;
	sends_fds(raw_connect(&fixture), &hello, sizeof(hello), 1, "a hello");
	sends_fds(raw_connect(&fixture), &hello, sizeof(hello), 16, "a hello");
	sends_fds(raw_connect(&fixture), &hello, sizeof(hello), 253, "a hello");
	sends_fds(raw_connect(&fixture), "x", 1, 5, "a byte");
	tap_is(count_fds(fixture.pid, before), before,
	       "none of them is left in slabd");
	raw_open(&raw, &fixture, "default");
	before = count_fds(fixture.pid, 0);
	sends_fds(raw.sock, "x", 1, 5, "a client's message");
	raw.sock = -1;
	tap_is(count_fds(fixture.pid, before - 2), before - 2,
	       "two less: the client's sockets");
	raw_close(&raw);
}

/* ---- after the hello ---------------------------------------------------- */

static void client_sends(const void *bytes, size_t n, const char *drop,
                         const char *what)
{
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	sends(raw.sock, bytes, n, drop, what);
	raw.sock = -1;
	raw_close(&raw);
}

static void test_client_messages(void)
{
	struct wire_hello hello = raw_hello("default");
	struct wire_create create = {
	        .head = {.type = WIRE_CREATE, .bytes = sizeof(create)},
	        .size = 64,
	        .name = "x"};
	char room[WIRE_BYTES_MAX + 8] = {0};
	client_sends(&hello, sizeof(hello), "garbage", "a second hello");
	client_sends(&create, sizeof(create) - 1, "short",
	             "a create cut short");
	client_sends(&create, 8, "short", "a create of 8 bytes");
	memcpy(room, &create, sizeof(create));
	client_sends(room, sizeof(create) + 1, "oversized",
	             "a create too long");
	client_sends(room, sizeof(room), "oversized", "and one beyond all");
	create.head.bytes++;
	client_sends(&create, sizeof(create), "oversized",
	             "a create that lies about its length");
	create.head = (struct wire_head){.type = WIRE_TRIM,
	                                 .bytes = sizeof(create.head)};
	client_sends(&create, sizeof(create.head), "garbage", "a trim");
	create.head.type = 4711;
	client_sends(&create, sizeof(create.head), "garbage", "type 4711");
}

static void test_names(void)
{
	static const char *const names[] = {"", "a\nb", "\x1b[31mred", "\x7f"};
	struct wire_hello hello = raw_hello("\x1b[2J\nslabd: error: forged");
	char long_name[NAME_BYTES];
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	for (unsigned i = 0; i < 4; i++) {
		char name[NAME_BYTES] = {0};
		strcpy(name, names[i]);
		tap_is(raw_create(raw.sock, name, 64).error, EINVAL,
		       "a cache's name that won't do (%u)", i);
	}
	memset(long_name, 'x', sizeof(long_name));
	tap_is(raw_create(raw.sock, long_name, 64).error, EINVAL,
	       "a name without end");
	raw_close(&raw);
	sends(raw_connect(&fixture), &hello, sizeof(hello), "refused",
	      "a pool's name with an escape");
	tap_ok(fixture_logged(&fixture, "\\x1b[2J") &&
	               !fixture_logged(&fixture, "\x1b"),
	       "is harmless in the log");
}

/* Who claims to be a client that is back; tests/system/proc_resume.c has the
 * rest. */
static void test_resume(void)
{
	static const uint32_t ids[] = {1, 32767, 32768, 40000, UINT32_MAX};
	struct wire_hello hello = raw_hello("default");
	char what[64];
	hello.epoch = 1;
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		hello.id = ids[i];
		snprintf(what, sizeof(what), "a hello of client %u", ids[i]);
		sends(raw_connect(&fixture), &hello, sizeof(hello), "refused",
		      what);
	}
	client_sends(&hello, sizeof(hello), "garbage",
	             "a client that says it is another, back");
}

static void test_bye(void)
{
	struct wire_head bye = {.type = WIRE_BYE, .bytes = sizeof(bye)};
	struct wire_reply reply = {.error = -1};
	char name[NAME_BYTES] = "after-bye";
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	raw_send(raw.sock, &bye, sizeof(bye), 0, -1);
	raw_send(raw.sock, &bye, sizeof(bye), 0, -1);
	tap_ok(raw_closed(raw.sock), "bye twice: slabd closes");
	raw_close(&raw);
	raw_open(&raw, &fixture, "default");
	raw_send(raw.sock, &bye, sizeof(bye), 0, -1);
	tap_ok(recv(raw.sock, &reply, sizeof(reply), 0) == sizeof(reply) &&
	               reply.error == 0, "bye is answered");
	tap_ok(raw_closed(raw.sock), "then slabd closes");
	tap_is(raw_create(raw.sock, name, 64).error, -1,
	       "what comes later is not served");
	bye.type = WIRE_RING;
	raw_send(raw.events, &bye, sizeof(bye), 0, -1);
	tap_ok(raw_closed(raw.events), "nor are events");
	raw_close(&raw);
}

/* ---- too much of it ----------------------------------------------------- */

/* Whether n requests, sent as fast as they are taken, have all their answers. */
static bool answers_all(int sock, unsigned n)
{
	struct wire_create create = {
	        .head = {.type = WIRE_CREATE, .bytes = sizeof(create)},
	        .size = 64,
	        .name = "flood"};
	struct pollfd at = {.fd = sock};
	struct wire_reply reply;
	unsigned sent = 0;
	unsigned got = 0;
	while (got < n) {
		at.events = (short)(POLLIN | (sent < n ? POLLOUT : 0));
		if (poll(&at, 1, (int)SURELY_MS) <= 0)
			return false;
		create.head.seq = sent + 1;
		/* No more than it can answer at a time. */
		if ((at.revents & POLLOUT) != 0 && sent - got < 64 &&
		    send(sock, &create, sizeof(create),
		         MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			sent++;
		if ((at.revents & POLLIN) == 0)
			continue;
		if (recv(sock, &reply, sizeof(reply), 0) != sizeof(reply) ||
		    reply.error != 0 || reply.head.seq != got + 1)
			return false;
		got++;
	}
	return true;
}

/* Whoever asks too much is slowed, and keeps its place and all its answers. */
static void test_flood(void)
{
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	long long before = dropped("flood");
	long long slowed = fixture_number(&fixture, "/status", "slowed");
	struct pollfd at = {.events = POLLOUT};
	struct raw raw;
	unsigned n = 0;
	raw_open(&raw, &fixture, "default");
	tap_ok(answers_all(raw.sock, FLOOD),
	       "a flood of creates: each has its answer, in order");
	tap_ok(fixture_number(&fixture, "/status", "slowed") > slowed,
	       "and it is slowed");
	slowed = fixture_number(&fixture, "/status", "slowed");
	at.fd = raw.events;
	/* Their socket does not block: full is no end. */
	while (n < FLOOD) {
		int r = raw_send(raw.events, &ring, sizeof(ring), 0, -1);
		if (r < 0 && r != -EAGAIN)
			break;
		n += r == 0;
		if (r == -EAGAIN)
			poll(&at, 1, 1000);
	}
	tap_is(n, FLOOD, "a flood of events: all are taken");
	tap_ok(answers_all(raw.sock, 1), "and a request after it is answered");
	tap_ok(fixture_number(&fixture, "/status", "slowed") > slowed,
	       "later than it would be");
	tap_is(dropped("flood") - before, 0, "nobody is dropped as flood");
	raw_close(&raw);
	raw_open(&raw, &fixture, "default");
	ring.type = WIRE_TRIM;
	sends(dup(raw.events), &ring, sizeof(ring), "garbage",
	      "an event that is none");
	raw_close(&raw);
}

static void client_at_work(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	(void)arg;
	say(fd, 1);
	for (unsigned i = 0; i < 200; i++) {
		if (slabd_cache_create(pool, "work", 64, 0, 0) == NULL)
			tap_bail("a client of before: %s", slabd_last_error());
		sleep_ms(1);
	}
	slabd_close(pool);
	say(fd, 1);
	hear(fd);
}

static void test_connections(void)
{
	static int socks[400];
	unsigned before = count_fds(fixture.pid, 0);
	long long limit = dropped("limit");
	struct child child;
	struct pollfd served;
	double since = now_ms();
	unsigned n = 0;
	unsigned i = 0;
	child_start(&child, client_at_work, NULL);
	hear(child.fd);
	served = (struct pollfd){.fd = child.fd, .events = POLLIN};
	/* So many, and then until the client has been served in their midst. */
	while (i < 10000 || (poll(&served, 1, 0) == 0 &&
	                     now_ms() < since + SURELY_MS)) {
		int sock = raw_connect(&fixture);
		i++;
		n += sock >= 0;
		if (sock >= 0)
			close(sock);
	}
	tap_is(n, i, "10,000 connections and more that close at once");
	tap_is(poll(&served, 1, 0), 1, "meanwhile a client is served");
	tap_note("%u in %.0f ms", i, now_ms() - since);
	hear(child.fd);
	say(child.fd, 1);
	child_end(&child, "the client ends well");
	for (n = 0; n < 400; n++)
		socks[n] = raw_connect(&fixture);
	tap_ok(fixture_number(&fixture, "/status", "pid") == fixture.pid,
	       "400 that stay: slabd answers");
	tap_ok(dropped("limit") > limit, "those over the limit are dropped");
	for (n = 0; n < 400; n++)
		close(socks[n]);
	tap_is(count_fds(fixture.pid, before), before,
	       "no descriptor is left of them");
}

int main(void)
{
	int silent;
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
	             "max_clients = 40\n");
	silent = raw_connect(&fixture);
	/* First: the log is silenced after ten of a kind. */
	test_names();
	test_first_message();
	test_cut();
	test_version();
	test_client_messages();
	test_resume();
	test_bye();
	test_flood();
	tap_ok(raw_closed(silent), "one who says nothing is dropped in 5 s");
	tap_is(dropped("timeout"), 1, "as timeout");
	close(silent);
	/* Descriptors are counted when nobody is dropped meanwhile. */
	test_descriptors();
	test_connections();
	/* Others that left are swept within the second. */
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", BANNED,
	                     SURELY_MS) >= 0,
	       "who lost its connection by a fault is a client until its process "
	       "ends, or others want its place");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
