/* SPDX-License-Identifier: MIT */
#include "daemon/serve/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/base/log.h"

#define BACKLOG 128

static int make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;
	strncpy(folder, path, sizeof(folder) - 1);
	folder[sizeof(folder) - 1] = '\0';
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	if (mkdir(folder, 0755) == 0 || errno == EEXIST)
		return 0;
	return -errno;
}

/* Whether somebody answers at the address. */
static int is_alive(const struct sockaddr_un *at, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int alive;
	if (fd < 0)
		return -errno;
	alive = connect(fd, (const void *)at, sizeof(*at)) == 0 ||
	        errno == EAGAIN;
	close(fd);
	return alive;
}

/* Removes what a dead slabd left. 0 when the path is free now. */
static int take_over(const struct sockaddr_un *at, int type)
{
	struct stat st;
	int alive;
	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s is there and is no socket: remove it, or name "
		          "another path", at->sun_path);
		return -EEXIST;
	}
	alive = is_alive(at, type);
	if (alive < 0)
		return alive;
	if (alive) {
		log_error("%s is in use by a living slabd: stop that one "
		          "(systemctl stop slabd), or name another path",
		          at->sun_path);
		return -EADDRINUSE;
	}
	log_info("%s was left by a slabd that is gone: taken over",
	         at->sun_path);
	return unlink(at->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int let_in(const char *path, mode_t mode, gid_t gid)
{
	if (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		return -errno;
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int bind_at(int fd, const struct sockaddr_un *at, mode_t mode, gid_t gid)
{
	/* Nobody gets in before the mode is right. */
	mode_t old = umask(0777);
	int r = bind(fd, (const void *)at, sizeof(*at)) < 0 ? -errno : 0;
	umask(old);
	if (r == 0)
		r = let_in(at->sun_path, mode, gid);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	return r;
}

static int open_at(const struct sockaddr_un *at, int type, mode_t mode,
                   gid_t gid)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;
	if (fd < 0)
		return -errno;
	r = bind_at(fd, at, mode, gid);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int listen_at(const char *path, int type, mode_t mode, gid_t gid)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int r;
	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	r = make_folder(path);
	if (r == 0)
		r = take_over(&at, type);
	if (r == 0)
		r = open_at(&at, type, mode, gid);
	if (r < 0 && r != -EADDRINUSE && r != -EEXIST)
		log_error("can't listen at %s: %s", path, strerror(-r));
	return r;
}

void listen_address(int fd, struct sockaddr_un *at)
{
	socklen_t len = sizeof(*at);
	memset(at, 0, sizeof(*at));
	/* A path, in full: no abstract name. */
	if (getsockname(fd, (void *)at, &len) < 0 ||
	    at->sun_family != AF_UNIX || at->sun_path[0] != '/' ||
	    at->sun_path[sizeof(at->sun_path) - 1] != '\0')
		at->sun_family = AF_UNSPEC;
}

void listen_remove(const struct sockaddr_un *at, int type)
{
	struct stat st;
	if (at->sun_family == AF_UNIX && lstat(at->sun_path, &st) == 0 &&
	    S_ISSOCK(st.st_mode) && is_alive(at, type) == 0)
		unlink(at->sun_path);
}

int listen_still_at(int fd, const char *path, int type, mode_t mode, gid_t gid)
{
	struct stat st;
	int r = sd_is_socket_unix(fd, type, 1, path, 0);
	if (r > 0 && lstat(path, &st) < 0)
		r = errno == ENOENT ? 0 : -errno;
	else if (r > 0)
		r = S_ISSOCK(st.st_mode) && let_in(path, mode, gid) == 0;
	if (r < 0)
		log_error("can't look at %s, which was kept: %s", path,
		          strerror(-r));
	return r;
}
