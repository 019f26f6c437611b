/* SPDX-License-Identifier: MIT */
#include "daemon/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of proc_pid_stat(5): fields between the name and the one that is read. */
#define TO_STARTTIME 20
#define TO_PROCESSOR 37

/* Reads a file of a process. 0 with the text and its end in out. */
static int read_file(int32_t pid, const char *name, char *out, size_t bytes)
{
	char path[40];
	ssize_t n;
	int fd, r;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, out, bytes - 1);
	r = n < 0 ? -errno : 0;
	close(fd);
	if (n >= 0)
		out[n] = '\0';
	return r;
}

static int read_stat(int32_t pid, int skipped, uint64_t *number)
{
	char line[1024];
	char *at;
	int r = read_file(pid, "stat", line, sizeof(line));
	*number = 0;
	if (r < 0)
		return r;
	/* The name before it may hold anything, brackets and spaces too. */
	at = strrchr(line, ')');
	for (int i = 0; at != NULL && i < skipped; i++)
		at = strchr(at + 1, ' ');
	return at != NULL && sscanf(at, " %" SCNu64, number) == 1 ? 0 : -EIO;
}

int proc_ticks(int32_t pid, uint64_t *ticks)
{
	return read_stat(pid, TO_STARTTIME, ticks);
}

int proc_cpu(int32_t pid, unsigned *cpu)
{
	uint64_t number;
	int r = read_stat(pid, TO_PROCESSOR, &number);
	*cpu = (unsigned)number;
	return r;
}

int proc_name(int32_t pid, char *out, size_t bytes)
{
	char line[64];
	int r = read_file(pid, "comm", line, sizeof(line));
	if (r < 0)
		return r;
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, bytes, "%s", line);
	return 0;
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
