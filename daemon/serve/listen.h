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
};

/*
 * The socket that a dead slabd listened at, with all who came since; or one
 * that is bound there, non-blocking, close-on-exec, and kept from now on. A
 * file that a dead slabd left is taken over; one that somebody answers at is
 * not. Makes the last folder of the path where it is missing. 0, or -errno with
 * the reason and the remedy logged: -EADDRINUSE a living slabd has it.
 */
int listen_open(struct listen_socket *at);

/* leave: the next slabd gets it, if it is kept. */
void listen_close(struct listen_socket *at, bool leave);

#endif
