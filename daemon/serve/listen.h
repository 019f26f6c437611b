/* SPDX-License-Identifier: MIT */
/* The sockets that slabd listens at: given by the manager, kept from a slabd
 * before this one, or bound to a path. */
#ifndef DAEMON_SERVE_LISTEN_H
#define DAEMON_SERVE_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

enum listen_origin {
	LISTEN_GIVEN, /* the manager's own: not to be unlinked */
	LISTEN_MADE,
	LISTEN_KEPT, /* made by a slabd before this one */
};

struct listen_socket {
	int fd; /* -1: none */
	enum listen_origin origin;
	const char *name; /* in the descriptor store */
	const char *path;
	int type;
	mode_t mode;
	gid_t gid; /* -1: our own group */
	int pin;   /* the file of the socket, so that no other has its number
	              meanwhile; -1: not known */
	char given[108]; /* where the manager's own is bound */
	bool quiet; /* why the path can't be had was logged before */
	/* Has who listens to fd leave it alone, and then look at it again, as it
	 * is another socket by then. NULL: nobody does. */
	void (*hush)(void *arg, bool hushed);
	void *arg;
};

/*
 * The socket that a dead slabd listened at, with all who came since; or one
 * that is bound there, non-blocking, close-on-exec, and kept from now on. A
 * file that a dead slabd left is taken over: one whose socket nobody has. What
 * somebody has, of whatever type, and what is no socket is left. Makes the last folder of the path where it is missing. 0, or -errno with
 * the reason and the remedy logged: -EADDRINUSE a living slabd has it.
 */
int listen_open(struct listen_socket *at);

/* One that the manager opened. */
void listen_given(struct listen_socket *at, int fd);

/* Whether the path still leads to it, as far as is known; and which path. */
bool listen_is_there(const struct listen_socket *at);
const char *listen_path(const struct listen_socket *at);

/* Another socket at the path, by the same descriptor. Those who wait at the old
 * one are hung up on. It never waits. 0, or -errno with the reason logged, but for -EPERM:
 * it is the manager's. */
int listen_again(struct listen_socket *at);

/* leave: the next slabd gets it, if it is kept. Of a path that leads to another
 * file by now nothing is removed. */
void listen_close(struct listen_socket *at, bool leave);

#endif
