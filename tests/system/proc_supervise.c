/* SPDX-License-Identifier: MIT */
/*
 * "slabd --supervise": who dies, who is started again and when, what is kept
 * meanwhile, and who is not listened to.
 *   this program --> supervisor (fixture.pid) --> slabd
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/manager/backoff.h"
#include "tests/lib/harness.h"
#include "tests/lib/manager.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"
static struct fixture fixture;

/* ---- helpers ------------------------------------------------------------ */

/* Connections that were just answered take a moment to be closed. */
static bool settles_at(pid_t pid, unsigned want)
{
	unsigned n = count_fds(pid, want);
	tap_note("%u descriptors in %d", n, pid);
	return n == want;
}

static ino_t socket_ino(void)
{
	struct stat st;
	return stat(fixture.socket, &st) == 0 ? st.st_ino : 0;
}

static bool is_passed(pid_t pid, const char *name)
{
	return strstr(super_variable(pid, "LISTEN_FDNAMES"), name) != NULL;
}

static bool await_log(const char *what, unsigned ms)
{
	double until = now_ms() + ms;
	while (!fixture_logged(&fixture, what) && now_ms() < until)
		sleep_ms(1);
	return fixture_logged(&fixture, what);
}

/* ---- clients ------------------------------------------------------------ */

static void client(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "things", 100);
	void *object = slabd_alloc(cache);
	(void)arg;
	tap_ok(object != NULL, "a client is served");
	say(fd, 1);
	slabd_free(cache, object);
	slabd_close(pool);
}

static bool has_said(const struct child *child)
{
	struct pollfd at = {.fd = child->fd, .events = POLLIN};
	return poll(&at, 1, 0) > 0;
}

/* ---- tests -------------------------------------------------------------- */

static void test_start(void)
{
	struct child child;
	pid_t pid = super_start(&fixture);
	tap_ok(pid != fixture.pid,
	       "slabd is another process than its supervisor");
	tap_is(atoi(super_status(pid, "PPid:")), fixture.pid, "and its child");
	tap_ok(strcmp(super_status(pid, "SigBlk:\t"), "0000000000000000") == 0,
	       "no signal is blocked in it");
	tap_ok(super_has_fd(fixture.pid, SUPER_INHERITED) &&
	               !super_has_fd(pid, SUPER_INHERITED),
	       "it inherits no descriptor of its supervisor");
	tap_ok(*super_variable(pid, "LISTEN_FDS") == '\0' &&
	               *super_variable(pid, "LISTEN_FDNAMES") == '\0',
	       "the first one is passed nothing");
	tap_ok(strstr(super_proc(pid, "maps"), "memfd") != NULL &&
	               strstr(super_proc(fixture.pid, "maps"), "memfd") == NULL,
	       "slabd maps a pool and its supervisor none");
	child_start(&child, client, NULL);
	child_end(&child, "and ends well");
	fixture_signal(&fixture, SIGHUP);
	tap_ok(await_log("was read again: nothing that can be applied is new",
	                 SURELY_MS),
	       "SIGHUP is passed on");
	super_stop(&fixture, pid, "as it was started");
}

/* The supervisor stands still while slabd is dead, so that there is a gap. */
static void test_gap(void)
{
	struct child child;
	ino_t ino;
	pid_t next;
	pid_t pid = super_start(&fixture);
	ino = socket_ino();
	fixture_signal(&fixture, SIGSTOP);
	kill(pid, SIGKILL);
	while (strncmp(super_status(pid, "State:\t"), "Z", 1) != 0)
		sleep_ms(1);
	child_start(&child, client, NULL);
	sleep_ms(200);
	tap_ok(!has_said(&child), "a client waits while there is no slabd");
	fixture_signal(&fixture, SIGCONT);
	next = super_next(&fixture, pid);
	tap_ok(next > 0, "slabd is started again");
	child_end(&child, "and the client that waited ends well");
	tap_ok(socket_ino() == ino, "the socket is the same");
	tap_ok(is_passed(next, "slabd.listen.client") &&
	               is_passed(next, "slabd.listen.control"),
	       "both sockets were passed");
	tap_ok(fixture_logged(&fixture, ") was killed by SIGKILL after ") &&
	               fixture_logged(&fixture, " s: started again with ") &&
	               fixture_logged(&fixture, " descriptors kept"),
	       "the log says so");
	super_stop(&fixture, next, "the second one");
}

static void test_leaks(void)
{
	unsigned mine, its;
	pid_t pid = super_kill(&fixture, super_start(&fixture));
	sleep_ms(50);
	mine = count_fds(fixture.pid, 0);
	its = count_fds(pid, 0);
	for (int i = 0; i < 3; i++)
		pid = super_kill(&fixture, pid);
	tap_ok(settles_at(fixture.pid, mine), "the supervisor has no more "
	       "descriptors after four ends than after one");
	tap_ok(settles_at(pid, its), "nor has slabd");
	super_stop(&fixture, pid, "after four ends");
}

/* What somebody else says to the supervisor, with descriptors. */
static void send_as_stranger(const char *address, const char *what)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(3 * sizeof(int))];
	int fds[3] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct iovec iov = {(void *)what, strlen(what)};
	size_t len = strlen(address);
	struct msghdr msg = {
	        .msg_name = &to,
	        .msg_namelen = (socklen_t)(sizeof(sa_family_t) + len + 1),
	        .msg_iov = &iov,
	        .msg_iovlen = 1,
	        .msg_control = room,
	        .msg_controllen = sizeof(room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(to.sun_path, address, len + 1);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	tap_is(sendmsg(fd, &msg, 0), (long long)strlen(what),
	       "a stranger sends %.9s", what);
	close(fd);
}

static void test_stranger(void)
{
	char address[108], mine[64];
	struct stat st = {0};
	pid_t pid = super_start(&fixture);
	ino_t ino = socket_ino();
	unsigned before = count_fds(fixture.pid, 0);
	snprintf(address, sizeof(address), "%s",
	         super_variable(pid, "NOTIFY_SOCKET"));
	tap_ok(address[0] == '/', "slabd is told where its supervisor is");
	*strrchr(address, '/') = '\0';
	tap_ok(stat(address, &st) == 0 && (st.st_mode & 07777) == 0700,
	       "in a folder that no other user can enter");
	address[strlen(address)] = '/';
	send_as_stranger(address,
	                 "FDSTOREREMOVE=1\nFDNAME=slabd.listen.client");
	send_as_stranger(address, "FDSTORE=1\nFDNAME=slabd.stranger");
	send_as_stranger(address, "STOPPING=1");
	snprintf(mine, sizeof(mine), "notification of pid %d is ignored",
	         getpid());
	tap_ok(await_log(mine, SURELY_MS), "the log names it");
	tap_ok(settles_at(fixture.pid, before), "what it sent along is closed");
	pid = super_kill(&fixture, pid);
	tap_ok(is_passed(pid, "slabd.listen.client") &&
	               !is_passed(pid, "slabd.stranger"),
	       "and what was kept is what slabd wanted to be");
	tap_ok(socket_ino() == ino, "the socket is the same");
	super_stop(&fixture, pid, "in spite of a stranger");
	tap_ok(stat(address, &st) < 0, "its own socket is gone");
}

/* A slabd that dies when it should stop has given nothing back. */
static void test_dies_at_stop(void)
{
	const uint64_t term = UINT64_C(1) << (SIGTERM - 1);
	pid_t pid = super_start(&fixture);
	kill(pid, SIGSTOP);
	while (*super_status(pid, "State:\t") != 'T')
		sleep_ms(1);
	fixture_signal(&fixture, SIGTERM);
	while ((strtoull(super_status(pid, "ShdPnd:\t"), NULL, 16) & term) == 0)
		sleep_ms(1);
	kill(pid, SIGKILL);
	tap_ok(super_ended(fixture_wait(&fixture, SURELY_MS), 0),
	       "one that is killed as it stops: the supervisor ends with 0");
	tap_ok(fixture_logged(&fixture, "another one gives back what is kept"),
	       "after another one");
	tap_ok(socket_ino() == 0 && access(fixture.control, F_OK) < 0,
	       "which has left no socket");
}

/* Sockets at a path that is no longer the configured one, or is gone. */
static void test_other_socket(void)
{
	struct child child;
	pid_t pid = super_start(&fixture);
	kill(pid, SIGSTOP); /* else it makes it anew itself */
	unlink(fixture.socket);
	pid = super_kill(&fixture, pid);
	tap_ok(socket_ino() != 0, "a socket that was removed is made anew");
	tap_ok(fixture_logged(&fixture,
	                      "slabd.listen.client was kept and is not"),
	       "the log says why");
	child_start(&child, client, NULL);
	child_end(&child, "and ends well");
	super_stop(&fixture, pid, "with another socket");
}

/* ---- what the supervisor logs ------------------------------------------- */

static const char *read_log(void)
{
	static char log[1 << 16];
	FILE *file = fopen(fixture.log, "re");
	size_t n = file != NULL ? fread(log, 1, sizeof(log) - 1, file) : 0;
	if (file != NULL)
		fclose(file);
	log[n] = '\0';
	return log;
}

static unsigned count_log(const char *what)
{
	unsigned n = 0;
	for (const char *at = read_log(); (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* Whether the supervisor waits after each death, and only then, as long as the
 * lives that it logs have it: on a slow machine they may be long ones. The last
 * wait is in *ms, the number of deaths in *n. */
static bool waits_are_right(unsigned *n, unsigned *ms)
{
	static const char mark[] = " s: started again";
	struct backoff backoff = {0};
	bool right = true;
	*n = 0;
	*ms = 0;
	for (const char *at = read_log(); (at = strstr(at, mark)); at++) {
		const char *life = at;
		unsigned s, tenths;
		while (life[-1] != ' ')
			life--;
		if (strncmp(life - strlen("successor after "), "successor", 9) ==
		            0 ||
		    sscanf(life, "%u.%u", &s, &tenths) != 2)
			continue;
		*ms = 0;
		sscanf(at + strlen(mark), " in %u ms", ms);
		right &= *ms * CLOCK_MS ==
		         backoff_after(&backoff, s * CLOCK_S +
		                                         tenths * 100 * CLOCK_MS);
		++*n;
	}
	return right;
}

static void test_backoff(void)
{
	unsigned n, ms;
	pid_t pid = super_start(&fixture);
	for (unsigned i = 1; i <= 4; i++) {
		double since = now_ms();
		bool right;
		pid = super_kill(&fixture, pid);
		right = waits_are_right(&n, &ms);
		tap_ok(right && n == i && now_ms() >= since + ms,
		       "end %u: started again in %u ms, and no sooner", i, ms);
	}
	while (count_log("ready: ") < 5) /* it answers before it says so */
		sleep_ms(1);
	kill(pid, SIGKILL);
	while (count_log(" s: started again") < 5)
		sleep_ms(1);
	fixture_signal(&fixture, SIGTERM);
	tap_ok(super_ended(fixture_wait(&fixture, SURELY_MS), 0),
	       "SIGTERM ends the supervisor with 0");
	tap_ok(super_is_gone(pid, 0), "and no slabd runs");
	waits_are_right(&n, &ms);
	if (ms == 0)
		tap_skip("this machine is too slow", "it is ended in a wait");
	else
		tap_is(count_log("ready: "), 5, "nor was one ready for that");
	tap_ok(socket_ino() == 0, "what was kept is given back");
}

static void write_config(const char *lines)
{
	FILE *file = fopen(fixture.config, "we");
	if (file == NULL || fputs(lines, file) < 0 || fclose(file) != 0)
		tap_bail("%s: %s", fixture.config, strerror(errno));
}

static void test_usage(void)
{
	pid_t pid;
	write_config("[pool default]\nbogus = 1\n");
	super_spawn(&fixture, NULL, NULL);
	tap_ok(super_ended(fixture_wait(&fixture, SURELY_MS), 2),
	       "a bad configuration ends the supervisor with 2");
	write_config(CONFIG);
	pid = super_start(&fixture);
	write_config("[pool default]\nbogus = 1\n");
	pid = super_kill(&fixture, pid);
	tap_ok(fixture_logged(&fixture, "bogus") &&
	               fixture_logged(&fixture, "that it ran with before"),
	       "one that slabd finds as it is started again is not used");
	super_stop(&fixture, pid, "with the configuration of before");
	write_config(CONFIG);
}

static void test_orphan(void)
{
	struct child child;
	pid_t pid = super_start(&fixture);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	child_start(&child, client, NULL);
	child_end(&child, "while no supervisor lives, and ends well");
	tap_is(fixture_number(&fixture, "/status", "pid"), pid,
	       "by the same slabd");
	kill(pid, SIGTERM);
	tap_ok(super_is_gone(pid, SURELY_MS), "which ends on SIGTERM");
	tap_ok(access(fixture.socket, F_OK) < 0, "and leaves no socket");
}

/* ---- under a manager ---------------------------------------------------- */

static void test_manager(void)
{
	struct manager_given sockets = {.n_fds = 2, .names = "slabd:control",
	                                .watchdog_ms = 200};
	unsigned before;
	pid_t pid;
	manager_open(&fixture);
	sockets.fds[0] = manager_bind(fixture.socket, SOCK_SEQPACKET);
	sockets.fds[1] = manager_bind(fixture.control, SOCK_STREAM);
	super_spawn(&fixture, NULL, &sockets);
	tap_is(manager_await("READY=1", SURELY_MS, &before), fixture.pid,
	       "READY=1 is passed on by the supervisor");
	tap_ok(manager_says("STATUS=1 pool on "), "with the status");
	pid = super_next(&fixture, 0);
	tap_ok(pid > 0, "slabd is there on the manager's sockets");
	kill(pid, SIGKILL);
	tap_is(manager_await("READY=1", SURELY_MS, &before), fixture.pid,
	       "READY=1 comes again from the next slabd");
	pid = super_next(&fixture, pid);
	tap_ok(pid > 0, "which is on the same sockets");
	tap_is(manager_await("WATCHDOG=1", SURELY_MS, &before), fixture.pid,
	       "the watchdog hears of the supervisor");
	fixture_signal(&fixture, SIGTERM);
	tap_is(manager_await("STOPPING=1", SURELY_MS, &before), fixture.pid,
	       "STOPPING=1 is passed on");
	tap_ok(super_ended(manager_wait(&fixture, SURELY_MS), 0),
	       "and then comes status 0");
	tap_ok(access(fixture.socket, F_OK) == 0, "the manager's sockets stay");
	close(sockets.fds[0]);
	close(sockets.fds[1]);
	unlink(fixture.socket);
	unlink(fixture.control);
	manager_close();
}

/* ---- another program at slabd's path ------------------------------------ */

static void copy(const char *from, const char *to)
{
	char bytes[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;
	if (in < 0 || out < 0)
		tap_bail("%s to %s: %s", from, to, strerror(errno));
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		if (write(out, bytes, (size_t)n) != n)
			tap_bail("%s: %s", to, strerror(errno));
	close(in);
	close(out);
}

static char text[1 << 16];

/* Whether the file has the line. */
static bool has_line(const char *path, const char *line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	char *at;
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	at = strstr(text, line);
	return at != NULL && (at == text || at[-1] == '\n') &&
	       at[strlen(line)] == '\n';
}

static void show_played(const char *path)
{
	char *rest = text;
	char *at;
	has_line(path, "");
	while ((at = strsep(&rest, "\n")) != NULL)
		tap_note("played: %.100s", at);
}

static void test_played(void)
{
	char path[96], new[96], out[96];
	unsigned n, ms;
	pid_t pid;
	snprintf(path, sizeof(path), "%s/slabd", fixture.dir);
	snprintf(new, sizeof(new), "%s/new", fixture.dir);
	snprintf(out, sizeof(out), "%s/out", fixture.dir);
	copy(super_program("daemon/slabd"), path);
	setenv("PLAYED_OUT", out, 1);
	super_spawn(&fixture, path, NULL);
	pid = super_next(&fixture, 0);
	copy(super_program("tests/system/played"), new);
	rename(new, path);
	kill(pid, SIGKILL);
	tap_ok(super_ended(fixture_wait(&fixture, SURELY_MS), 0),
	       "status 0 of slabd ends the supervisor");
	tap_ok(has_line(out, "life 1 of --supervised, no mask"),
	       "the program is the one that is at its path by then");
	tap_ok(has_line(out, "life 2 of --supervised, no mask"),
	       "status 75 has it started again");
	tap_ok(fixture_logged(&fixture, "made way for its successor after ") &&
	               waits_are_right(&n, &ms) && n == 2,
	       "at once, which is no second death");
	tap_ok(strstr(text, "299 as they were, ") != NULL,
	       "what it kept was passed as it was, less what it dropped");
	tap_ok(has_line(out, "life 3 of --supervised, no mask") &&
	               has_line(out, "2 open") &&
	               has_line(out, "slabd.played.own:slabd.played.lives "
	                             "passed"),
	       "and what it dropped is passed no more");
	show_played(out);
	unlink(path);
	unlink(out);
	unlink(fixture.socket);
	unlink(fixture.control);
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, CONFIG);
	test_start();
	test_gap();
	test_leaks();
	test_stranger();
	test_dies_at_stop();
	test_other_socket();
	test_backoff();
	test_usage();
	test_orphan();
	test_manager();
	test_played();
	super_end();
	fixture_remove(&fixture);
	return tap_end();
}
