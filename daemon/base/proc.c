/* SPDX-License-Identifier: MIT */
#include "daemon/base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#define PIDFS_KIND 0x50494446 /* PIDFS_MAGIC */

/* Of proc_pid_stat(5): fields between the name and the one that is read. */
#define TO_STARTTIME 20
#define TO_PROCESSOR 37

/* Reads a file of a process. 0 with the text and its end in out. */
static int read_file(int32_t pid, const char *name, char *out, size_t bytes)
{
	char path[64];
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

static int read_number(int32_t pid, const char *name, int skipped,
                       uint64_t *number)
{
	char line[1024];
	char *at;
	int r = read_file(pid, name, line, sizeof(line));
	*number = 0;
	if (r < 0)
		return r;
	/* The name before it may hold anything, brackets and spaces too. */
	at = strrchr(line, ')');
	for (int i = 0; at != NULL && i < skipped; i++)
		at = strchr(at + 1, ' ');
	return at != NULL && sscanf(at, " %" SCNu64, number) == 1 ? 0 : -EIO;
}

static int read_stat(int32_t pid, int skipped, uint64_t *number)
{
	return read_number(pid, "stat", skipped, number);
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

bool proc_is_stopped(int32_t pid)
{
	char line[1024];
	const char *at = NULL;
	if (read_file(pid, "stat", line, sizeof(line)) == 0)
		at = strrchr(line, ')');
	return at != NULL && (strncmp(at, ") T", 3) == 0 ||
	                      strncmp(at, ") t", 3) == 0);
}

int proc_threads(int32_t pid, unsigned most,
                 void (*call)(void *arg, unsigned cpu), void *arg)
{
	char path[40];
	DIR *tasks;
	const struct dirent *task;
	int n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((task = readdir(tasks)) != NULL) {
		char name[40];
		uint64_t cpu;
		if (task->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "task/%.20s/stat", task->d_name);
		if ((unsigned)n < most &&
		    read_number(pid, name, TO_PROCESSOR, &cpu) == 0)
			call(arg, (unsigned)cpu);
		n++;
	}
	closedir(tasks);
	return n;
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

bool proc_is_traced(int32_t pid)
{
	static const char key[] = "TracerPid:\t";
	char text[1024];
	const char *at;
	if (read_file(pid, "status", text, sizeof(text)) < 0)
		return false;
	at = strstr(text, key);
	return at != NULL && at[sizeof(key) - 1] != '0';
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

int proc_of_peer(int sock)
{
	int fd = -1;
	socklen_t bytes = sizeof(fd);
	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &bytes) == 0)
		return fd;
	return -errno;
}

/* Since Linux 6.9 a process has a file of its own in a file system of them. */
static bool has_own_file(int fd, struct stat *st)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && fs.f_type == PIDFS_KIND &&
	       fstat(fd, st) == 0;
}

/* The number of a pidfd's process, which lives; 0: it is not seen from here, or
 * has ended. */
static int32_t number_of(int fd)
{
	char path[40];
	char line[256];
	int32_t pid = 0;
	FILE *info;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	while (info != NULL && fgets(line, sizeof(line), info) != NULL)
		if (sscanf(line, "Pid: %" SCNd32, &pid) == 1)
			break;
	if (info != NULL)
		fclose(info);
	return pid > 0 ? pid : 0;
}

int proc_is_same(int a, int b)
{
	struct stat one;
	struct stat other;
	int32_t pid;
	if (has_own_file(a, &one) && has_own_file(b, &other))
		return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
	/* Two that both live differ in their number. */
	pid = number_of(a);
	if (pid == 0 || number_of(b) == 0)
		return -ENOTSUP;
	return number_of(b) == pid && number_of(a) == pid;
}
