/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3 /* of those passed, as sd_listen_fds(3) has it */

/* The parent's ends are read. */
enum { OUT, SAID, TOLD, PIPES };

struct run {
	struct ctl_child *child;
	pid_t pid;
	int pipes[PIPES][2];
	int limit; /* a timer */
	size_t n_out, n_said;
};

/* ---- in the new process --------------------------------------------------- */

static void set_number(const char *name, long number)
{
	char text[24];
	snprintf(text, sizeof(text), "%ld", number);
	setenv(name, text, 1);
}

static void set_environment(const struct ctl_child *child)
{
	static const char *const managers[] = {
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID",
		"LISTEN_FDS",    "LISTEN_FDNAMES", "LISTEN_PIDFDID",
	};
	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++)
		unsetenv(managers[i]);
	if (child->n_fds == 0)
		return;
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", child->n_fds);
	setenv("LISTEN_FDNAMES", child->names, 1);
}

/* All are moved out of the way first. */
static int place(struct ctl_child *child, int *told)
{
	int above = FIRST_FD + (int)child->n_fds;
	*told = fcntl(*told, F_DUPFD_CLOEXEC, above);
	for (unsigned i = 0; i < child->n_fds && *told >= 0; i++) {
		child->fds[i] = fcntl(child->fds[i], F_DUPFD_CLOEXEC, above);
		if (child->fds[i] < 0)
			return -errno;
	}
	for (unsigned i = 0; i < child->n_fds && *told >= 0; i++)
		if (dup2(child->fds[i], FIRST_FD + (int)i) < 0)
			return -errno;
	return *told < 0 ? -errno : 0;
}

static _Noreturn void become(struct run *run)
{
	int told = run->pipes[TOLD][1];
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;
	setpgid(0, 0);
	if (none >= 0)
		dup2(none, STDIN_FILENO);
	dup2(run->pipes[OUT][1], STDOUT_FILENO);
	dup2(run->pipes[SAID][1], STDERR_FILENO);
	r = place(run->child, &told);
	if (r == 0) {
		set_environment(run->child);
		execv(run->child->argv[0], run->child->argv);
		r = -errno;
	}
	if (write(told, &r, sizeof(r)) < 0)
		_exit(126);
	_exit(127);
}

/* ---- in ours -------------------------------------------------------------- */

/* Reads what is there; false at the end. */
static bool take(int fd, char *to, size_t size, size_t *n)
{
	char rest[4096];
	for (;;) {
		bool full = *n + 1 >= size;
		ssize_t r = full ? read(fd, rest, sizeof(rest))
		                 : read(fd, to + *n, size - 1 - *n);
		if (r <= 0)
			return r < 0 && (errno == EAGAIN || errno == EINTR);
		if (full)
			return true;
		*n += (size_t)r;
		to[*n] = '\0';
	}
}

static bool take_both(struct run *run, struct pollfd *at)
{
	struct ctl_child *child = run->child;
	if (!take(run->pipes[OUT][0], child->out, CTL_CHILD_OUT_MAX,
	          &run->n_out))
		at[OUT].fd = -1;
	if (!take(run->pipes[SAID][0], child->said, sizeof(child->said),
	          &run->n_said))
		at[SAID].fd = -1;
	return run->n_out + 1 < CTL_CHILD_OUT_MAX;
}

/* Until it ends, or is made to. */
static void attend(struct run *run, int pidfd)
{
	enum { ENDED = SAID + 1, LIMIT, ALL };
	struct ctl_child *child = run->child;
	struct pollfd at[ALL] = {
		[OUT] = {.fd = run->pipes[OUT][0], .events = POLLIN},
		[SAID] = {.fd = run->pipes[SAID][0], .events = POLLIN},
		[ENDED] = {.fd = pidfd, .events = POLLIN},
		[LIMIT] = {.fd = run->limit, .events = POLLIN},
	};
	child->end = CTL_CHILD_ENDED;
	while (child->end == CTL_CHILD_ENDED && at[ENDED].revents == 0) {
		if (poll(at, ALL, -1) < 0 && errno != EINTR)
			child->end = CTL_CHILD_LATE;
		if (!take_both(run, at))
			child->end = CTL_CHILD_LONG;
		else if (at[ENDED].revents == 0 && at[LIMIT].revents != 0)
			child->end = CTL_CHILD_LATE;
	}
	(void)take_both(run, at);
	kill(-run->pid, SIGKILL);
}

static void judge(struct run *run)
{
	struct ctl_child *child = run->child;
	int status = 0;
	int error = 0;
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (read(run->pipes[TOLD][0], &error, sizeof(error)) ==
	    sizeof(error)) {
		child->end = CTL_CHILD_NO_START;
		child->number = -error;
	} else if (child->end == CTL_CHILD_ENDED) {
		child->end = WIFSIGNALED(status) ? CTL_CHILD_KILLED
		                                 : CTL_CHILD_ENDED;
		child->number = WIFSIGNALED(status) ? WTERMSIG(status)
		                                    : WEXITSTATUS(status);
	}
}

static int start(struct run *run)
{
	unsigned ms = run->child->limit_ms;
	struct itimerspec limit = {
		.it_value = {.tv_sec = ms / 1000,
	                     .tv_nsec = ms % 1000 * 1000000L}};
	run->limit = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (run->limit < 0 || timerfd_settime(run->limit, 0, &limit, NULL) < 0)
		return -errno;
	for (int i = 0; i < PIPES; i++)
		if (pipe2(run->pipes[i], O_CLOEXEC) < 0 ||
		    fcntl(run->pipes[i][0], F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	run->pid = fork();
	if (run->pid == 0)
		become(run);
	return run->pid < 0 ? -errno : 0;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int ctl_child_run(struct ctl_child *child)
{
	struct run run = {.child = child,
	                  .pipes = {{-1, -1}, {-1, -1}, {-1, -1}}};
	int pidfd;
	int r = 0;
	child->said[0] = '\0';
	child->out = calloc(1, CTL_CHILD_OUT_MAX);
	if (child->out == NULL)
		return -ENOMEM;
	r = start(&run);
	for (int i = 0; i < PIPES; i++)
		close_end(&run.pipes[i][1]);
	if (r == 0) {
		setpgid(run.pid, run.pid);
		pidfd = pidfd_open(run.pid, 0);
		attend(&run, pidfd);
		close_end(&pidfd);
		judge(&run);
	}
	for (int i = 0; i < PIPES; i++)
		close_end(&run.pipes[i][0]);
	close_end(&run.limit);
	if (r < 0)
		free(child->out);
	return r;
}
