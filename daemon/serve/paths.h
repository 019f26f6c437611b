/* SPDX-License-Identifier: MIT */
/*
 * The paths of slabd's sockets, while it runs. One that is removed or replaced
 * leaves a socket that nobody can reach: then another one is made there.
 *
 *   the file, or a folder above it, goes --inotify--.
 *   something is mounted there --------mountinfo---+-> a moment --> is it there
 *        no: made anew --> it can't be: again, ever later
 *
 * It is the files themselves that are watched, and of the folders above them
 * whether they are moved: what else happens in them wakes nobody. A mount or its
 * end does, wherever it is.
 */
#ifndef DAEMON_SERVE_PATHS_H
#define DAEMON_SERVE_PATHS_H

#include "daemon/serve/server.h"

/* 0 or -ENOMEM. Where the kernel has nothing to watch by, the log says so. */
int paths_open(struct server *server);
void paths_close(void);

#endif
