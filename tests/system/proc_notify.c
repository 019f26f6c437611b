/* SPDX-License-Identifier: MIT */
/*
 * slabd under a service manager that this test plays: what it tells the
 * manager and when, and sockets that the manager opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/manager.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 64M\nmax = 64M\n"
#define WATCHDOG_MS 200

static struct fixture fixture;

static struct manager_given given; /* to the next slabd */

/* Starts slabd as a manager does, without --foreground. */
static void spawn(const char *socket, const char *control)
{
	const char *builddir = getenv("builddir");
	char path[512];
	int log;
	snprintf(path, sizeof(path), "%s/daemon/slabd",
	         builddir != NULL ? builddir : ".");
	fixture.pid = fork();
	if (fixture.pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (fixture.pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(0);
	log = open(fixture.log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(log);
	manager_environment(&given);
	execl(path, path, "--config", fixture.config, "--socket", socket,
	      "--control", control, (char *)NULL);
	_exit(127);
}

static void stop(const char *when)
{
	pid_t pid = fixture.pid;
	unsigned before;
	fixture_signal(&fixture, SIGTERM);
	tap_is(manager_await("STOPPING=1", SURELY_MS, &before), pid,
	       "%s: STOPPING=1 at SIGTERM", when);
	tap_is(manager_wait(&fixture, SURELY_MS), 0, "%s: and then status 0",
	       when);
}

/* ---- tests -------------------------------------------------------------- */

static void client(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "things", 100);
	void *object = slabd_alloc(cache);
	(void)fd;
	(void)arg;
	tap_ok(object != NULL, "a client is served");
	slabd_free(cache, object);
	slabd_close(pool);
}

static void serve_one(void)
{
	struct child child;
	child_start(&child, client, NULL);
	child_end(&child, "and ends well");
}

/* Whether the next such message is about that name. */
static bool is_next(const char *what, const char *name)
{
	unsigned between;
	return manager_await(what, SURELY_MS, &between) == fixture.pid &&
	       manager_says(name);
}

/* While a client lives the manager has a descriptor of its process, and while
 * it is connected its connection. */
static void kept_process(void)
{
	static const char name[] = "FDNAME=slabd.pool.default.client.1.1";
	static const char sock[] = "FDNAME=slabd.default.1.1.s";
	static const char events[] = "FDNAME=slabd.default.1.1.e";
	tap_ok(is_next("FDSTORE=1", name), "the client's process is kept");
	tap_ok(is_next("FDSTORE=1", sock) && is_next("FDSTORE=1", events),
	       "and its connection");
	tap_ok(is_next("FDSTOREREMOVE=1", sock) &&
	               is_next("FDSTOREREMOVE=1", events),
	       "this until it closes");
	tap_ok(is_next("FDSTOREREMOVE=1", name),
	       "until a while after its end");
}

static void test_ready(void)
{
	unsigned progress;
	spawn(fixture.socket, fixture.control);
	tap_is(manager_await("READY=1", SURELY_MS, &progress), fixture.pid,
	       "READY=1 comes from slabd itself");
	/* No second try: what was ready has to be there. */
	serve_one();
	tap_ok(fixture_number(&fixture, "/status", "pid") == fixture.pid,
	       "and slabctl is answered");
	tap_ok(progress > 0, "%u messages of progress came before", progress);
	kept_process();
	tap_is(manager_next(300), 0, "nothing comes after it");
	stop("on its own sockets");
	/* The manager has them: who comes waits there for the next slabd. */
	tap_ok(access(fixture.socket, F_OK) == 0 &&
	               access(fixture.control, F_OK) == 0,
	       "its sockets stay, as the manager keeps them");
}

static void test_status(void)
{
	const char *status;
	unsigned before;
	spawn(fixture.socket, fixture.control);
	manager_await("READY=1", SURELY_MS, &before);
	status = strstr(manager_text(), "STATUS=");
	tap_ok(manager_says("STATUS=1 pool on ") &&
	               strstr(status, " MiB ready") != NULL,
	       "with a status that says what is there");
	tap_note("%s", status != NULL ? status : "no status");
	stop("with a status");
}

static void test_watchdog(void)
{
	unsigned between;
	unsigned beats = 0;
	given.watchdog_ms = WATCHDOG_MS;
	spawn(fixture.socket, fixture.control);
	given.watchdog_ms = 0;
	manager_await("READY=1", SURELY_MS, &between);
	while (beats < 3 &&
	       manager_await("WATCHDOG=1", SURELY_MS, &between) != 0)
		beats++;
	tap_is(beats, 3, "the watchdog hears of slabd");
	fixture_signal(&fixture, SIGSTOP);
	while (*super_status(fixture.pid, "State:\t") != 'T')
		sleep_ms(1);
	while (manager_next(1) != 0)
		continue;
	tap_is(manager_next(2 * WATCHDOG_MS), 0,
	       "but not while slabd stands still");
	fixture_signal(&fixture, SIGCONT);
	tap_ok(manager_await("WATCHDOG=1", SURELY_MS, &between) != 0,
	       "and then it does");
	stop("with a watchdog");
}

/* Two slabds after one another on the manager's sockets; the paths that they
 * were given are not used. */
static void test_sockets(void)
{
	static const char *const names[2] = {"slabd:control", "control:slabd"};
	char other[2][110];
	int fds[2];
	unsigned before;
	unlink(fixture.socket);
	unlink(fixture.control);
	fds[0] = manager_bind(fixture.socket, SOCK_SEQPACKET);
	fds[1] = manager_bind(fixture.control, SOCK_STREAM);
	snprintf(other[0], sizeof(other[0]), "%s-other", fixture.socket);
	snprintf(other[1], sizeof(other[1]), "%s-other", fixture.control);
	given.n_fds = 2;
	for (int i = 0; i < 2; i++) {
		struct child early;
		child_start(&early, client, NULL);
		sleep_ms(50);
		given.names = names[i];
		given.fds[0] = fds[i];
		given.fds[1] = fds[1 - i];
		spawn(other[0], other[1]);
		tap_is(manager_await("READY=1", SURELY_MS, &before),
		       fixture.pid, "READY=1 on sockets %s", names[i]);
		child_end(&early, "who connected before slabd ran is served");
		serve_one();
		tap_ok(fixture_number(&fixture, "/status", "pid") ==
		               fixture.pid,
		       "slabctl is answered there too");
		tap_ok(access(other[0], F_OK) < 0 && access(other[1], F_OK) < 0,
		       "no other socket is made");
		stop(names[i]);
		tap_ok(access(fixture.socket, F_OK) == 0 &&
		               access(fixture.control, F_OK) == 0,
		       "the manager's sockets stay");
	}
	close(fds[0]);
	close(fds[1]);
	unlink(fixture.socket);
	unlink(fixture.control);
}

/* A socket of a wrong type or name is refused, with the remedy in the log. */
static void test_refused(int type, const char *names, const char *remedy)
{
	char path[108];
	int status;
	unsigned before;
	snprintf(path, sizeof(path), "%s-bad", fixture.socket);
	given.fds[0] = manager_bind(path, type);
	given.n_fds = 1;
	given.names = names;
	spawn(fixture.socket, fixture.control);
	status = fixture_wait(&fixture, SURELY_MS);
	tap_ok(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "a socket \"%s\" of type %d ends slabd with 1", names, type);
	tap_ok(fixture_logged(&fixture, remedy), "the log says: %s", remedy);
	tap_is(manager_await("READY=1", 200, &before), 0, "it was never ready");
	close(given.fds[0]);
	unlink(path);
	given.n_fds = 0;
}

/* Only clients' sockets are of that type: it needs no name. The log says where
 * slabd listens, not where it would have. */
static void test_unnamed(void)
{
	char path[108];
	char ready[300];
	unsigned before;
	snprintf(path, sizeof(path), "%s-given", fixture.socket);
	given.fds[0] = manager_bind(path, SOCK_SEQPACKET);
	given.n_fds = 1;
	given.names = "unknown";
	spawn(fixture.socket, fixture.control);
	tap_is(manager_await("READY=1", SURELY_MS, &before), fixture.pid,
	       "READY=1 on a socket without a name");
	snprintf(ready, sizeof(ready), "clients at %s, slabctl at %s", path,
	         fixture.control);
	tap_ok(fixture_logged(&fixture, ready), "the log says: %s", ready);
	stop("with one socket given");
	close(given.fds[0]);
	unlink(path);
	unlink(fixture.control);
	given.n_fds = 0;
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, CONFIG);
	manager_open(&fixture);
	test_ready();
	test_status();
	test_watchdog();
	test_sockets();
	test_refused(SOCK_STREAM, "slabd", "ListenSequentialPacket=");
	test_refused(SOCK_STREAM, "unknown", "a stream socket");
	test_refused(SOCK_DGRAM, "control", "a datagram socket");
	test_refused(SOCK_SEQPACKET, "other", "FileDescriptorName=");
	test_unnamed();
	manager_close();
	fixture_remove(&fixture);
	return tap_end();
}
