/* SPDX-License-Identifier: MIT */
/* The paths of slabd's sockets: whose they are before it starts, while it runs,
 * and when it ends. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define SMALL "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
#define ROUNDS 8u

static struct fixture fixture, other;

/* ---- helpers ------------------------------------------------------------ */

static ino_t ino_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

/* The fixture's sockets in a folder of their own. */
static void make_in_folder(char run[96])
{
	fixture_make(&fixture, SMALL);
	snprintf(run, 96, "%s/run", fixture.dir);
	snprintf(fixture.socket, sizeof(fixture.socket), "%s/s", run);
	snprintf(fixture.control, sizeof(fixture.control), "%s/c", run);
	if (!fixture_start(&fixture))
		tap_bail("slabd does not start");
}

static void end_in_folder(const char *run)
{
	char path[160];
	snprintf(path, sizeof(path), "rm -rf %s", run);
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "it ends well");
	if (system(path) != 0)
		tap_note("%s failed", path);
	fixture_remove(&fixture);
}

static bool connects(const char *path, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	bool good;
	strcpy(at.sun_path, path);
	good = connect(fd, (void *)&at, sizeof(at)) == 0;
	close(fd);
	return good;
}

static bool await_socket(const char *path, int type)
{
	double until = now_ms() + SURELY_MS;
	while (!connects(path, type) && now_ms() < until)
		sleep_ms(1);
	return connects(path, type);
}

static bool await_log(const char *what)
{
	double until = now_ms() + SURELY_MS;
	while (!fixture_logged(&fixture, what) && now_ms() < until)
		sleep_ms(1);
	return fixture_logged(&fixture, what);
}

/* A bound socket, which its caller closes. */
static int bound(const char *path, int type, bool listens)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	strcpy(at.sun_path, path);
	if (bind(fd, (void *)&at, sizeof(at)) < 0)
		tap_bail("bind: %s", strerror(errno));
	if (listens)
		listen(fd, 8);
	return fd;
}

static void client_works(const char *what)
{
	slabd_pool *pool = fixture_pool(&fixture);
	void *obj = slabd_alloc(fixture_cache(pool, "things", 64));
	tap_ok(obj != NULL, "%s", what);
	slabd_close(pool);
}

/* ---- before the start ---------------------------------------------------- */

/* Another slabd that is to end by itself as it can't have the path. */
static void refuses(const char *says, const char *what)
{
	int status;
	fixture_spawn(&other, NULL);
	status = fixture_wait(&other, SURELY_MS);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "%s: refused with status 1", what);
	tap_ok(fixture_logged(&other, says), "which is said: %s", says);
	fixture_signal(&other, SIGKILL);
	unlink(other.log);
}

static void test_swapped(void)
{
	ino_t socket, control;
	char says[64];
	fixture_open(&fixture, SMALL);
	socket = ino_of(fixture.socket);
	control = ino_of(fixture.control);
	fixture_make(&other, SMALL);
	strcpy(other.socket, fixture.control);
	strcpy(other.control, fixture.socket);
	snprintf(says, sizeof(says), "in use by a living slabd (pid %d)",
	         fixture.pid);
	refuses(says, "sockets swapped");
	tap_ok(ino_of(fixture.socket) == socket &&
	               ino_of(fixture.control) == control,
	       "and both are as they were");
	client_works("a client is served there");
	other.socket[0] = other.control[0] = '\0';
	fixture_remove(&other);
	fixture_close(&fixture);
}

static void test_others(void)
{
	static const struct {
		int type;
		bool listens;
		const char *name;
	} cases[] = {
		{SOCK_DGRAM, false, "a datagram socket"},
		{SOCK_STREAM, false, "a stream socket, not listening yet"},
		{SOCK_STREAM, true, "a stream socket"},
		{SOCK_SEQPACKET, false, "a seqpacket socket, not listening yet"},
		{SOCK_SEQPACKET, true, "a seqpacket socket"},
	};
	fixture_make(&other, SMALL);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = bound(other.socket, cases[i].type, cases[i].listens);
		ino_t ino = ino_of(other.socket);
		refuses("in use by a living", cases[i].name);
		tap_ok(ino_of(other.socket) == ino, "and it is left");
		close(fd);
		unlink(other.socket);
	}
	fixture_remove(&other);
}

static void test_dead(void)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET};
	for (int i = 0; i < 3; i++) {
		fixture_make(&fixture, SMALL);
		close(bound(fixture.socket, types[i], false));
		close(bound(fixture.control, types[i], i > 0));
		tap_ok(fixture_start(&fixture),
		       "what a dead process left is taken over (%d)", types[i]);
		fixture_close(&fixture);
	}
}

static void test_no_socket(void)
{
	char target[128];
	fixture_make(&other, SMALL);
	snprintf(target, sizeof(target), "%s/target", other.dir);
	close(bound(target, SOCK_SEQPACKET, false));
	if (symlink(target, other.socket) < 0)
		tap_bail("symlink: %s", strerror(errno));
	refuses("is no socket, but a symbolic link", "a symbolic link");
	tap_ok(ino_of(other.socket) != 0 && ino_of(target) != 0,
	       "and it is left");
	unlink(other.socket);
	unlink(target);
	mkdir(other.socket, 0755);
	refuses("is no socket, but a folder", "a folder");
	tap_ok(rmdir(other.socket) == 0, "and it is left");
	close(open(other.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refuses("is no socket, but a file", "a file");
	tap_ok(unlink(other.socket) == 0, "and it is left");
	fixture_remove(&other);
}

/* Two that find what a dead one left: one of them has it. */
static void test_race(void)
{
	unsigned n_good = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		int status;
		fixture_make(&fixture, SMALL);
		close(bound(fixture.socket, SOCK_SEQPACKET, true));
		close(bound(fixture.control, SOCK_STREAM, true));
		other = fixture;
		snprintf(other.log, sizeof(other.log), "%s/log2", other.dir);
		fixture_spawn(&fixture, NULL);
		fixture_spawn(&other, NULL);
		/* The one that ends is the one that has not got it. */
		while (waitpid(fixture.pid, &status, WNOHANG) == 0 &&
		       waitpid(other.pid, &status, WNOHANG) == 0)
			sleep_ms(1);
		if (kill(fixture.pid, 0) < 0)
			fixture.pid = other.pid;
		n_good += WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
		          fixture_ready(&fixture) &&
		          await_socket(fixture.socket, SOCK_SEQPACKET);
		fixture_signal(&fixture, SIGTERM);
		fixture_wait(&fixture, SURELY_MS);
		unlink(other.log);
		fixture_remove(&fixture);
	}
	tap_is(n_good, ROUNDS, "of two that start at one path one runs");
}

/* ---- while it runs -------------------------------------------------------- */

static void test_removed(void)
{
	char run[96];
	make_in_folder(run);
	for (int i = 0; i < 3; i++) {
		unlink(fixture.socket);
		tap_ok(await_socket(fixture.socket, SOCK_SEQPACKET),
		       "a socket that was removed is there again");
		unlink(fixture.control);
		tap_ok(await_socket(fixture.control, SOCK_STREAM),
		       "and so is slabctl's");
		client_works("a client is served");
		tap_ok(fixture_number(&fixture, "/status", "pid") ==
		               fixture.pid, "slabctl is answered");
	}
	tap_ok(await_log("was removed or replaced under slabd") &&
	               await_log("is slabd's socket again"),
	       "the log says so");
	end_in_folder(run);
}

static void test_folder(void)
{
	char run[96], moved[128];
	make_in_folder(run);
	snprintf(moved, sizeof(moved), "%s.old", run);
	unlink(fixture.socket);
	unlink(fixture.control);
	while (rmdir(run) < 0 && errno == ENOTEMPTY) {
		unlink(fixture.socket);
		unlink(fixture.control);
	}
	tap_ok(await_socket(fixture.socket, SOCK_SEQPACKET) &&
	               await_socket(fixture.control, SOCK_STREAM),
	       "a folder that was removed is made anew, and both sockets");
	client_works("a client is served");
	if (rename(run, moved) < 0)
		tap_bail("rename: %s", strerror(errno));
	tap_ok(await_socket(fixture.socket, SOCK_SEQPACKET) &&
	               await_socket(fixture.control, SOCK_STREAM),
	       "and so is one that was moved away");
	client_works("a client is served");
	snprintf(moved, sizeof(moved), "rm -rf %s.old", run);
	if (system(moved) != 0)
		tap_note("%s failed", moved);
	end_in_folder(run);
}

static void test_replaced(void)
{
	char run[96], made[128];
	ino_t ino;
	int fd;
	make_in_folder(run);
	snprintf(made, sizeof(made), "%s/made", run);
	fd = bound(made, SOCK_STREAM, true);
	ino = ino_of(made);
	if (rename(made, fixture.socket) < 0)
		tap_bail("rename: %s", strerror(errno));
	tap_ok(await_log("in use by a living"),
	       "another's socket in its place is named");
	tap_ok(ino_of(fixture.socket) == ino, "and left");
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	tap_ok(ino_of(fixture.socket) == ino, "and leaves it");
	tap_ok(ino_of(fixture.control) == 0, "but not its own");
	close(fd);
	unlink(fixture.socket);
	rmdir(run);
	fixture_remove(&fixture);
}

static void test_comes_free(void)
{
	char run[96];
	make_in_folder(run);
	unlink(fixture.socket);
	mkdir(fixture.socket, 0755);
	while (!fixture_logged(&fixture, "is no socket, but a folder")) {
		/* It may have been there before. */
		if (rmdir(fixture.socket) < 0)
			unlink(fixture.socket);
		mkdir(fixture.socket, 0755);
		sleep_ms(50);
	}
	rmdir(fixture.socket);
	tap_ok(await_socket(fixture.socket, SOCK_SEQPACKET),
	       "a path that others had comes back as they leave it");
	client_works("a client is served");
	end_in_folder(run);
}

static long long switches(pid_t pid)
{
	char path[64], line[128];
	long long n = -1;
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		sscanf(line, "voluntary_ctxt_switches: %lld", &n);
	if (file != NULL)
		fclose(file);
	return n;
}

/* What others do in its folder wakes nobody. */
static void test_rest(void)
{
	char run[96], path[128];
	double until = now_ms() + SURELY_MS;
	long long before, after;
	make_in_folder(run);
	snprintf(path, sizeof(path), "%s/other", run);
	do {
		before = switches(fixture.pid);
		sleep_ms(300);
		for (int i = 0; i < 100; i++) {
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
			unlink(path);
		}
		after = switches(fixture.pid);
	} while (before != after && now_ms() < until);
	tap_is(after, before, "files that come and go beside it wake nobody");
	end_in_folder(run);
}

/* In mounts of its own; it is the last test. Twice, as each is told of once. */
static void test_mount(void)
{
	char run[96];
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		tap_skip("no mounts of one's own here", "a mount over the path");
		return;
	}
	make_in_folder(run);
	for (int i = 0; i < 2; i++) {
		if (mount("none", run, "tmpfs", 0, "mode=755") < 0)
			tap_bail("mount: %s", strerror(errno));
		tap_ok(await_socket(fixture.socket, SOCK_SEQPACKET) &&
		               await_socket(fixture.control, SOCK_STREAM),
		       "both sockets are there again where a folder is mounted "
		       "over");
		client_works("a client is served");
	}
	for (int i = 0; i < 2; i++) {
		umount2(run, MNT_DETACH);
		tap_ok(await_socket(fixture.socket, SOCK_SEQPACKET) &&
		               await_socket(fixture.control, SOCK_STREAM),
		       "and where that is taken away");
		client_works("a client is served");
	}
	end_in_folder(run);
}

int main(void)
{
	tap_start(300);
	test_swapped();
	test_others();
	test_dead();
	test_no_socket();
	test_race();
	test_removed();
	test_folder();
	test_replaced();
	test_comes_free();
	test_rest();
	test_mount();
	return tap_end();
}
