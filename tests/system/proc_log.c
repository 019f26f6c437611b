/* SPDX-License-Identifier: MIT */
/*
 * Whatever takes slabd's log, or does not, slabd serves clients and stops when it
 * is told to: a pipe that nobody reads, one without a reader, a full disk, a file
 * whose file system does not answer. What is lost is said once there is room.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/slow.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n"
#define CLIENTS 3

static struct fixture fixture;
static int sink; /* for slabd's log */

static void log_there(void)
{
	dup2(sink, STDERR_FILENO);
}

/* As in a sandbox that knows no statx. */
static void log_there_as_of_old(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_statx, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
	log_there();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(95);
}

/* Each client's end is a line. */
static void client(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	(void)fd;
	(void)arg;
	if (slabd_alloc(fixture_cache(pool, "things", 64)) == NULL)
		tap_bail("%s", slabd_last_error());
	slabd_close(pool);
}

static void serves(const char *what)
{
	struct child child;
	for (int i = 0; i < CLIENTS; i++) {
		child_start(&child, client, NULL);
		child_end(&child, what);
	}
}

static void starts_after(void (*setup)(void), const char *what)
{
	fixture_make(&fixture, CONFIG);
	fixture_spawn(&fixture, setup);
	tap_ok(fixture_ready(&fixture), "%s: slabd starts", what);
	serves(what);
}

static void starts(const char *what)
{
	starts_after(log_there, what);
}

/* Its write end that would wait, and is full. */
static void make_pipe(int ends[2])
{
	static const char bytes[4096];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		tap_bail("no pipe: %s", strerror(errno));
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		continue;
	while (write(ends[1], bytes, 1) > 0)
		continue;
	fcntl(ends[1], F_SETFL, 0);
	sink = ends[1];
}

/* Reads until that has come. */
static bool says(int from, const char *what)
{
	static char text[1 << 17];
	struct pollfd at = {.fd = from, .events = POLLIN};
	size_t len = 0;
	text[0] = '\0';
	while (len < sizeof(text) - 1 && poll(&at, 1, SURELY_MS) == 1) {
		ssize_t n = read(from, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			if (text[len + (size_t)i] == '\0')
				text[len + (size_t)i] = '.';
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, what) != NULL)
			return true;
	}
	return false;
}

static void test_unread(void)
{
	char byte[4096];
	int ends[2];
	make_pipe(ends);
	starts("a pipe that nobody reads");
	while (read(ends[0], byte, sizeof(byte)) > 0)
		continue;
	serves("now it is read");
	tap_ok(says(ends[0], "lines are lost: nobody read the log"),
	       "which says how many lines are lost");
	fixture_close(&fixture);
	close(ends[0]);
	close(ends[1]);
}

/* It may end without having said that. */
static void test_unread_end(void)
{
	int ends[2];
	make_pipe(ends);
	starts("a full pipe until the end");
	fixture_close(&fixture);
	starts_after(log_there_as_of_old, "the same without statx");
	fixture_close(&fixture);
	close(ends[0]);
	close(ends[1]);
}

static void test_no_reader(void)
{
	int ends[2];
	make_pipe(ends);
	close(ends[0]);
	starts("a pipe without a reader");
	fixture_close(&fixture);
	close(ends[1]);
}

static void test_full(void)
{
	sink = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (sink < 0) {
		tap_skip("no /dev/full", "a full disk");
		return;
	}
	starts("a full disk");
	fixture_close(&fixture);
	close(sink);
}

/* A write there waits for its server, and no signal ends that: the process goes
 * once that one answers, or is gone. */
static void test_hanging(void)
{
	struct child server;
	sink = geteuid() == 0 ? slow_open(&server) : -1;
	if (sink < 0 || fcntl(sink, F_SETFL, O_DIRECT) < 0) {
		tap_skip("no file system in user space can be mounted here",
		         "a file that does not take the log");
		return;
	}
	starts("a file that does not take the log");
	fixture_signal(&fixture, SIGTERM);
	while (access(fixture.socket, F_OK) == 0)
		sleep_ms(1);
	tap_ok(true, "slabd stops and removes its sockets");
	slow_end(&server);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "with status 0");
	close(sink);
	fixture_remove(&fixture);
}

/* What is wrong with a file is said before there is a log. */
static void test_supervised(void)
{
	int ends[2];
	FILE *file;
	pid_t pid;
	fixture_make(&fixture, CONFIG);
	make_pipe(ends);
	super_setup(log_there);
	pid = super_start(&fixture);
	serves("a supervisor's pipe that nobody reads");
	pid = super_kill(&fixture, pid);
	serves("its next slabd");
	file = fopen(fixture.config, "we");
	if (file == NULL || fputs("nonsense\n", file) < 0 || fclose(file) != 0)
		tap_bail("no configuration");
	pid = super_kill(&fixture, pid);
	serves("one with a faulty configuration");
	super_stop(&fixture, pid, "with a full pipe");
	close(ends[0]);
	close(ends[1]);
	fixture_remove(&fixture);
}

int main(void)
{
	tap_start(300);
	signal(SIGPIPE, SIG_IGN);
	test_unread();
	test_unread_end();
	test_no_reader();
	test_full();
	test_hanging();
	test_supervised();
	super_end();
	return tap_end();
}
