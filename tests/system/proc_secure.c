/* SPDX-License-Identifier: MIT */
/*
 * A program that has more rights than who starts it (set-user-ID) and uses the
 * library: who starts it does not name the slabd that it trusts. The test is
 * that program, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define NOBODY 65534
#define SYSTEMS "/run/slabd/slabd.sock"

enum { FOLLOWED = 10, NOT_SECURE, OTHER_ERROR, NOT_BY_NAME };

static struct fixture fixture;

/* The program: its exit status. */
static int be_secure(const char *socket)
{
	struct slabd_options by_name = {.socket = socket};
	slabd_pool *pool = slabd_open(NULL, NULL);
	if (getauxval(AT_SECURE) == 0)
		return NOT_SECURE;
	if (pool != NULL)
		return FOLLOWED;
	if (strstr(slabd_last_error(), SYSTEMS) == NULL ||
	    strstr(slabd_last_error(), "SLABD_SOCKET is not followed") == NULL)
		return OTHER_ERROR;
	/* What the program itself names is as good as ever. */
	pool = slabd_open(NULL, &by_name);
	if (pool == NULL)
		return NOT_BY_NAME;
	slabd_close(pool);
	return 0;
}

static void copy_self(const char *to)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;
	while ((n = sendfile(fd, from, NULL, 1 << 20)) > 0)
		continue;
	if (n < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 04755) < 0)
		tap_bail("%s: %s", to, strerror(errno));
	close(fd);
	close(from);
}

/* Started by a user whose environment names a slabd of his. */
static int run_as_user(const char *program)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		setenv("SLABD_SOCKET", fixture.socket, 1);
		setenv("XDG_RUNTIME_DIR", fixture.dir, 1);
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 ||
		    setuid(NOBODY) < 0)
			_exit(96);
		execl(program, program, "--secure", fixture.socket,
		      (char *)NULL);
		_exit(97);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *why_not(void)
{
	struct statvfs fs;
	if (geteuid() != 0)
		return "not root";
	if (statvfs(fixture.dir, &fs) < 0 || (fs.f_flag & ST_NOSUID) != 0)
		return "no set-user-ID in the test's folder";
	if (access(SYSTEMS, F_OK) == 0)
		return "the system has a slabd";
	return NULL;
}

int main(int argc, char **argv)
{
	char program[100];
	const char *why;
	if (argc == 3 && strcmp(argv[1], "--secure") == 0)
		return be_secure(argv[2]);
	tap_start(60);
	fixture_open(&fixture, "[slabd]\nsocket_mode = 0666\n"
	                       "[pool default]\npage = 4k\nmax = 8M\n");
	why = why_not();
	if (why != NULL) {
		tap_skip(why, "a set-user-ID program");
	} else {
		snprintf(program, sizeof(program), "%s/program", fixture.dir);
		copy_self(program);
		tap_is(run_as_user(program), 0,
		       "a set-user-ID program follows neither SLABD_SOCKET nor "
		       "XDG_RUNTIME_DIR");
		unlink(program);
	}
	fixture_close(&fixture);
	return tap_end();
}
