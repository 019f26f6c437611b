/* SPDX-License-Identifier: MIT */
#include "tests/lib/keeper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/manager.h"

void keeper_open(struct keeper *keeper, const struct fixture *fixture)
{
	memset(keeper, 0, sizeof(*keeper));
	keeper->room = KEEPER_MAX;
	snprintf(keeper->path, sizeof(keeper->path), "%s/notify", fixture->dir);
	keeper->sock = manager_bind(keeper->path, SOCK_DGRAM);
}

void keeper_close(struct keeper *keeper)
{
	while (keeper->n > 0)
		close(keeper->kept[--keeper->n].fd);
	close(keeper->sock);
	unlink(keeper->path);
}

/* ---- hearing ------------------------------------------------------------ */

static struct kept *find(const struct keeper *keeper, const char *name)
{
	for (unsigned i = 0; i < keeper->n; i++)
		if (strcmp(keeper->kept[i].name, name) == 0)
			return (struct kept *)(uintptr_t)&keeper->kept[i];
	return NULL;
}

int keeper_find(const struct keeper *keeper, const char *name)
{
	const struct kept *kept = find(keeper, name);
	return kept != NULL ? kept->fd : -1;
}

int keeper_swap(struct keeper *keeper, const char *name, int fd)
{
	struct kept *kept = find(keeper, name);
	int old;
	if (kept == NULL)
		tap_bail("nothing is kept as %s", name);
	old = kept->fd;
	kept->fd = fd;
	return old;
}

static void drop(struct keeper *keeper, const char *name)
{
	struct kept *kept = find(keeper, name);
	if (kept == NULL)
		return;
	close(kept->fd);
	*kept = keeper->kept[--keeper->n];
}

static void keep(struct keeper *keeper, const char *name, int fd)
{
	if (find(keeper, name) != NULL)
		tap_bail("%s is kept twice", name);
	if (keeper->n >= keeper->room) {
		close(fd);
		return;
	}
	snprintf(keeper->kept[keeper->n].name, KEEPER_NAME, "%s", name);
	keeper->kept[keeper->n++].fd = fd;
}

/* The value of a field of a message, or NULL. */
static const char *field(const char *text, const char *name, char *room,
                         size_t bytes)
{
	size_t n = strlen(name);
	for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, n) != 0 || at[n] != '=')
			continue;
		snprintf(room, bytes, "%.*s", (int)strcspn(at + n + 1, "\n"),
		         at + n + 1);
		return room;
	}
	return NULL;
}

static void obey(struct keeper *keeper, const char *text, int fd)
{
	char name[KEEPER_NAME];
	char word[16];
	keeper->messages++;
	if (field(text, "READY", word, sizeof(word)) != NULL)
		keeper->ready = true;
	if (field(text, "FDNAME", name, sizeof(name)) == NULL) {
		/* A barrier: closed, it says that all before was heard. */
		if (fd >= 0)
			close(fd);
		return;
	}
	if (field(text, "FDSTOREREMOVE", word, sizeof(word)) != NULL)
		drop(keeper, name);
	else if (fd >= 0)
		keep(keeper, name, fd);
}

bool keeper_hear(struct keeper *keeper, int ms)
{
	struct pollfd at = {.fd = keeper->sock, .events = POLLIN};
	struct manager_message message;
	if (poll(&at, 1, ms) <= 0 ||
	    !manager_receive(keeper->sock, &message, MSG_DONTWAIT))
		return false;
	obey(keeper, message.text, message.fd);
	return true;
}

void keeper_catch_up(struct keeper *keeper)
{
	while (keeper_hear(keeper, 0))
		continue;
}

/* ---- starting ----------------------------------------------------------- */

/* In the new process. */
static void pass(const struct keeper *keeper)
{
	static char names[KEEPER_MAX * KEEPER_NAME];
	int fds[KEEPER_MAX];
	setenv("NOTIFY_SOCKET", keeper->path, 1);
	for (unsigned i = 0; i < keeper->n; i++) {
		fds[i] = keeper->kept[i].fd;
		strcat(names, i > 0 ? ":" : "");
		strcat(names, keeper->kept[i].name);
	}
	manager_pass(fds, keeper->n, names);
}

void keeper_spawn(struct keeper *keeper, struct fixture *fixture,
                  void (*setup)(void))
{
	const char *builddir = getenv("builddir");
	char path[512];
	snprintf(path, sizeof(path), "%s/daemon/slabd",
	         builddir != NULL ? builddir : ".");
	keeper_catch_up(keeper);
	keeper->ready = false;
	if (!fixture_fork(fixture))
		return;
	pass(keeper);
	if (setup != NULL)
		setup();
	execl(path, path, "--config", fixture->config, "--socket",
	      fixture->socket, "--control", fixture->control, (char *)NULL);
	_exit(127);
}

bool keeper_start(struct keeper *keeper, struct fixture *fixture, int *status)
{
	double until = now_ms() + SURELY_MS;
	keeper_spawn(keeper, fixture, NULL);
	while (!keeper->ready && now_ms() < until) {
		if (keeper_hear(keeper, 20))
			continue;
		if (waitpid(fixture->pid, status, WNOHANG) == fixture->pid) {
			fixture->pid = 0;
			return false;
		}
	}
	return keeper->ready;
}
