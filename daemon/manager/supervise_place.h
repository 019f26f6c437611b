/* SPDX-License-Identifier: MIT */
/*
 * Where a supervisor hears its slabd: a socket in a folder that nobody else can
 * enter, so that no other user has a word or a descriptor for it.
 *
 *   $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR, /run or /tmp / slabd-supervise.XXXXXX
 *                                                      / notify
 *
 * One that was killed leaves its folder, which the next one removes.
 */
#ifndef DAEMON_MANAGER_SUPERVISE_PLACE_H
#define DAEMON_MANAGER_SUPERVISE_PLACE_H

#include <sys/un.h>

struct supervise_place {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* A socket for notifications, with SO_PASSCRED, non-blocking, close-on-exec; or
 * -errno. */
int supervise_place_open(struct supervise_place *place);

/* Removes its folder. */
void supervise_place_close(const struct supervise_place *place);

#endif
