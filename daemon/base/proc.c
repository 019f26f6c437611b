/* SPDX-License-Identifier: MIT */
#include "daemon/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIELDS_BEFORE 20 /* of proc_pid_stat(5), from the state on */

int proc_ticks(int32_t pid, uint64_t *ticks)
{
	char line[1024];
	char path[40];
	char *at;
	ssize_t n;
	int fd;
	*ticks = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	/* The name before it may hold anything, brackets and spaces too. */
	at = strrchr(line, ')');
	for (int i = 0; at != NULL && i < FIELDS_BEFORE; i++)
		at = strchr(at + 1, ' ');
	return at != NULL && sscanf(at, " %" SCNu64, ticks) == 1 ? 0 : -EIO;
}

int proc_open(int32_t pid, uint64_t ticks)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t now;
	int r;
	if (fd < 0)
		return -errno;
	if (ticks == 0)
		return fd;
	/* The number was this process's when the descriptor was made, if it
	 * is now: another could only have come after its end. */
	r = proc_ticks(pid, &now);
	if (r == 0 && now == ticks)
		return fd;
	close(fd);
	return r == 0 ? -ESRCH : r;
}
