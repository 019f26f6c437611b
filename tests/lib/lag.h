/* SPDX-License-Identifier: MIT */
/*
 * How long something took, less what the kernel kept its thread waiting for a
 * processor, and one or two processes that it waits for: what a bound on a call
 * is about. Where the kernel does not count that (schedstat), all of it.
 */
#ifndef TESTS_LIB_LAG_H
#define TESTS_LIB_LAG_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct lag {
	double since_ms;
	double self_ms;
	pid_t pid[2];
	double other_ms[2];
};

static inline double lag_now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* What a thread has waited so far; its file says: ran, waited, how often. */
static inline double lag_of_thread(const char *path)
{
	char text[96] = "";
	char *at = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	strtoull(text, &at, 10);
	return (double)strtoull(at, NULL, 10) / 1e6;
}

static inline double lag_of_process(pid_t pid)
{
	const struct dirent *entry;
	char path[320];
	double sum = 0;
	DIR *dir;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = pid > 0 ? opendir(path) : NULL;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat",
		         (int)pid, entry->d_name);
		sum += entry->d_name[0] == '.' ? 0 : lag_of_thread(path);
	}
	if (dir != NULL)
		closedir(dir);
	return sum;
}

/* From here on; a process that is none is 0. */
static inline struct lag lag_begin(pid_t one, pid_t two)
{
	struct lag lag = {.pid = {one, two}};
	lag.self_ms = lag_of_thread("/proc/thread-self/schedstat");
	for (int i = 0; i < 2; i++)
		lag.other_ms[i] = lag_of_process(lag.pid[i]);
	lag.since_ms = lag_now_ms();
	return lag;
}

/* Up to here. */
static inline double lag_ms(const struct lag *lag)
{
	double ms = lag_now_ms() - lag->since_ms;
	ms -= lag_of_thread("/proc/thread-self/schedstat") - lag->self_ms;
	for (int i = 0; i < 2; i++) {
		double waited = lag_of_process(lag->pid[i]) - lag->other_ms[i];
		ms -= waited > 0 ? waited : 0;
	}
	return ms > 0 ? ms : 0;
}

#endif
