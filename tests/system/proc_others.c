/* SPDX-License-Identifier: MIT */
/* What clients know of each other: names, and a descriptor that tells of an
 * end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/raw.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n"
#define LONG_NAME                                                              \
	"123456789-123456789-123456789-123456789-123456789-123456789-123"

static struct fixture fixture;

static slabd_pool *named_pool(const char *name)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	options.name = name;
	return slabd_open(NULL, &options);
}

static slabd_pool *quiet_pool(void)
{
	slabd_pool *pool = named_pool(NULL);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

static bool is_called(slabd_pool *pool, unsigned id, const char *name)
{
	char now[SLABD_NAME_MAX + 1] = "";
	if (slabd_client_name(pool, id, now, sizeof(now)) < 0)
		tap_note("%s", slabd_last_error());
	if (strcmp(now, name) == 0)
		return true;
	tap_note("%s, not %s", now, name);
	return false;
}

/* What slabctl clients has of a client. */
static bool is_shown(unsigned id, const char *key, const char *text)
{
	json_t *doc = fixture_get(&fixture, "/clients");
	json_t *rows = json_at(doc, "pools.0.clients");
	bool found = false;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);
		const char *now = json_string_value(json_at(row, key));
		if (json_integer_value(json_at(row, "id")) == id)
			found = now != NULL && strcmp(now, text) == 0;
	}
	json_decref(doc);
	return found;
}

/* ---- names --------------------------------------------------------------- */

static void test_names(void)
{
	slabd_pool *pool;
	slabd_pool *other = quiet_pool();
	char small[8];
	unsigned id;
	prctl(PR_SET_NAME, "prog");
	pool = named_pool("gateway eu-2");
	id = slabd_client_id(pool);
	tap_ok(is_called(other, id, "gateway eu-2"),
	       "a name that was given at the start");
	tap_ok(is_shown(id, "name", "gateway eu-2") &&
	               is_shown(id, "process", "prog"),
	       "slabctl has it, and the process's");
	tap_is(slabd_client_set_name(pool, LONG_NAME), 0, "the longest");
	tap_ok(is_called(other, id, LONG_NAME), "it is read");
	fixture_fails(slabd_client_name(other, id, small, sizeof(small)) < 0,
	              ERANGE, "slabd_client_name without room for it");
	tap_is(slabd_client_set_name(pool, "seven.."), 0, "another");
	tap_ok(slabd_client_name(other, id, small, sizeof(small)) == 0 &&
	               strcmp(small, "seven..") == 0,
	       "it just fits");
	fixture_fails(slabd_client_name(other, id, NULL, 8) < 0, EINVAL,
	              "slabd_client_name to nowhere");
	fixture_fails(slabd_client_name(other, 9999, small, 8) < 0, ESRCH,
	              "slabd_client_name of nobody");
	fixture_fails(slabd_client_set_name(pool, LONG_NAME "4") < 0,
	              ENAMETOOLONG, "slabd_client_set_name of a longer one");
	fixture_fails(slabd_client_set_name(pool, "\033[2J") < 0, EINVAL,
	              "slabd_client_set_name of control characters");
	tap_ok(is_called(other, id, "seven.."), "that leave it as it was");
	tap_is(slabd_client_set_name(pool, NULL), 0, "none");
	tap_ok(is_called(other, id, "prog"), "then it is the process's");
	fixture_fails(named_pool(LONG_NAME "4") == NULL, ENAMETOOLONG,
	              "slabd_open with a long name");
	fixture_fails(named_pool("a\nb") == NULL, EINVAL,
	              "slabd_open with control characters in the name");
	slabd_close(pool);
	fixture_fails(slabd_client_name(other, id, small, 8) < 0, ESRCH,
	              "slabd_client_name of who has gone");
	slabd_close(other);
}

/* Two names in turn, both read whole. */
static void renamer(int fd, void *arg)
{
	slabd_pool *pool = quiet_pool();
	unsigned i = 0;
	(void)arg;
	slabd_client_set_name(pool, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	say(fd, slabd_client_id(pool));
	for (; i < tap_rounds(2000); i++)
		slabd_client_set_name(
			pool, i % 2 ? "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				    : "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	slabd_close(pool);
}

static void test_whole(void)
{
	slabd_pool *pool = quiet_pool();
	char name[SLABD_NAME_MAX + 1];
	struct child child;
	unsigned bad = 0;
	unsigned id;
	child_start(&child, renamer, NULL);
	id = (unsigned)hear(child.fd);
	while (slabd_client_name(pool, id, name, sizeof(name)) == 0)
		bad += strlen(name) != 36 ||
		       strspn(name, name[0] == 'a' ? "a" : "b") != 36;
	tap_is(bad, 0, "a name that changes is read whole");
	child_end(&child, "its client ends well");
	slabd_close(pool);
}

/* ---- an end to be heard of ------------------------------------------------ */

static bool is_readable(int fd, int ms)
{
	struct pollfd at = {.fd = fd, .events = POLLIN};
	return poll(&at, 1, ms) == 1 && (at.revents & POLLIN) != 0;
}

static void somebody(int fd, void *arg)
{
	slabd_pool *pool = named_pool(arg);
	say(fd, slabd_client_id(pool));
	hear(fd);
	slabd_close(pool);
	say(fd, 1);
	hear(fd);
}

/* A descriptor of a client's end, which is not yet. */
static int watch(slabd_pool *pool, unsigned id, const char *what)
{
	int fd = slabd_client_descriptor(pool, id,
	                                 slabd_client_epoch(pool, id));
	if (fd < 0)
		tap_note("%s", slabd_last_error());
	tap_ok(fd >= 0 && !is_readable(fd, 0) &&
	               (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
	       "%s", what);
	return fd;
}

static void test_end(void)
{
	slabd_pool *pool = quiet_pool();
	struct rlimit files;
	struct rlimit few;
	struct child child;
	unsigned id;
	unsigned n;
	int fd;
	child_start(&child, somebody, NULL);
	id = (unsigned)hear(child.fd);
	n = count_fds(getpid(), 0);
	fd = watch(pool, id, "a client is watched");
	fixture_fails(slabd_client_descriptor(pool, id, 99) < 0, ESRCH,
	              "slabd_client_descriptor of another epoch");
	fixture_fails(slabd_client_descriptor(pool, 9999, 0) < 0, ESRCH,
	              "slabd_client_descriptor of nobody");
	getrlimit(RLIMIT_NOFILE, &files);
	few = files;
	few.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &few);
	fixture_fails(slabd_client_descriptor(pool, id, 0) < 0, EMFILE,
	              "slabd_client_descriptor without room for one");
	setrlimit(RLIMIT_NOFILE, &files);
	tap_is(count_fds(getpid(), n + 1), n + 1, "it is one descriptor");
	/* Whatever slabd does from now on. */
	fixture_halt(&fixture);
	child_kill(&child);
	tap_ok(is_readable(fd, SURELY_MS), "it tells of the end");
	fixture_signal(&fixture, SIGCONT);
	close(fd);
	slabd_close(pool);
}

/* In a user and a PID namespace of its own, where that is to be had. */
static void elsewhere(int fd, void *arg)
{
	int status;
	pid_t pid;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
		say(fd, 0);
		return;
	}
	pid = fork();
	if (pid == 0) {
		somebody(fd, arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	_exit(status != 0);
}

/* Who watches is in another, and can do nothing else with it. */
static void watcher(int fd, void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	slabd_pool *pool = quiet_pool();
	int at = watch(pool, id, "a client in another namespace is watched");
	say(fd, 1);
	hear(fd);
	tap_ok(is_readable(at, SURELY_MS), "and its end is heard of");
	slabd_close(pool);
}

static void test_elsewhere(void)
{
	struct child child;
	struct child other;
	unsigned id;
	child_start(&child, elsewhere, "far away");
	id = (unsigned)hear(child.fd);
	if (id == 0) {
		tap_skip("no namespaces here", "a client in a PID namespace");
		child_end(&child, "it ends well");
		return;
	}
	child_start(&other, watcher, (void *)(uintptr_t)id);
	hear(other.fd);
	say(child.fd, 1);
	hear(child.fd);
	say(child.fd, 1);
	child_end(&child, "it ends well");
	say(other.fd, 1);
	child_end(&other, "so does who watched");
}

/* ---- who asks and does not read ------------------------------------------- */

static void test_greedy(void)
{
	struct raw raw;
	struct wire_watch msg = {
		.head = {.type = WIRE_WATCH, .bytes = sizeof(msg)}};
	struct wire_reply reply;
	unsigned brought = 0;
	unsigned refused = 0;
	raw_open(&raw, &fixture, "default");
	msg.id = raw.welcome.id;
	for (msg.head.seq = 1; msg.head.seq <= 50; msg.head.seq++)
		raw_send(raw.sock, &msg, sizeof(msg), 0, -1);
	for (unsigned i = 0; i < 50; i++) {
		char room[CMSG_SPACE(sizeof(int))];
		struct iovec iov = {&reply, sizeof(reply)};
		struct msghdr hdr = {.msg_iov = &iov,
		                     .msg_iovlen = 1,
		                     .msg_control = room,
		                     .msg_controllen = sizeof(room)};
		if (i == 0)
			fixture_number(&fixture, "/status", "pools.0.clients");
		if (recvmsg(raw.sock, &hdr, 0) != sizeof(reply))
			break;
		brought += CMSG_FIRSTHDR(&hdr) != NULL;
		refused += reply.error == EAGAIN;
	}
	tap_ok(brought >= 1 && brought + refused == 50 && refused >= 40,
	       "who does not read has few on their way: %u", brought);
	raw_close(&raw);
}

/* ---- a slabd after this one ----------------------------------------------- */

static void test_restart(void)
{
	struct child child;
	slabd_pool *pool;
	unsigned epoch;
	unsigned id;
	pid_t slabd;
	int fd;
	fixture_make(&fixture, CONFIG);
	slabd = super_start(&fixture);
	child_start(&child, somebody, "lasting");
	id = (unsigned)hear(child.fd);
	pool = quiet_pool();
	epoch = slabd_client_epoch(pool, id);
	fd = watch(pool, id, "a client is watched");
	slabd = super_kill(&fixture, slabd);
	tap_ok(slabd_client_epoch(pool, id) == epoch &&
	               is_called(pool, id, "lasting"),
	       "over slabd's end it is the same client, with its name");
	tap_ok(!is_readable(fd, 0), "which has not ended");
	close(watch(pool, id, "the next slabd knows its process, too"));
	child_kill(&child);
	tap_ok(is_readable(fd, SURELY_MS), "the first descriptor tells of it");
	close(fd);
	slabd_close(pool);
	super_stop(&fixture, slabd, "slabd ends well");
	fixture_remove(&fixture);
}

/* ---- without slabd -------------------------------------------------------- */

static void test_forked(slabd_pool *pool)
{
	int status = -1;
	char name[8];
	pid_t pid = fork();
	if (pid == 0) {
		fixture_fails(slabd_client_set_name(pool, "x") < 0, ENOTCONN,
		              "forked: slabd_client_set_name");
		fixture_fails(slabd_client_name(pool, 1, name, 8) < 0, ENOTCONN,
		              "forked: slabd_client_name");
		fixture_fails(slabd_client_descriptor(pool, 1, 0) < 0,
		              ENOTCONN, "forked: slabd_client_descriptor");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tap_is(status, 0, "a forked child ends well");
}

/* It has a pool of its own, as calls go one by one. */
/* What hangs is named, and what to do. */
static void fails_silent(bool failed, const char *call)
{
	char remedy[64];
	bool said;
	snprintf(remedy, sizeof(remedy), "is stopped by a signal: kill -CONT %d",
	         (int)fixture.pid);
	said = failed && strstr(slabd_last_error(), remedy) != NULL;
	fixture_fails(failed, ETIMEDOUT, call);
	tap_ok(said, "with the remedy: %s", slabd_last_error());
}

static void *wait_for_silence(void *arg)
{
	slabd_pool *pool = arg;
	fails_silent(
		slabd_client_descriptor(pool, slabd_client_id(pool), 0) < 0,
		"slabd_client_descriptor while slabd stands still");
	return NULL;
}

static void *remove_in_silence(void *arg)
{
	fails_silent(slabd_cache_remove(arg, "x") < 0,
	             "slabd_cache_remove while slabd stands still");
	return NULL;
}

static void *open_in_silence(void *arg)
{
	fails_silent(slabd_cache_open(arg, "x") == NULL,
	             "slabd_cache_open while slabd stands still");
	return NULL;
}

static void *come_in_silence(void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	(void)arg;
	fails_silent(slabd_open(NULL, &options) == NULL,
	             "slabd_open while slabd stands still");
	return NULL;
}

static void test_silent(void)
{
	void *(*const calls[])(void *) = {wait_for_silence, remove_in_silence,
	                                  open_in_silence, come_in_silence};
	slabd_pool *others[3] = {quiet_pool(), quiet_pool(), quiet_pool()};
	pthread_t threads[4];
	slabd_pool *pool = quiet_pool();
	test_forked(pool);
	fixture_halt(&fixture);
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, calls[i],
		               i < 3 ? others[i] : NULL);
	fails_silent(slabd_client_set_name(pool, "x") < 0,
	             "slabd_client_set_name while slabd stands still");
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	fixture_signal(&fixture, SIGCONT);
	tap_is(slabd_client_set_name(pool, "y"), 0, "late answers are let go");
	close(watch(others[0], slabd_client_id(pool), "of descriptors, too"));
	for (unsigned i = 0; i < 3; i++)
		slabd_close(others[i]);
	slabd_close(pool);
}

/* Its connection is closed, with all that it has. */
static void cut_off(int fd, void *arg)
{
	slabd_pool *pool = quiet_pool();
	(void)arg;
	for (int i = 3; i < 64; i++)
		if (i != fd)
			close(i);
	fixture_fails(slabd_client_set_name(pool, "x") < 0, ENOTCONN,
	              "slabd_client_set_name without a connection");
	fixture_fails(slabd_client_descriptor(pool, 1, 0) < 0, ENOTCONN,
	              "slabd_client_descriptor without a connection");
	fixture_fails(slabd_cache_open(pool, "x") == NULL, ENOTCONN,
	              "slabd_cache_open without a connection");
	fixture_fails(slabd_cache_remove(pool, "x") < 0, ENOTCONN,
	              "slabd_cache_remove without a connection");
	slabd_close(pool);
}

static void test_cut_off(void)
{
	struct child child;
	child_start(&child, cut_off, NULL);
	child_end(&child, "a client that was cut off ends well");
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	test_names();
	test_whole();
	test_end();
	test_elsewhere();
	test_greedy();
	fixture_audit(&fixture, "the accounts are exact");
	test_silent();
	test_cut_off();
	fixture_close(&fixture);
	test_restart();
	super_end();
	return tap_end();
}
