/* SPDX-License-Identifier: MIT */
#include "daemon/serve/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/serve/door.h"

#define BACKLOG 128

/* ---- bound -------------------------------------------------------------- */

static int make_folder(struct sockaddr_un at)
{
	char *slash = strrchr(at.sun_path, '/');
	if (slash == NULL || slash == at.sun_path)
		return 0;
	*slash = '\0';
	return mkdir(at.sun_path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Whether somebody answers at the address: the process that listens, or 1 where
 * the kernel can't tell. */
static int is_alive(const struct sockaddr_un *at, int type)
{
	struct ucred who = {.pid = 0};
	socklen_t bytes = sizeof(who);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int alive;
	if (fd < 0)
		return -errno;
	door_refuse(fd);
	alive = connect(fd, (const void *)at, sizeof(*at)) == 0 ||
	        errno == EAGAIN;
	if (alive && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 &&
	    who.pid > 0)
		alive = who.pid;
	door_close(fd, NULL);
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
		log_error("%s is in use by a living slabd (pid %d): stop that "
		          "one (systemctl stop slabd), or name another path",
		          at->sun_path, alive);
		return -EADDRINUSE;
	}
	log_info("%s was left by a slabd that is gone: taken over",
	         at->sun_path);
	return unlink(at->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int set_owner(const char *path, mode_t mode, gid_t gid)
{
	if (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		return -errno;
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int bind_at(const struct sockaddr_un *at,
                   const struct listen_socket *place)
{
	int fd = socket(AF_UNIX, place->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int r;
	if (fd < 0)
		return -errno;
	door_refuse(fd);
	/* Nobody gets in before the mode is right. */
	old = umask(0777);
	r = bind(fd, (const void *)at, sizeof(*at)) < 0 ? -errno : 0;
	umask(old);
	if (r == 0)
		r = set_owner(at->sun_path, place->mode, place->gid);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int listen_at(const struct listen_socket *place)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int r;
	if (strlen(place->path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, place->path);
	r = make_folder(at);
	if (r == 0)
		r = take_over(&at, place->type);
	if (r == 0)
		r = bind_at(&at, place);
	if (r < 0 && r != -EADDRINUSE && r != -EEXIST)
		log_error("can't listen at %s: %s", place->path, strerror(-r));
	return r;
}

/* ---- kept --------------------------------------------------------------- */

/* Where fd is bound; AF_UNSPEC: at no path. */
static void address_of(int fd, struct sockaddr_un *at)
{
	socklen_t len = sizeof(*at);
	memset(at, 0, sizeof(*at));
	/* A path, in full: no abstract name. */
	if (getsockname(fd, (void *)at, &len) < 0 ||
	    at->sun_family != AF_UNIX || at->sun_path[0] != '/' ||
	    at->sun_path[sizeof(at->sun_path) - 1] != '\0')
		at->sun_family = AF_UNSPEC;
}

/* Removes a socket's file, unless somebody answers there. */
static void remove_file(const struct sockaddr_un *at, int type)
{
	struct stat st;
	if (at->sun_family == AF_UNIX && lstat(at->sun_path, &st) == 0 &&
	    S_ISSOCK(st.st_mode) && is_alive(at, type) == 0)
		unlink(at->sun_path);
}

static bool has_option(int fd, int option, int value)
{
	int is;
	socklen_t bytes = sizeof(is);
	return getsockopt(fd, SOL_SOCKET, option, &is, &bytes) == 0 &&
	       is == value;
}

/* Whether fd, which outlived a slabd, is what clients of the path reach: it has
 * that type, listens and is bound there, and the file is there. Mode and group
 * are then set anew. 1 it is, 0 it is not, or -errno with the reason logged. */
static int is_still_at(int fd, const struct listen_socket *place)
{
	struct sockaddr_un at;
	struct stat st;
	int r;
	address_of(fd, &at);
	if (at.sun_family != AF_UNIX || strcmp(at.sun_path, place->path) != 0 ||
	    !has_option(fd, SO_TYPE, place->type) ||
	    !has_option(fd, SO_ACCEPTCONN, 1))
		return 0;
	if (lstat(place->path, &st) == 0)
		return S_ISSOCK(st.st_mode) &&
		       set_owner(place->path, place->mode, place->gid) == 0;
	r = errno == ENOENT ? 0 : -errno;
	if (r < 0)
		log_error("can't look at %s, which was kept: %s", place->path,
		          strerror(-r));
	return r;
}

static void forget(int fd, const struct listen_socket *place)
{
	struct sockaddr_un old;
	address_of(fd, &old);
	door_close_listener(fd);
	log_info("%s was kept and is not the socket at %s: that is made anew",
	         place->name, place->path);
	fdstore_drop(place->name);
	/* As long as the manager has it, somebody seems to answer. */
	fdstore_barrier();
	remove_file(&old, place->type);
}

/* ---- open and close ----------------------------------------------------- */

int listen_open(struct listen_socket *at)
{
	int fd = fdstore_take(at->name);
	int still = fd < 0 ? 0 : is_still_at(fd, at);
	if (still > 0) {
		door_refuse(fd);
		/* It is this process now that listens, for who asks. */
		listen(fd, BACKLOG);
		at->fd = fd;
		at->origin = LISTEN_KEPT;
		return 0;
	}
	if (still < 0) {
		close(fd);
		return still;
	}
	if (fd >= 0)
		forget(fd, at);
	fd = listen_at(at);
	if (fd < 0)
		return fd;
	at->fd = fd;
	at->origin = LISTEN_MADE;
	fdstore_put(at->name, fd);
	return 0;
}

void listen_close(struct listen_socket *at, bool leave)
{
	if (at->fd < 0)
		return;
	if (at->origin == LISTEN_GIVEN || (leave && fdstore_has(at->name))) {
		close(at->fd);
		at->fd = -1;
		return;
	}
	door_close_listener(at->fd);
	at->fd = -1;
	unlink(at->path);
	fdstore_drop(at->name);
}
