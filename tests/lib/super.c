/* SPDX-License-Identifier: MIT */
#include "tests/lib/super.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct child guard;
static pid_t *served; /* the last slabd seen */
static bool managed;
static void (*prepare)(void);

/* ---- processes ---------------------------------------------------------- */

/* A slabd outlives its supervisor. */
static void start_guard(void)
{
	sigset_t term;
	pid_t parent = getpid();
	served = shared_memory(sizeof(*served));
	guard.fd = -1;
	guard.pid = fork();
	if (guard.pid != 0)
		return;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	alarm(0);
	if (getppid() == parent)
		sigwaitinfo(&term, NULL);
	if (*served > 0)
		kill(*served, SIGKILL);
	_exit(0);
}

void super_end(void)
{
	if (served != NULL)
		child_kill(&guard);
}

const char *super_program(const char *name)
{
	static char path[512];
	const char *builddir = getenv("builddir");
	snprintf(path, sizeof(path), "%s/%s", builddir != NULL ? builddir : ".",
	         name);
	return path;
}

void super_setup(void (*setup)(void))
{
	prepare = setup;
}

void super_spawn(struct fixture *fixture, const char *path,
                 const struct manager_given *given)
{
	if (served == NULL)
		start_guard();
	managed = given != NULL;
	if (path == NULL)
		path = super_program("daemon/slabd");
	unlink(fixture->log);
	if (!fixture_fork(fixture)) {
		prepare = NULL;
		return;
	}
	if (prepare != NULL)
		prepare();
	unsetenv("NOTIFY_SOCKET");
	dup2(STDERR_FILENO, SUPER_INHERITED);
	if (managed)
		manager_environment(given);
	execl(path, path, "--supervise", "--config", fixture->config,
	      "--socket", fixture->socket, "--control", fixture->control,
	      managed ? NULL : "--foreground", (char *)NULL);
	_exit(127);
}

pid_t super_next(struct fixture *fixture, pid_t before)
{
	double until = now_ms() + SURELY_MS;
	while (now_ms() < until) {
		long long pid = fixture_number(fixture, "/status", "pid");
		if (pid > 0 && pid != before) {
			*served = (pid_t)pid;
			return (pid_t)pid;
		}
		if (managed)
			manager_next(1);
		sleep_ms(1);
	}
	return 0;
}

pid_t super_start(struct fixture *fixture)
{
	pid_t pid;
	super_spawn(fixture, NULL, NULL);
	pid = super_next(fixture, 0);
	if (pid == 0)
		tap_bail("no slabd answers");
	return pid;
}

pid_t super_kill(struct fixture *fixture, pid_t pid)
{
	kill(pid, SIGKILL);
	pid = super_next(fixture, pid);
	if (pid == 0)
		tap_bail("no slabd answers after it was killed");
	return pid;
}

void super_stop(struct fixture *fixture, pid_t pid, const char *name)
{
	fixture_signal(fixture, SIGTERM);
	tap_ok(super_ended(fixture_wait(fixture, SURELY_MS), 0),
	       "%s: SIGTERM ends the supervisor with 0", name);
	tap_ok(super_is_gone(pid, 0), "and slabd before it");
	tap_ok(access(fixture->socket, F_OK) < 0 &&
	               access(fixture->control, F_OK) < 0,
	       "and no socket is left");
}

bool super_ended(int status, int code)
{
	return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* One that nobody waits for is dead all the same, and so is one that is being
 * waited for just now. */
static bool is_dead(pid_t pid)
{
	const char *state = super_status(pid, "State:\t");
	return *state == '\0' || *state == 'Z' || *state == 'X';
}

bool super_is_gone(pid_t pid, unsigned ms)
{
	double until = now_ms() + ms;
	while (!is_dead(pid) && now_ms() < until)
		sleep_ms(1);
	return is_dead(pid);
}

/* ---- what /proc knows --------------------------------------------------- */

static char text[1 << 16];

const char *super_proc(pid_t pid, const char *name)
{
	char path[64];
	size_t n = 0;
	ssize_t got;
	int fd;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd);
	return text;
}

const char *super_status(pid_t pid, const char *key)
{
	char *at = strstr(super_proc(pid, "status"), key);
	if (at == NULL)
		return "";
	at += strlen(key);
	at[strcspn(at, "\n")] = '\0';
	return at;
}

const char *super_variable(pid_t pid, const char *name)
{
	size_t len = strlen(name);
	const char *at = super_proc(pid, "environ");
	while (*at != '\0') {
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return at + len + 1;
		at += strlen(at) + 1;
	}
	return "";
}

bool super_has_fd(pid_t pid, int fd)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	return lstat(path, &st) == 0;
}
