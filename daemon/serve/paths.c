/* SPDX-License-Identifier: MIT */
#include "daemon/serve/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/watch/wake.h"

#define SETTLE_NS (50 * CLOCK_MS)  /* a folder that goes is gone by then */
#define AGAIN_NS CLOCK_S
#define AGAIN_MAX_NS (60 * CLOCK_S)

static struct paths {
	int fd;
	struct event *on_change;
	int mounts;
	struct event *on_mount;
	struct event *look;
	int64_t again_ns;
} paths = {.fd = -1, .mounts = -1};

/* A removal changes a file's count of links. */
static void watch(const struct listen_socket *at)
{
	char path[108];
	char *slash;
	bool good;
	if (paths.fd < 0 || at->pin < 0)
		return;
	snprintf(path, sizeof(path), "%s", listen_path(at));
	good = inotify_add_watch(paths.fd, path,
	                         IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF |
	                                 IN_DONT_FOLLOW) >= 0;
	while ((slash = strrchr(path, '/')) != NULL && slash != path) {
		*slash = '\0';
		good &= inotify_add_watch(paths.fd, path,
		                          IN_MOVE_SELF | IN_ONLYDIR) >= 0;
	}
	if (!good && errno != ENOENT)
		log_warn("%s is not watched, should it be removed: %s",
		         listen_path(at), strerror(errno));
}

/* Whether it is to be looked at again. */
static bool mend(struct listen_socket *at)
{
	bool quiet = at->quiet;
	int r;
	if (at->fd < 0 || listen_is_there(at))
		return false;
	if (!quiet)
		log_warn("%s was removed or replaced under slabd, or mounted "
		         "over: nobody can connect there any more",
		         listen_path(at));
	at->quiet = true;
	if (at->origin == LISTEN_GIVEN) {
		if (!quiet)
			log_error("%s is the service manager's own: restart its "
			          "unit (systemctl restart slabd.socket)",
			          listen_path(at));
		return false;
	}
	at->quiet = quiet;
	r = listen_again(at);
	at->quiet = r < 0;
	if (r < 0)
		return true;
	log_info("%s is slabd's socket again", at->path);
	watch(at);
	return !listen_is_there(at);
}

static void on_look(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool again = mend(&server->clients);
	again |= mend(&server->control);
	if (!again) {
		paths.again_ns = AGAIN_NS;
		return;
	}
	wake_set(paths.look, paths.again_ns);
	paths.again_ns *= 2;
	if (paths.again_ns > AGAIN_MAX_NS)
		paths.again_ns = AGAIN_MAX_NS;
}

static void on_change(evutil_socket_t fd, UNUSED short what, UNUSED void *arg)
{
	_Alignas(struct inotify_event) char room[4096];
	while (read(fd, room, sizeof(room)) > 0)
		;
	wake_set(paths.look, SETTLE_NS);
}

/* Looking at it is what makes the kernel tell of the next one. */
static void on_mount(UNUSED evutil_socket_t fd, UNUSED short what,
                     UNUSED void *arg)
{
	wake_start(paths.look, SETTLE_NS);
}

/* What is mounted over a path, or taken away from it, changes no file. */
static void watch_mounts(struct server *server)
{
	paths.mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (paths.mounts < 0 ||
	    wake_on_change(&paths.on_mount, server->base, paths.mounts,
	                   on_mount, NULL) < 0)
		log_warn("the sockets' paths are not watched, should something "
		         "be mounted over them: %s", strerror(errno));
}

int paths_open(struct server *server)
{
	int r = wake_timer(&paths.look, server->base, on_look, server);
	if (r < 0)
		return r;
	paths.again_ns = AGAIN_NS;
	watch_mounts(server);
	paths.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (paths.fd < 0) {
		log_warn("the sockets' paths are not watched, should they be "
		         "removed: %s; raise fs.inotify.max_user_instances",
		         strerror(errno));
		return 0;
	}
	r = wake_on_fd(&paths.on_change, server->base, paths.fd, on_change,
	               server);
	watch(&server->clients);
	watch(&server->control);
	/* As they may have gone before. */
	wake_set(paths.look, SETTLE_NS);
	return r;
}

void paths_close(void)
{
	wake_free(&paths.look);
	wake_free(&paths.on_change);
	wake_free(&paths.on_mount);
	if (paths.fd >= 0)
		close(paths.fd);
	if (paths.mounts >= 0)
		close(paths.mounts);
	paths.fd = -1;
	paths.mounts = -1;
}
