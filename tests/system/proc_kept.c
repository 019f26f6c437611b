/* SPDX-License-Identifier: MIT */
/*
 * Connections outlive slabd where its descriptors are kept: clients that could
 * not come back by themselves go on, and nobody is hung up on.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/wire.h"
#include "tests/lib/harness.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"
#define NOBODY 65534
#define OBJECTS 2000

static struct fixture fixture;
static pid_t slabd;

/* ---- clients that can't come back by themselves -------------------------- */

static bool drop_rights(void)
{
	return setgid(NOBODY) == 0 && setuid(NOBODY) == 0;
}

static bool change_root(void)
{
	return chdir("/proc/self/fdinfo") == 0 && chroot(".") == 0;
}

static bool stay(void)
{
	return true;
}

static bool has_come_back(slabd_pool *pool, uint64_t times)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.resumes == times;
}

struct away {
	const char *what;
	bool (*go)(void);
};

/* Says when it is away, and hears when slabd was started anew. */
static void client(int fd, void *arg)
{
	static void *all[OBJECTS];
	const struct away *away = arg;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "big", 4096);
	if (!away->go())
		tap_bail("%s: %s", away->what, strerror(errno));
	say(fd, slabd_client_id(pool));
	hear(fd);
	tap_ok(has_come_back(pool, 1), "%s: its connection goes on",
	       away->what);
	tap_ok(slabd_poll(pool) == 0, "and slabd is there");
	tap_ok(slabd_cache_create(pool, "other", 100, 0, 0) != NULL,
	       "it makes a cache");
	tap_is((long long)fixture_take(cache, OBJECTS, all), OBJECTS,
	       "the pool grows for it");
	tap_ok(slabd_close(pool) == 0, "and it says goodbye");
	say(fd, 1);
	hear(fd);
	/* Without /proc the leak sanitizer fails. */
	_exit(0);
}

static void test_away(const struct away *away)
{
	struct child child;
	unsigned id;
	child_start(&child, client, (void *)(uintptr_t)away);
	id = (unsigned)hear(child.fd);
	slabd = super_kill(&fixture, slabd);
	tap_is(fixture_client(&fixture, id, "connected"), 1,
	       "%s: it is connected from the start", away->what);
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0,
	       "it is gone");
	say(child.fd, 1);
	child_end(&child, away->what);
	fixture_audit(&fixture, away->what);
}

/* A client whose process id is another one where slabd lives, and whose user
 * has no rights there. */
static void in_namespaces(int fd, void *arg)
{
	static const struct away away = {"in namespaces of its own", stay};
	pid_t pid;
	int status;
	(void)arg;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
		say(fd, 0);
		return;
	}
	pid = fork();
	if (pid == 0)
		client(fd, (void *)(uintptr_t)&away);
	waitpid(pid, &status, 0);
	_exit(status != 0);
}

static void test_namespaces(void)
{
	struct child child;
	unsigned id;
	child_start(&child, in_namespaces, NULL);
	id = (unsigned)hear(child.fd);
	if (id == 0) {
		tap_skip("no namespaces here", "a client in its own");
		child_end(&child, "namespaces");
		return;
	}
	slabd = super_kill(&fixture, slabd);
	tap_is(fixture_client(&fixture, id, "connected"), 1,
	       "a client of other namespaces is connected from the start");
	say(child.fd, 1);
	hear(child.fd);
	say(child.fd, 1);
	child_end(&child, "it ends well");
	fixture_audit(&fixture, "namespaces");
}

/* ---- a request on its way ------------------------------------------------ */

static void asker(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache;
	(void)arg;
	for (int i = 0; i < 2; i++) {
		char name[16];
		snprintf(name, sizeof(name), "asked-%d", i);
		say(fd, 1);
		hear(fd);
		cache = slabd_cache_create(pool, name, 64, 0, 0);
		tap_ok(cache != NULL, "a request that meets a dead slabd is "
		                      "done by the next");
		tap_ok(slabd_cache_close(cache) == 0 &&
		               slabd_cache_remove(pool, name) == 0,
		       "and what is asked after it");
	}
	tap_ok(slabd_close(pool) == 0, "it says goodbye");
	say(fd, 1);
}

/* slabd stands still with the request unread, and dies so. */
static void test_asked(void)
{
	struct child child;
	child_start(&child, asker, NULL);
	for (int i = 0; i < 2; i++) {
		hear(child.fd);
		kill(slabd, SIGSTOP);
		say(child.fd, 1);
		sleep_ms(20);
		slabd = super_kill(&fixture, slabd);
	}
	hear(child.fd);
	child_end(&child, "the one who asks ends well");
}

/* A descriptor is sent to who has read all else: what slabd says when it is there
 * again is not read when it comes to the request that waited. */
static void joiner(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_channel *channel;
	(void)arg;
	hear(fd);
	channel = slabd_channel_open(pool, "asked", 8);
	tap_ok(channel != NULL, "a channel that is asked for of a dead slabd is "
	                        "had of the next (%s)", slabd_last_error());
	tap_ok(slabd_channel_close(channel) == 0 &&
	               slabd_channel_open(pool, "asked", 0) == NULL &&
	               errno == ENOENT, "once, as its close ends it");
	slabd_close(pool);
	say(fd, 1);
}

static void test_joined(void)
{
	struct child child;
	child_start(&child, joiner, NULL);
	fixture_until(&fixture, "/status", "pools.0.clients", 1, SURELY_MS);
	kill(slabd, SIGSTOP);
	say(child.fd, 1);
	sleep_ms(20);
	kill(child.pid, SIGSTOP);
	slabd = super_kill(&fixture, slabd);
	fixture_until(&fixture, "/status", "pools.0.clients", 1, SURELY_MS);
	kill(child.pid, SIGCONT);
	hear(child.fd);
	child_end(&child, "the one who joins ends well");
}

/* ---- who is let go is let go of ------------------------------------------ */

static int connect_raw(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct wire_hello hello = {.magic = WIRE_MAGIC,
	                           .abi = WIRE_ABI,
	                           .type = WIRE_HELLO,
	                           .bytes = sizeof(hello),
	                           .pool = "default"};
	struct wire_welcome welcome;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	strcpy(at.sun_path, fixture.socket);
	if (connect(fd, (void *)&at, sizeof(at)) < 0 ||
	    send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
	    recv(fd, &welcome, sizeof(welcome), 0) != sizeof(welcome) ||
	    welcome.error != 0)
		tap_bail("no welcome");
	return fd;
}

/* Who does wrong sees the end, although the manager has the sockets, too. */
static void faulty(int fd, void *arg)
{
	int sock = connect_raw();
	char byte = 0;
	(void)arg;
	say(fd, 1);
	hear(fd);
	send(sock, &byte, 1, MSG_NOSIGNAL);
	tap_ok(recv(sock, &byte, 1, 0) <= 0, "a faulty client is hung up on");
	say(fd, 1);
	hear(fd);
	tap_ok(recv(sock, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN,
	       "for good");
}

static bool settles_at(unsigned want)
{
	unsigned n = count_fds(fixture.pid, want);
	tap_note("%u descriptors kept", n);
	return n == want;
}

static void test_faulty(void)
{
	struct child child;
	unsigned before = count_fds(fixture.pid, 0);
	child_start(&child, faulty, NULL);
	hear(child.fd);
	tap_ok(settles_at(before + 3), "a client has three kept for it");
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(settles_at(before + 1), "and when it is dropped its process");
	slabd = super_kill(&fixture, slabd);
	say(child.fd, 1);
	child_end(&child, "it ends");
	tap_ok(settles_at(before), "with its end nothing");
}

/* It has a copy of its parent's sockets, which dies. */
static void heir(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "left", 64);
	(void)arg;
	slabd_alloc(cache);
	say(fd, (uint64_t)getpid());
	hear(fd);
	if (fork() == 0) {
		char byte;
		say(fd, 1);
		/* Until the other end is closed. */
		while (read(fd, &byte, 1) > 0)
			continue;
		_exit(0);
	}
	_exit(0);
}

static void test_heir(void)
{
	struct child child;
	child_start(&child, heir, NULL);
	hear(child.fd);
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(waitpid(child.pid, NULL, 0) == child.pid,
	       "a client ends, and leaves its sockets to a child");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0,
	       "it is gone all the same");
	slabd = super_kill(&fixture, slabd);
	tap_is(fixture_number(&fixture, "/status", "pools.0.clients"), 0,
	       "for the next slabd, too");
	fixture_audit(&fixture, "and nothing of it is left");
	close(child.fd);
}

/* The supervisor waits for longer with each death: another one has forgotten. */
static void start_afresh(const char *after)
{
	super_stop(&fixture, slabd, after);
	slabd = super_start(&fixture);
}

int main(void)
{
	static const struct away rights = {"without its rights", drop_rights};
	static const struct away root = {"with another root", change_root};
	static const struct away here = {"as it was", stay};
	tap_start(300);
	fixture_make(&fixture, CONFIG);
	slabd = super_start(&fixture);
	test_away(&here);
	if (geteuid() == 0) {
		test_away(&rights);
		test_away(&root);
	} else {
		tap_skip("not root", "clients that give up rights and root");
	}
	test_namespaces();
	start_afresh("after those who were away");
	test_asked();
	test_joined();
	start_afresh("after those who asked");
	test_faulty();
	test_heir();
	super_stop(&fixture, slabd, "slabd ends well");
	fixture_remove(&fixture);
	super_end();
	return tap_end();
}
