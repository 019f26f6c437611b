/* SPDX-License-Identifier: MIT */
/* Unix sockets bound to paths. */
#ifndef DAEMON_SERVE_LISTEN_H
#define DAEMON_SERVE_LISTEN_H

#include <sys/types.h>
#include <sys/un.h>

/*
 * Binds and listens at path, non-blocking, close-on-exec. A socket that a dead
 * slabd left is taken over; one that somebody answers at is not. gid -1: our
 * own group. Makes the last folder of the path where it is missing. The
 * descriptor, or -errno with the reason and the remedy logged: -EADDRINUSE a
 * living slabd has it.
 */
int listen_at(const char *path, int type, mode_t mode, gid_t gid);

/* Whether fd, which outlived a slabd, is what clients of path reach: it has
 * that type, listens and is bound there, and the file is there. Mode and group
 * are then set as listen_at sets them. 1 it is, 0 it is not, or -errno with the
 * reason logged. */
int listen_still_at(int fd, const char *path, int type, mode_t mode, gid_t gid);

/* Where fd is bound; AF_UNSPEC: at no path. */
void listen_address(int fd, struct sockaddr_un *at);

/* Removes a socket's file, unless somebody answers there. */
void listen_remove(const struct sockaddr_un *at, int type);

#endif
