/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024

int ctl_file_read(const char *path, char *text, size_t size)
{
	struct stat st;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n >= 0 && n < (ssize_t)size - 1 ? 0 : -1;
}

static int write_all(int fd, const char *text)
{
	size_t n = strlen(text);
	ssize_t r = 1;
	for (; n > 0 && r > 0; text += r, n -= (size_t)r)
		r = write(fd, text, n);
	return n == 0 && fsync(fd) == 0 && fchmod(fd, 0644) == 0 ? 0 : -1;
}

/* The name, too, is to be on the disk. */
static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	return r;
}

static int put(const char *path, const char *dir, char *temp, const char *text)
{
	int fd = mkostemp(temp, O_CLOEXEC);
	int r, error;
	if (fd < 0)
		return -1;
	r = write_all(fd, text);
	error = errno;
	if (close(fd) < 0 && r == 0) {
		r = -1;
		error = errno;
	}
	if (r == 0 && rename(temp, path) == 0)
		return sync_dir(dir);
	error = r == 0 ? errno : error;
	unlink(temp);
	errno = error;
	return -1;
}

int ctl_file_replace(const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	char dir[PATH_BYTES], temp[PATH_BYTES];
	int n = snprintf(dir, sizeof(dir), "%.*s", (int)(name - path), path);
	if (n < (int)sizeof(dir))
		n = snprintf(temp, sizeof(temp), "%s.%s.XXXXXX", dir, name);
	if (n >= (int)sizeof(temp)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return put(path, *dir != '\0' ? dir : ".", temp, text);
}

const char *ctl_file_remedy(int error, const char *otherwise)
{
	switch (error) {
	case EROFS:
		return "its file system is mounted to be read alone: mount it to "
		       "be written";
	case ENOSPC:
	case EDQUOT:
		return "make room there";
	case EIO:
		return "look at that disk: the kernel's log says more";
	default:
		return otherwise;
	}
}
