/* SPDX-License-Identifier: MIT */
#include "daemon/manager/supervise_end.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *supervise_describe(int status)
{
	static char how[64];
	const char *signal;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SUPERVISE_AGAIN)
		return "made way for its successor";
	if (WIFEXITED(status))
		snprintf(how, sizeof(how), "ended with status %d",
		         WEXITSTATUS(status));
	else if ((signal = sigabbrev_np(WTERMSIG(status))) != NULL)
		snprintf(how, sizeof(how), "was killed by SIG%s", signal);
	else
		snprintf(how, sizeof(how), "was killed by signal %d",
		         WTERMSIG(status));
	return how;
}

int supervise_program(char path[PATH_MAX])
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *end;
	if (n < 0)
		return -errno;
	path[n] = '\0';
	end = path + n - (n > 10 ? 10 : n);
	if (strcmp(end, gone) == 0)
		*end = '\0';
	return 0;
}
