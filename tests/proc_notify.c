/* SPDX-License-Identifier: MIT */
/*
 * slabd under a service manager that this test plays: what it tells the
 * manager and when, and sockets that the manager opened.
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/proc/harness.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 64M\nmax = 64M\n"
#define WATCHDOG_MS 200

static struct bed bed;
static char notify_path[80];
static char text[512]; /* the last message */
static int manager = -1;

/* What the environment of the next slabd has. */
static struct given {
	int fds[2];
	unsigned n_fds;
	const char *names;
	bool watchdog;
} given;

/* ---- the manager -------------------------------------------------------- */

static int bind_at(const char *path, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)) < 0)
		tap_bail("%s: %s", path, strerror(errno));
	if (type != SOCK_DGRAM && listen(fd, 16) < 0)
		tap_bail("listen: %s", strerror(errno));
	return fd;
}

static void open_manager(void)
{
	int one = 1;
	snprintf(notify_path, sizeof(notify_path), "%s/notify", bed.dir);
	manager = bind_at(notify_path, SOCK_DGRAM);
	setsockopt(manager, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
}

static void close_manager(void)
{
	close(manager);
	unlink(notify_path);
}

/* The next message, in text. Its sender's pid, 0 when none comes in time. */
static pid_t next_message(unsigned ms)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	struct pollfd at = {.fd = manager, .events = POLLIN};
	struct ucred from = {.pid = 0};
	struct cmsghdr *c;
	ssize_t n;
	text[0] = '\0';
	if (poll(&at, 1, (int)ms) <= 0)
		return 0;
	n = recvmsg(manager, &hdr, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	c = CMSG_FIRSTHDR(&hdr);
	if (n > 0 && c != NULL && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&from, CMSG_DATA(c), sizeof(from));
	return from.pid;
}

/* Whether the message has this field. */
static bool says(const char *field)
{
	const char *at = strstr(text, field);
	return at != NULL && (at == text || at[-1] == '\n');
}

/* Reads on until the field comes: the sender's pid, 0 when it does not. */
static pid_t await(const char *field, unsigned ms, unsigned *before)
{
	double until = now_ms() + ms;
	*before = 0;
	while (now_ms() < until) {
		pid_t pid = next_message(100);
		if (pid != 0 && says(field))
			return pid;
		*before += pid != 0;
	}
	return 0;
}

static void put_number(const char *name, long number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%ld", number);
	setenv(name, digits, 1);
}

/* In the new process. */
static void set_environment(void)
{
	int high[2];
	setenv("NOTIFY_SOCKET", notify_path, 1);
	if (given.watchdog) {
		put_number("WATCHDOG_USEC", WATCHDOG_MS * 1000L);
		put_number("WATCHDOG_PID", getpid());
	}
	if (given.n_fds == 0)
		return;
	for (unsigned i = 0; i < given.n_fds; i++)
		high[i] = fcntl(given.fds[i], F_DUPFD, 16);
	for (unsigned i = 0; i < given.n_fds; i++)
		dup2(high[i], 3 + (int)i);
	put_number("LISTEN_FDS", given.n_fds);
	put_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDNAMES", given.names, 1);
}

/* Starts slabd as a manager does, without --foreground. */
static void spawn(const char *socket, const char *control)
{
	const char *builddir = getenv("builddir");
	char path[512];
	int log;
	snprintf(path, sizeof(path), "%s/daemon/slabd",
	         builddir != NULL ? builddir : ".");
	bed.pid = fork();
	if (bed.pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (bed.pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(0);
	log = open(bed.log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(log);
	set_environment();
	execl(path, path, "--config", bed.config, "--socket", socket,
	      "--control", control, (char *)NULL);
	_exit(127);
}

static void stop(const char *when)
{
	pid_t pid = bed.pid;
	unsigned before;
	bed_signal(&bed, SIGTERM);
	tap_is(await("STOPPING=1", 10000, &before), pid,
	       "%s: STOPPING=1 at SIGTERM", when);
	tap_is(bed_wait(&bed, 10000), 0, "%s: and then status 0", when);
}

/* ---- tests -------------------------------------------------------------- */

static void client(int fd, void *arg)
{
	slabd_pool *pool = bed_pool(&bed);
	slabd_cache *cache = bed_cache(pool, "things", 100);
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

static void test_ready(void)
{
	unsigned progress;
	spawn(bed.socket, bed.control);
	tap_is(await("READY=1", 20000, &progress), bed.pid,
	       "READY=1 comes from slabd itself");
	/* No second try: what was ready has to be there. */
	serve_one();
	tap_ok(bed_number(&bed, "/status", "pid") == bed.pid,
	       "and slabctl is answered");
	tap_ok(progress > 0, "%u messages of progress came before", progress);
	tap_is(next_message(300), 0, "nothing comes after it");
	stop("on its own sockets");
	tap_ok(access(bed.socket, F_OK) < 0 && access(bed.control, F_OK) < 0,
	       "its own sockets are removed");
}

static void test_status(void)
{
	unsigned before;
	spawn(bed.socket, bed.control);
	await("READY=1", 20000, &before);
	tap_ok(says("STATUS=1 pools on ") && strstr(text, " MiB ready") != NULL,
	       "with a status that says what is there");
	tap_note("%s", strchr(text, 'S') != NULL ? strchr(text, 'S') : text);
	stop("with a status");
}

static void test_watchdog(void)
{
	unsigned between;
	unsigned beats = 0;
	given.watchdog = true;
	spawn(bed.socket, bed.control);
	given.watchdog = false;
	await("READY=1", 20000, &between);
	while (beats < 3 && await("WATCHDOG=1", 5000, &between) != 0)
		beats++;
	tap_is(beats, 3, "the watchdog hears of slabd");
	bed_signal(&bed, SIGSTOP);
	while (next_message(WATCHDOG_MS) != 0)
		continue;
	tap_is(next_message(2 * WATCHDOG_MS), 0,
	       "but not while slabd stands still");
	bed_signal(&bed, SIGCONT);
	tap_ok(await("WATCHDOG=1", 5000, &between) != 0, "and then it does");
	stop("with a watchdog");
}

/* Two slabds after one another on the manager's sockets; the paths that they
 * were given are not used. */
static void test_sockets(void)
{
	static const char *const names[2] = {"slabd:control", "control:slabd"};
	char other[2][110];
	int fds[2] = {bind_at(bed.socket, SOCK_SEQPACKET),
	              bind_at(bed.control, SOCK_STREAM)};
	unsigned before;
	snprintf(other[0], sizeof(other[0]), "%s-other", bed.socket);
	snprintf(other[1], sizeof(other[1]), "%s-other", bed.control);
	given.n_fds = 2;
	for (int i = 0; i < 2; i++) {
		struct child early;
		child_start(&early, client, NULL);
		sleep_ms(50);
		given.names = names[i];
		given.fds[0] = fds[i];
		given.fds[1] = fds[1 - i];
		spawn(other[0], other[1]);
		tap_is(await("READY=1", 20000, &before), bed.pid,
		       "READY=1 on sockets %s", names[i]);
		child_end(&early, "who connected before slabd ran is served");
		serve_one();
		tap_ok(bed_number(&bed, "/status", "pid") == bed.pid,
		       "slabctl is answered there too");
		tap_ok(access(other[0], F_OK) < 0 && access(other[1], F_OK) < 0,
		       "no other socket is made");
		stop(names[i]);
		tap_ok(access(bed.socket, F_OK) == 0 &&
		               access(bed.control, F_OK) == 0,
		       "the manager's sockets stay");
	}
	close(fds[0]);
	close(fds[1]);
	unlink(bed.socket);
	unlink(bed.control);
}

/* A socket of a wrong type or name is refused, with the remedy in the log. */
static void test_refused(int type, const char *names, const char *remedy)
{
	char path[108];
	int status;
	unsigned before;
	snprintf(path, sizeof(path), "%s-bad", bed.socket);
	given.fds[0] = bind_at(path, type);
	given.n_fds = 1;
	given.names = names;
	spawn(bed.socket, bed.control);
	status = bed_wait(&bed, 20000);
	tap_ok(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "a socket \"%s\" of type %d ends slabd with 1", names, type);
	tap_ok(bed_logged(&bed, remedy), "the log says: %s", remedy);
	tap_is(await("READY=1", 200, &before), 0, "it was never ready");
	close(given.fds[0]);
	unlink(path);
	given.n_fds = 0;
}

int main(void)
{
	tap_start(90);
	bed_make(&bed, CONFIG);
	open_manager();
	test_ready();
	test_status();
	test_watchdog();
	test_sockets();
	test_refused(SOCK_STREAM, "slabd", "ListenSequentialPacket=");
	test_refused(SOCK_SEQPACKET, "other", "FileDescriptorName=");
	close_manager();
	bed_remove(&bed);
	return tap_end();
}
