/* SPDX-License-Identifier: MIT */
#include "daemon/serve/guardian.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/lastconf.h"
#include "daemon/manager/notify.h"
#include "daemon/manager/supervise_adopt.h"
#include "daemon/pool/keep.h"
#include "daemon/serve/beat.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/sampling.h"
#include "daemon/watch/wake.h"

#define HEAL_NS CLOCK_S /* whoever started the lost one may be about to again */

extern char **environ;

static struct guardian {
	char **argv;
	struct server *server; /* NULL: not supervised */
	struct event *on_lost;
	struct event *heal;
	struct event *put;
	int pidfd;
	int32_t pid; /* 0: lost */
	bool own;    /* slabd started it */
} guard = {.pidfd = -1};

static void on_lost(evutil_socket_t fd, short what, void *arg);

static void forget(void)
{
	wake_free(&guard.on_lost);
	if (guard.pidfd >= 0)
		close(guard.pidfd);
	guard.pidfd = -1;
	/* One of its own it has to bury. */
	if (guard.own && guard.pid > 0)
		waitpid(guard.pid, NULL, WNOHANG);
	guard.pid = 0;
}

/* Whether it lives, and its end is going to be told. */
static bool watch(int32_t pid)
{
	guard.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (guard.pidfd < 0)
		return false;
	guard.pid = pid;
	return wake_on_fd(&guard.on_lost, guard.server->base, guard.pidfd,
	                  on_lost, NULL) == 0;
}

static void lose(int32_t pid)
{
	log_error("the supervisor (pid %d) is gone: slabd goes on, but what it "
	          "kept is lost, and nobody would start slabd again; another one "
	          "is started, unless somebody does (slabd --supervise)", pid);
	notify_setup(false);
	unsetenv("NOTIFY_SOCKET");
	wake_set(guard.heal, HEAL_NS);
}

static void on_lost(UNUSED evutil_socket_t fd, UNUSED short what,
                    UNUSED void *arg)
{
	int32_t pid = guard.pid;
	forget();
	lose(pid);
}

/* Its line is this one's, with another word for its part. */
static int start_one(pid_t *pid)
{
	static char supervise[] = "--supervise";
	char *line[64];
	posix_spawnattr_t attr;
	sigset_t none;
	unsigned n = 0;
	int r;
	while (guard.argv[n] != NULL && n < 63) {
		line[n] = strcmp(guard.argv[n], "--supervised") == 0
		                  ? supervise
		                  : guard.argv[n];
		n++;
	}
	line[n] = NULL;
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	setenv(SUPERVISE_ADOPT, "1", 1);
	r = posix_spawn(pid, "/proc/self/exe", NULL, &attr, line, environ);
	unsetenv(SUPERVISE_ADOPT);
	posix_spawnattr_destroy(&attr);
	return r;
}

static void on_heal(UNUSED evutil_socket_t fd, UNUSED short what,
                    UNUSED void *arg)
{
	pid_t pid;
	int r;
	if (guard.pid > 0)
		return;
	/* Its number stays its own until it is watched. */
	signal(SIGCHLD, SIG_DFL);
	r = start_one(&pid);
	if (r != 0) {
		signal(SIGCHLD, SIG_IGN);
		log_error("no supervisor can be started: %s; start slabd "
		          "--supervise", strerror(r));
		return;
	}
	guard.own = true;
	guard.pid = pid;
	if (!watch(pid))
		forget();
	signal(SIGCHLD, SIG_IGN);
}

/* ---- another one ---------------------------------------------------------- */

static void keep_clients(struct server *server)
{
	char name[PEER_FDSTORE_NAME];
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->id == 0 || peer->pidfd < 0)
			continue;
		peer_fdstore_name(name, peer->pool, peer->id);
		fdstore_put(name, peer->pidfd);
		if (peer->state == PEER_LIVE)
			peer_keep(peer);
	}
}

/* It answers nobody before it was told that it has the place. */
static void on_put(UNUSED evutil_socket_t fd, UNUSED short what,
                   UNUSED void *arg)
{
	struct server *server = guard.server;
	struct listen_socket *const sockets[] = {&server->clients,
	                                         &server->control};
	for (unsigned i = 0; i < server->n_pools; i++)
		keep_again(&server->pools[i]);
	sampling_keep(server, true);
	for (int i = 0; i < 2; i++)
		if (sockets[i]->origin != LISTEN_GIVEN)
			fdstore_put(sockets[i]->name, sockets[i]->fd);
	keep_clients(server);
	lastconf_keep(server->config);
	notify_ready("taken over");
	log_info("all that outlives slabd is kept by its supervisor (pid %d)",
	         guard.pid);
}

/* As sd_watchdog_enabled reads it. */
static int set_watchdog(uint64_t limit_us)
{
	char text[24];
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	if (limit_us > 0) {
		snprintf(text, sizeof(text), "%llu",
		         (unsigned long long)limit_us);
		setenv("WATCHDOG_USEC", text, 1);
	}
	return beat_open(guard.server->base);
}

int guardian_take(int32_t pid, const char *socket, uint64_t limit_us,
                  int32_t *has)
{
	bool mine = guard.own && pid == guard.pid;
	int r;
	*has = guard.pid;
	if (guard.server == NULL || pid <= 0 || socket[0] != '/')
		return -EINVAL;
	if (guard.pid > 0 && !guard.own)
		return -EBUSY;
	if (!mine) {
		int32_t old = guard.pid;
		if (old > 0)
			syscall(SYS_pidfd_send_signal, guard.pidfd, SIGKILL,
			        NULL, 0);
		if (old > 0)
			waitpid(old, NULL, 0);
		forget();
		guard.own = false;
		if (!watch(pid)) {
			forget();
			return -EINVAL;
		}
	}
	evtimer_del(guard.heal);
	setenv("NOTIFY_SOCKET", socket, 1);
	notify_setup(true);
	/* A yes says that it will be heard within the limit. */
	r = set_watchdog(limit_us);
	if (r == 0)
		wake_set(guard.put, 0);
	return r;
}

int32_t guardian_pid(void)
{
	if (guard.server == NULL)
		return 0;
	return guard.pid > 0 ? guard.pid : -1;
}

bool guardian_keeps(void)
{
	return fdstore_has(FDSTORE_CONTROL);
}

/* ---- open and close ------------------------------------------------------- */

void guardian_line(char **argv)
{
	guard.argv = argv;
}

int guardian_open(struct server *server, bool supervised)
{
	const char *named = getenv(SUPERVISE_PID);
	int32_t pid = named != NULL ? atoi(named) : getppid();
	if (!supervised)
		return 0;
	guard.server = server;
	if (wake_timer(&guard.heal, server->base, on_heal, NULL) < 0 ||
	    wake_timer(&guard.put, server->base, on_put, NULL) < 0)
		return -ENOMEM;
	if (pid != getppid() || !watch(pid)) {
		forget();
		lose(pid);
	}
	return 0;
}

/* The one that it started ends by itself, as it hears of the end. */
void guardian_close(void)
{
	forget();
	wake_free(&guard.heal);
	wake_free(&guard.put);
	guard.server = NULL;
}
