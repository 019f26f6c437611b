/* SPDX-License-Identifier: MIT */
#include "daemon/serve/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/base/remedy.h"
#include "daemon/manager/fdstore.h"
#include "daemon/serve/door.h"

#define BACKLOG 128
#define OWNER_BYTES 64
#define PATIENCE_NS (2 * CLOCK_S) /* for another slabd that starts or ends */

/* ---- who has a path ------------------------------------------------------ */

static int make_folder(struct sockaddr_un at)
{
	char *slash = strrchr(at.sun_path, '/');
	if (slash == NULL || slash == at.sun_path)
		return 0;
	*slash = '\0';
	return mkdir(at.sun_path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int connect_as(const struct sockaddr_un *at, int type, struct ucred *who)
{
	socklen_t bytes = sizeof(*who);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;
	if (fd < 0)
		return -errno;
	door_refuse(fd);
	r = connect(fd, (const void *)at, sizeof(*at)) < 0 ? -errno : 0;
	if (r == 0 && who != NULL &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &bytes) < 0)
		who->pid = 0;
	door_close(fd, NULL);
	return r;
}

/*
 * Whether nobody has the socket: 1, 0, or -errno where the kernel can't tell. A
 * datagram socket is refused by that alone, and finds one of another type even
 * before it listens; it leaves nothing in its backlog.
 */
static int is_dead(const struct sockaddr_un *at)
{
	int r = connect_as(at, SOCK_DGRAM, NULL);
	if (r == -ECONNREFUSED)
		return 1;
	return r == 0 || r == -EPROTOTYPE || r == -EPERM || r == -EAGAIN ? 0
	                                                                 : r;
}

/* Who listens, as far as it can be seen: "slabd (pid 7)". */
static const char *name_owner(const struct sockaddr_un *at,
                              char text[OWNER_BYTES])
{
	static const int types[] = {SOCK_SEQPACKET, SOCK_STREAM};
	for (int i = 0; i < 2; i++) {
		struct ucred who = {.pid = 0};
		char comm[16] = "process";
		if (connect_as(at, types[i], &who) < 0 || who.pid <= 0)
			continue;
		proc_name(who.pid, comm, sizeof(comm));
		snprintf(text, OWNER_BYTES, "%s (pid %d)", comm, who.pid);
		return text;
	}
	return "process";
}

static const char *kind_of(mode_t mode)
{
	if (S_ISLNK(mode))
		return "a symbolic link";
	if (S_ISDIR(mode))
		return "a folder";
	return S_ISREG(mode) ? "a file" : "something else";
}

/* Removes what a dead slabd left. 0 when the path is free now. quiet: the reason
 * why it is not was logged before. */
static int take_over(const struct sockaddr_un *at, bool quiet)
{
	enum log_level level = quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;
	char owner[OWNER_BYTES];
	struct stat st;
	int dead;
	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		log_at(level, "%s is there and is no socket, but %s: it is left "
		       "as it is; remove it, or name another path",
		       at->sun_path, kind_of(st.st_mode));
		return -EEXIST;
	}
	dead = is_dead(at);
	if (dead < 0 && dead != -ENOENT) {
		log_at(level, "whether somebody has %s can't be seen: %s; it is "
		       "left as it is: remove it if nobody has, or name another "
		       "path", at->sun_path, strerror(-dead));
		return -EEXIST;
	}
	if (dead == 0) {
		log_at(level, "%s is in use by a living %s: stop that one "
		       "(systemctl stop slabd), or name another path",
		       at->sun_path, name_owner(at, owner));
		return -EADDRINUSE;
	}
	log_info("%s was left by a slabd that is gone: taken over",
	         at->sun_path);
	return unlink(at->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * Of two that start at one path one looks, removes and binds after the other:
 * they lock its folder for that long. Whoever can read the folder could lock it
 * for ever: then it goes without. The lock, or -1.
 */
static int lock_folder(struct sockaddr_un at, int64_t patience_ns)
{
	const struct timespec pause = {.tv_nsec = 5 * CLOCK_MS};
	int64_t until_ns = clock_ns() + patience_ns;
	char *slash = strrchr(at.sun_path, '/');
	int fd;
	if (slash == NULL)
		return -1;
	slash[slash == at.sun_path] = '\0';
	fd = open(at.sun_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK && clock_ns() < until_ns) {
			nanosleep(&pause, NULL);
			continue;
		}
		log_debug("%s can't be locked: %s", at.sun_path,
		          strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static void unlock_folder(int fd)
{
	if (fd >= 0)
		close(fd);
}

static bool is_file(int pin, const char *path)
{
	struct stat there, ours;
	return pin >= 0 && lstat(path, &there) == 0 &&
	       fstat(pin, &ours) == 0 && there.st_ino == ours.st_ino &&
	       there.st_dev == ours.st_dev;
}

static int pin_file(const char *path)
{
	return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static void close_pin(struct listen_socket *at)
{
	if (at->pin >= 0)
		close(at->pin);
	at->pin = -1;
}

/* ---- bound -------------------------------------------------------------- */

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

/* What to do where a path can't be had. */
static const char *remedy_at(int error)
{
	switch (error) {
	case EROFS:
	case EACCES:
	case EPERM:
	case ENOTDIR:
	case ENOENT:
		return "let socket and control in slabd.conf name paths where "
		       "slabd may write, such as below /run/slabd";
	case ENOSPC:
	case EDQUOT:
		return "make room there";
	default:
		return remedy_of(error);
	}
}

static int listen_at(struct listen_socket *place, int64_t patience_ns)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int lock;
	int r;
	if (strlen(place->path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, place->path);
	r = make_folder(at);
	lock = lock_folder(at, patience_ns);
	if (r == 0)
		r = take_over(&at, place->quiet);
	if (r == 0)
		r = bind_at(&at, place);
	if (r >= 0)
		place->pin = pin_file(place->path);
	unlock_folder(lock);
	if (r < 0 && r != -EADDRINUSE && r != -EEXIST)
		log_at(place->quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		       "can't listen at %s: %s%s%s", place->path, strerror(-r),
		       remedy_at(-r)[0] != '\0' ? "; " : "", remedy_at(-r));
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
static void remove_file(const struct sockaddr_un *at)
{
	struct stat st;
	int lock;
	if (at->sun_family != AF_UNIX)
		return;
	lock = lock_folder(*at, PATIENCE_NS);
	if (lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    is_dead(at) == 1)
		unlink(at->sun_path);
	unlock_folder(lock);
}

static bool has_option(int fd, int option, int value)
{
	int is;
	socklen_t bytes = sizeof(is);
	return getsockopt(fd, SOL_SOCKET, option, &is, &bytes) == 0 &&
	       is == value;
}

/* Whether the file is that of fd, which listens: whoever connects there is told
 * that this process does. There is room for one more in its backlog meanwhile. */
static bool is_file_of(int fd, const struct sockaddr_un *at, int type)
{
	struct ucred who = {.pid = 0};
	int r;
	listen(fd, 2 * BACKLOG);
	r = connect_as(at, type, &who);
	listen(fd, BACKLOG);
	return r == -EAGAIN || (r == 0 && who.pid == getpid());
}

/* Whether fd, which outlived a slabd, is what clients of the path reach: it has
 * that type, listens and is bound there, and the file is its own. Mode and group
 * are then set anew. 1 it is, 0 it is not, or -errno with the reason logged. */
static int is_still_at(int fd, struct listen_socket *place)
{
	struct sockaddr_un at;
	struct stat st;
	int r;
	address_of(fd, &at);
	if (at.sun_family != AF_UNIX || strcmp(at.sun_path, place->path) != 0 ||
	    !has_option(fd, SO_TYPE, place->type) ||
	    !has_option(fd, SO_ACCEPTCONN, 1))
		return 0;
	if (lstat(place->path, &st) < 0) {
		r = errno == ENOENT ? 0 : -errno;
		if (r < 0)
			log_error("can't look at %s, which was kept: %s",
			          place->path, strerror(-r));
		return r;
	}
	place->pin = pin_file(place->path);
	if (S_ISSOCK(st.st_mode) && is_file_of(fd, &at, place->type) &&
	    is_file(place->pin, place->path) &&
	    set_owner(place->path, place->mode, place->gid) == 0)
		return 1;
	close_pin(place);
	return 0;
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
	remove_file(&old);
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
	fd = listen_at(at, PATIENCE_NS);
	if (fd < 0)
		return fd;
	at->fd = fd;
	at->origin = LISTEN_MADE;
	fdstore_put(at->name, fd);
	return 0;
}

/* Where it is bound, as people write it. */
static void name_given(struct listen_socket *at)
{
	struct sockaddr_un where = {.sun_family = AF_UNSPEC};
	socklen_t len = sizeof(where);
	size_t head = offsetof(struct sockaddr_un, sun_path);
	const char *text = where.sun_path;
	if (getsockname(at->fd, (void *)&where, &len) < 0 || len <= head)
		text = "an address without a name";
	else if (text[0] == '\0') /* abstract, as systemd writes it */
		where.sun_path[0] = '@';
	snprintf(at->given, sizeof(at->given), "%.107s", text);
}

void listen_given(struct listen_socket *at, int fd)
{
	struct sockaddr_un where;
	at->fd = fd;
	at->origin = LISTEN_GIVEN;
	door_refuse(fd);
	address_of(fd, &where);
	if (where.sun_family == AF_UNIX)
		at->pin = pin_file(where.sun_path);
	name_given(at);
}

const char *listen_path(const struct listen_socket *at)
{
	return at->origin == LISTEN_GIVEN ? at->given : at->path;
}

bool listen_is_there(const struct listen_socket *at)
{
	return at->pin < 0 || is_file(at->pin, listen_path(at));
}

int listen_again(struct listen_socket *at)
{
	struct listen_socket made = *at;
	int old;
	int fd;
	int r;
	if (at->origin == LISTEN_GIVEN)
		return -EPERM;
	made.pin = -1;
	fd = listen_at(&made, 0);
	if (fd < 0)
		return fd;
	/* The number stays, as it is listened to by that. */
	old = fcntl(at->fd, F_DUPFD_CLOEXEC, 0);
	if (at->hush != NULL)
		at->hush(at->arg, true);
	r = dup3(fd, at->fd, O_CLOEXEC) < 0 ? -errno : 0;
	if (at->hush != NULL)
		at->hush(at->arg, false);
	close(fd);
	close_pin(at);
	at->pin = made.pin;
	at->origin = LISTEN_MADE;
	fdstore_put(at->name, at->fd);
	if (old >= 0)
		door_close_listener(old);
	return r;
}

/* Not a file that came in its place. */
static void remove_own(const struct listen_socket *at)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	struct stat st;
	int lock;
	strcpy(where.sun_path, at->path);
	lock = lock_folder(where, PATIENCE_NS);
	if (is_file(at->pin, at->path))
		unlink(at->path);
	else if (lstat(at->path, &st) == 0)
		log_info("%s is no longer slabd's socket: it is left as it is",
		         at->path);
	unlock_folder(lock);
}

void listen_close(struct listen_socket *at, bool leave)
{
	if (at->fd < 0)
		return;
	if (at->origin == LISTEN_GIVEN || (leave && fdstore_has(at->name))) {
		close(at->fd);
	} else {
		remove_own(at);
		door_close_listener(at->fd);
		fdstore_drop(at->name);
	}
	at->fd = -1;
	close_pin(at);
}
