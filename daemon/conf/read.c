/* SPDX-License-Identifier: MIT */
#include "daemon/conf/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 5000 /* for whoever writes to a pipe */
#define SUFFIX ".conf"

const char *config_shown(const char *path)
{
	size_t n = strlen(path);
	return n > CONFIG_SHOWN_BYTES ? path + n - CONFIG_SHOWN_BYTES : path;
}

/* The bytes, at most as many as there is room for, or -errno. What is no file but
 * a pipe or a terminal, where nobody may ever write, does not hold the start up. */
static ssize_t read_all(int fd, char *text, size_t room)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	size_t n = 0;
	ssize_t r = 1;
	while (r > 0 && n < room) {
		int any = poll(&ready, 1, WAIT_MS);
		if (any == 0)
			return -ETIMEDOUT;
		r = any < 0 ? any : read(fd, text + n, room - n);
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			r = 1;
		else if (r > 0)
			n += (size_t)r;
	}
	return r < 0 ? -errno : (ssize_t)n;
}

ssize_t config_read(const char *path, char *text, struct config_error *err)
{
	const char *shown = config_shown(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;
	if (fd < 0) {
		config_error_add(err, "%s: can't be opened: %s; allowed: a "
		                 "file that slabd may read, or no --config for "
		                 "the defaults", shown, strerror(errno));
		return -1;
	}
	n = read_all(fd, text, CONFIG_FILE_BYTES + 1);
	close(fd);
	if (n == -ETIMEDOUT)
		config_error_add(err, "%s: no file, and nobody writes there; "
		                 "allowed: a regular file that slabd may read",
		                 shown);
	else if (n < 0)
		config_error_add(err, "%s: can't be read: %s; allowed: a "
		                 "regular file that slabd may read", shown,
		                 strerror((int)-n));
	else if (n > (ssize_t)CONFIG_FILE_BYTES)
		config_error_add(err, "%s: over 1 MiB, so no configuration; "
		                 "allowed: an INI file", shown);
	else
		return n;
	return -1;
}

/* What editors and packages leave beside it is none. */
static int is_dropin(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);
	return entry->d_name[0] != '.' && n > strlen(SUFFIX) &&
	       strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int config_each_dropin(const char *path, struct config_error *err,
                       int (*one)(void *arg, const char *path), void *arg)
{
	struct dirent **entry = NULL;
	char dir[4096], file[4096 + 256];
	int n;
	int r = 0;
	if (snprintf(dir, sizeof(dir), "%s.d", path) >= (int)sizeof(dir))
		return 0;
	n = scandir(dir, &entry, is_dropin, by_name);
	if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (n < 0) {
		config_error_add(err, "%s: can't be read: %s; allowed: a folder "
		                 "that slabd may read, or none",
		                 config_shown(dir), strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, entry[i]->d_name);
		if (one(arg, file) < 0)
			r = -1;
		free(entry[i]);
	}
	free(entry);
	return r < 0 ? r : n;
}
