/* SPDX-License-Identifier: MIT */
/* Hellos of those who say that they are back: who is let in, and who not. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/keeper.h"
#include "tests/lib/raw.h"

static struct fixture fixture;

static uint64_t instance_of(const struct raw *raw)
{
	const struct layout_head *head = mmap(NULL, sizeof(*head), PROT_READ,
	                                      MAP_SHARED, raw->control, 0);
	uint64_t instance;
	if (head == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	instance = head->instance;
	munmap((void *)(uintptr_t)head, sizeof(*head));
	return instance;
}

/* What the client of a connection says when it is back. */
static struct wire_hello hello_of(const struct raw *raw)
{
	struct wire_hello hello = raw_hello("default");
	hello.instance = instance_of(raw);
	hello.id = raw->welcome.id;
	hello.epoch = raw->welcome.epoch;
	return hello;
}

static void refused(struct wire_hello hello, int error, const char *what)
{
	long long before =
		fixture_number(&fixture, "/status", "dropped.refused");
	struct raw raw;
	int got = raw_resume(&raw, &fixture, &hello);
	if (!tap_ok(got == error, "%s: %s", what, strerror(error)))
		tap_note("got %s", got < 0 ? "no answer" : strerror(got));
	tap_note("%s", raw.welcome.text);
	tap_ok(raw_closed(raw.sock), "and the connection closes");
	tap_is(fixture_number(&fixture, "/status", "dropped.refused") - before,
	       1, "counted as refused");
	close(raw.sock);
}

static bool asks(int sock, const char *cache)
{
	char name[NAME_BYTES] = {0};
	strcpy(name, cache);
	return raw_create(sock, name, 64).error == 0;
}

/* ---- let in ------------------------------------------------------------- */

static void test_let_in(void)
{
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	struct wire_hello hello;
	struct raw old;
	struct raw raw;
	long long rings;
	unsigned fds;
	raw_open(&old, &fixture, "default");
	hello = hello_of(&old);
	tap_ok(hello.instance != 0, "a pool has a number of its own");
	fds = count_fds(fixture.pid, 0);
	close(old.sock);
	close(old.events);
	tap_is(raw_resume(&raw, &fixture, &hello), 0,
	       "a closed connection: let in");
	tap_is(raw.welcome.id, hello.id, "as the same client");
	tap_is(raw.welcome.epoch, hello.epoch, "of the same epoch");
	tap_ok(asks(raw.sock, "back"), "its requests are served");
	rings = fixture_number(&fixture, "/status", "pools.0.rings");
	raw_send(raw.events, &ring, sizeof(ring), 0, -1);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.rings", rings + 1,
	                     SURELY_MS) >= 0,
	       "so are its events");
	old = raw;
	tap_is(raw_resume(&raw, &fixture, &hello), 0,
	       "a connection that stands: let in, twice");
	tap_ok(raw_closed(old.sock) && raw_closed(old.events),
	       "and the one before is closed");
	close(old.sock);
	close(old.events);
	tap_ok(asks(raw.sock, "back"), "the new one is served");
	for (unsigned i = 0; i < 100; i++) {
		old = raw;
		if (raw_resume(&raw, &fixture, &hello) != 0)
			tap_bail("not let in the %uth time", i);
		close(old.sock);
		close(old.events);
	}
	tap_ok(count_fds(fixture.pid, fds) <= fds,
	       "100 times: no descriptor is left");
	tap_is(fixture_number(&fixture, "/status", "pools.0.clients"), 1,
	       "and it is one client");
	close(raw.sock);
	close(raw.events);
}

/* Those who gave up take nobody's place. */
static void test_given_up(void)
{
	struct wire_hello hello;
	struct raw first;
	struct raw raw = {.sock = -1};
	int gone[4];
	raw_open(&first, &fixture, "default");
	hello = hello_of(&first);
	fixture_signal(&fixture, SIGSTOP);
	for (unsigned i = 0; i < 4; i++) {
		gone[i] = raw_connect(&fixture);
		if (i == 1)
			raw.sock = raw_connect(&fixture);
	}
	raw_send(raw.sock, &hello, sizeof(hello), 0, -1);
	for (unsigned i = 0; i < 4; i++) {
		raw_send(gone[i], &hello, sizeof(hello), 0, -1);
		close(gone[i]);
	}
	fixture_signal(&fixture, SIGCONT);
	tap_is(raw_answer(&raw), 0, "one among four who gave up is let in");
	tap_ok(asks(raw.sock, "back"), "and stays");
	sleep_ms(50);
	tap_ok(asks(raw.sock, "back"), "when the others were seen");
	raw_close(&first);
	close(raw.sock);
	close(raw.events);
}

/* ---- refused ------------------------------------------------------------ */

static void other(int fd, void *arg)
{
	struct wire_hello *hello = arg;
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	*hello = hello_of(&raw);
	close(raw.sock);
	say(fd, 1);
	hear(fd);
}

static void test_others(void)
{
	struct wire_hello *hello = shared_memory(sizeof(*hello));
	struct child child;
	unsigned id;
	child_start(&child, other, hello);
	hear(child.fd);
	id = hello->id;
	refused(*hello, EPERM, "a client that is another process");
	tap_is(fixture_client(&fixture, id, "id"), id,
	       "which is none the worse for it");
	say(child.fd, 1);
	child_end(&child, "it ends");
	refused(*hello, ESTALE, "a client that is dead");
	tap_ok(fixture_until(&fixture, "/clients", "pools.0.clients.1.id",
	                     INT64_MIN, SURELY_MS) >= 0,
	       "its second sweep is over");
	refused(*hello, ESTALE, "a client that was");
}

/* The parent's client, copies of its sockets, and its memory. */
static void forked(int fd, void *arg)
{
	(void)fd;
	refused(*(struct wire_hello *)arg, EPERM,
	        "a forked child that says it is its parent");
}

static void test_wrong(void)
{
	static const uint32_t ids[] = {32766, 32768, 40000, UINT32_MAX};
	struct wire_hello hello;
	struct wire_hello bad;
	struct child child;
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	bad = hello = hello_of(&raw);
	bad.instance++;
	refused(bad, ESTALE, "another instance");
	bad.instance = 0;
	refused(bad, ESTALE, "no instance");
	bad = hello;
	bad.epoch++;
	refused(bad, ESTALE, "the next epoch");
	bad.epoch -= 2;
	refused(bad, ESTALE, "the epoch before");
	bad = hello;
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		bad.id = ids[i];
		refused(bad, ESTALE, "an id of nobody");
	}
	child_start(&child, forked, &hello);
	child_end(&child, "the child ends well");
	bad = hello;
	strcpy(bad.pool, "other");
	refused(bad, ESTALE, "another pool");
	strcpy(bad.pool, "nowhere");
	refused(bad, ENOENT, "no pool");
	tap_ok(asks(raw.sock, "back"), "the client is served all the while");
	raw_close(&raw);
}

static void test_fault(void)
{
	struct wire_head bye = {.type = WIRE_BYE, .bytes = sizeof(bye)};
	struct wire_reply reply;
	struct wire_hello hello;
	struct raw raw;
	raw_open(&raw, &fixture, "default");
	hello = hello_of(&raw);
	raw_send(raw.sock, "noise", 5, 0, -1);
	tap_ok(raw_closed(raw.sock), "a fault costs the connection");
	refused(hello, EACCES, "who was dropped for a fault");
	refused(hello, EACCES, "for ever");
	raw_close(&raw);
	raw_open(&raw, &fixture, "default");
	hello = hello_of(&raw);
	raw_send(raw.sock, &bye, sizeof(bye), 0, -1);
	tap_is(recv(raw.sock, &reply, sizeof(reply), 0), sizeof(reply),
	       "a client that says goodbye");
	refused(hello, ESTALE, "has no way back");
	raw_close(&raw);
}

/* The access list was asked when the client came. */
static void gives_up_rights(int fd, void *arg)
{
	struct wire_hello hello;
	struct raw raw;
	struct raw back;
	(void)fd;
	(void)arg;
	raw_open(&raw, &fixture, "roots");
	hello = hello_of(&raw);
	strcpy(hello.pool, "roots");
	if (setgid(65534) < 0 || setuid(65534) < 0)
		tap_bail("setuid: %s", strerror(errno));
	/* The leak sanitizer looks at this process. */
	prctl(PR_SET_DUMPABLE, 1);
	close(raw.sock);
	tap_is(raw_resume(&back, &fixture, &hello), 0,
	       "who gave up its rights since is let in");
	close(back.sock);
	hello = raw_hello("roots");
	tap_is(raw_resume(&back, &fixture, &hello), EACCES,
	       "but not as a new one");
}

static void test_rights(void)
{
	struct child child;
	if (geteuid() != 0) {
		tap_skip("not root", "who gave up its rights since is let in");
		return;
	}
	child_start(&child, gives_up_rights, NULL);
	child_end(&child, "it ends well");
}

/* ---- after a restart ----------------------------------------------------- */

static void start_kept(struct keeper *keeper)
{
	int status = 0;
	if (!keeper_start(keeper, &fixture, &status))
		tap_bail("slabd does not start: status 0x%x", status);
}

static void kill_slabd(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
}

static void test_restart(void)
{
	struct wire_hello hello;
	struct keeper keeper;
	struct raw raw;
	struct raw back;
	fixture_make(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	keeper_open(&keeper, &fixture);
	start_kept(&keeper);
	raw_open(&raw, &fixture, "default");
	hello = hello_of(&raw);
	kill_slabd();
	start_kept(&keeper);
	tap_is(raw_resume(&back, &fixture, &hello), 0,
	       "slabd is started again: a client comes back");
	raw_send(back.sock, "noise", 5, 0, -1);
	tap_ok(raw_closed(back.sock), "a fault costs the connection");
	kill_slabd();
	start_kept(&keeper);
	refused(hello, EACCES, "slabd is started again: who was dropped");
	fixture_audit(&fixture, "after two restarts");
	close(back.sock);
	close(back.events);
	raw_close(&raw);
	raw_open(&raw, &fixture, "default");
	tap_ok(raw.welcome.id != hello.id, "it may come as another client");
	raw_close(&raw);
	kill_slabd();
	keeper_close(&keeper);
	fixture_remove(&fixture);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, "[slabd]\nsocket_mode = 0666\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
	               "[pool other]\npage = 4k\nstart = 2M\nmax = 4M\n"
	               "[pool roots]\npage = 4k\nstart = 2M\nmax = 4M\n"
	               "users = root\n");
	test_let_in();
	test_others();
	test_given_up();
	test_wrong();
	test_fault();
	test_rights();
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	test_restart();
	return tap_end();
}
