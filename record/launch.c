/* SPDX-License-Identifier: MIT */
#include "record/launch.h"

#include "record/attach.h"
#include "record/fate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The terminal sends those to the program as well. */
static const int ignored[] = {SIGINT, SIGQUIT, SIGXFSZ, SIGPIPE};
static const int passed_on[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct sigaction kept[N_OF(ignored)], kept_child;
static sigset_t mask; /* as it was */
static sigset_t heard;

void launch_signals(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction usual = {.sa_handler = SIG_DFL};
	sigemptyset(&heard);
	sigaddset(&heard, SIGCHLD);
	for (size_t i = 0; i < N_OF(passed_on); i++)
		sigaddset(&heard, passed_on[i]);
	sigprocmask(SIG_BLOCK, &heard, &mask);
	for (size_t i = 0; i < N_OF(ignored); i++)
		sigaction(ignored[i], &ignore, &kept[i]);
	sigaction(SIGCHLD, &usual, &kept_child);
}

static void give_signals(void)
{
	for (size_t i = 0; i < N_OF(ignored); i++)
		sigaction(ignored[i], &kept[i], NULL);
	sigaction(SIGCHLD, &kept_child, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Ours comes first, so that others that are preloaded are what it passes to. */
static int set_environment(const struct options *options, const char *named)
{
	const char *others = getenv("LD_PRELOAD");
	char *list;
	int r = -1;
	if (others == NULL || others[0] == '\0') {
		list = strdup(options->preload);
	} else if (asprintf(&list, "%s:%s", options->preload, others) < 0) {
		list = NULL;
	}
	if (list != NULL)
		r = setenv("LD_PRELOAD", list, 1) |
		    setenv(ATTACH_VARIABLE, named, 1);
	free(list);
	return r;
}

/* Where execvp would find it; "" where it would not. */
static void find_program(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH");
	snprintf(path, size, "%s", name);
	if (strchr(name, '/') != NULL || dirs == NULL)
		return;
	for (size_t n; *dirs != '\0'; dirs += n + (dirs[n] == ':')) {
		n = strcspn(dirs, ":");
		snprintf(path, size, "%.*s/%s", (int)n, dirs, name);
		if (access(path, X_OK) == 0)
			return;
	}
	path[0] = '\0';
}

static bool is_script(const char *name)
{
	char path[PATH_MAX];
	char first[2] = "";
	int fd;
	bool is;
	find_program(name, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	is = fd >= 0 && read(fd, first, sizeof(first)) == sizeof(first) &&
	     memcmp(first, "#!", sizeof(first)) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

/* In the child. What went wrong goes through the pipe, which exec closes. */
static void become(const struct options *options, struct ring_file *file,
                   const char *named, int told)
{
	int err = ENOMEM;
	file->program = getpid();
	give_signals();
	if (set_environment(options, named) == 0) {
		execvp(options->program[0], options->program);
		err = errno;
	}
	if (write(told, &err, sizeof(err)) < 0)
		_exit(FATE_FAILED);
	_exit(FATE_NOT_RUN);
}

static int say_not_run(const struct options *options, int err)
{
	fprintf(stderr, "slab-record: cannot run %s: %s\n", options->program[0],
	        strerror(err));
	return err == ENOENT ? FATE_NOT_FOUND : FATE_NOT_RUN;
}

static int say_failed(const char *what)
{
	fprintf(stderr, "slab-record: %s: %s\n", what, strerror(errno));
	return FATE_FAILED;
}

int launch_start(struct launch *launch, const struct options *options,
                 struct ring_file *file, int fd)
{
	char named[64];
	int told[2], err;
	ssize_t n;
	snprintf(named, sizeof(named), "/proc/%d/fd/%d", (int)getpid(), fd);
	if (pipe2(told, O_CLOEXEC) < 0)
		return say_failed("no pipe");
	launch->follow = options->follow;
	launch->is_script = is_script(options->program[0]);
	if (launch->follow && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return say_failed("no --follow");
	launch->pid = fork();
	if (launch->pid < 0)
		return say_failed("no process for the program");
	if (launch->pid == 0)
		become(options, file, named, told[1]);
	close(told[1]);
	do
		n = read(told[0], &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(told[0]);
	if (n == 0)
		return 0;
	waitpid(launch->pid, NULL, 0);
	return say_not_run(options, n == sizeof(err) ? err : EIO);
}

/* With follow those whose parents are gone are children of slab-record's: when
 * it has none, all have ended. */
static void look(struct launch *launch)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(launch->follow ? -1 : launch->pid, &status,
	                      WNOHANG)) > 0)
		if (pid == launch->pid)
			launch->status =
				WIFSIGNALED(status)
					? FATE_SIGNAL + WTERMSIG(status)
					: WEXITSTATUS(status);
	launch->has_ended = pid < 0;
}

void launch_nap(struct launch *launch, unsigned ms)
{
	struct timespec limit = {ms / 1000, ms % 1000 * 1000000L};
	int signal = sigtimedwait(&heard, NULL, &limit);
	if (signal > 0 && signal != SIGCHLD &&
	    waitid(P_PID, (id_t)launch->pid, &(siginfo_t){0},
	           WEXITED | WNOHANG | WNOWAIT) == 0)
		kill(launch->pid, signal);
	look(launch);
}
