/* SPDX-License-Identifier: MIT */
#include "daemon/manager/supervise_place.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEM "slabd-supervise."
#define FILE_NAME "/notify"

/* ---- what was left ------------------------------------------------------ */

/* A folder of ours, which others could not have filled. */
static bool is_ours(const char *folder)
{
	struct stat st;
	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

/* Whether nobody has the socket: it was left, or not bound yet, and whoever is
 * about to do that makes another folder. */
static bool is_dead(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead;
	if (fd < 0)
		return false;
	dead = connect(fd, (const void *)at, sizeof(*at)) < 0 &&
	       errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static void remove_if_dead(const char *base, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char folder[sizeof(at.sun_path)];
	size_t n = (size_t)snprintf(folder, sizeof(folder), "%s/%s", base,
	                            name);
	if (n + sizeof(FILE_NAME) > sizeof(at.sun_path) || !is_ours(folder))
		return;
	memcpy(at.sun_path, folder, n);
	memcpy(at.sun_path + n, FILE_NAME, sizeof(FILE_NAME));
	if (is_dead(&at)) {
		unlink(at.sun_path);
		rmdir(folder);
	}
}

static void remove_dead(const char *base)
{
	DIR *dir = opendir(base);
	const struct dirent *entry;
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, STEM, sizeof(STEM) - 1) == 0)
			remove_if_dead(base, entry->d_name);
	closedir(dir);
}

/* ---- one's own ---------------------------------------------------------- */

static int bind_notify(const struct supervise_place *place)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;
	int r;
	if (fd < 0)
		return -errno;
	strcpy(at.sun_path, place->path);
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0 &&
	    bind(fd, (const void *)&at, sizeof(at)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int open_below(struct supervise_place *place, const char *base)
{
	size_t max = sizeof(place->path) - sizeof(FILE_NAME);
	size_t n;
	int fd;
	if (base == NULL || base[0] != '/')
		return -ENOENT;
	n = (size_t)snprintf(place->path, sizeof(place->path), "%s/%sXXXXXX",
	                     base, STEM);
	if (n > max)
		return -ENAMETOOLONG;
	remove_dead(base);
	if (mkdtemp(place->path) == NULL)
		return -errno;
	strcpy(place->path + n, FILE_NAME);
	fd = bind_notify(place);
	if (fd < 0)
		supervise_place_close(place);
	return fd;
}

int supervise_place_open(struct supervise_place *place)
{
	const char *const bases[] = {getenv("RUNTIME_DIRECTORY"),
	                             getenv("XDG_RUNTIME_DIR"),
	                             geteuid() == 0 ? "/run" : NULL, "/tmp"};
	int r = -ENOENT;
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]) && r < 0; i++)
		r = open_below(place, bases[i]);
	return r;
}

void supervise_place_close(const struct supervise_place *place)
{
	char folder[sizeof(place->path)];
	strcpy(folder, place->path);
	unlink(folder);
	*strrchr(folder, '/') = '\0';
	rmdir(folder);
}
