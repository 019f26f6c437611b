/* SPDX-License-Identifier: MIT */
/*
 * What the messages of one user may take of the loop's time.
 *
 *   a message --> its user's share lasts --> it is read at once
 *        '--> it does not, or others wait --> in line --> the next share
 *
 * A client has tokens, but a process may have hundreds of ids, and a user
 * hundreds of processes: what all those of one user in a pool have read,
 * with all that follows from it, has one share (serve/share.h). Those beyond wait in line,
 * first come first served, and have little read at a time, so that an honest
 * client among them has its turn. Nobody is dropped for it: a ring that waits is
 * as good as many.
 */
#ifndef DAEMON_SERVE_USERS_H
#define DAEMON_SERVE_USERS_H

#include <stdbool.h>

#include "daemon/serve/peer.h"

/*
 * Who sends more than it can have use for is slowed: its messages wait in its
 * sockets until the next second, and none is lost. A client has 4096 in a second,
 * and all those of a user in a pool 16384 together, but for the first 64 of each
 * client; newcomers have theirs by user alone. Whether a message of the peer may
 * be read now; and that one was.
 */
bool users_may(struct peer *peer);
void users_charge(struct peer *peer);

/* Leaves what it sends alone until it may again. */
void users_slow(struct peer *peer);

/* Reads up to n messages of a peer from one of its descriptors. The peer may be
 * freed by that. */
typedef void users_read(struct peer *peer, int fd, unsigned n);

/* Makes the timer. 0 or -ENOMEM. Close is fine after a failure, too. */
int users_open(struct server *server, users_read *read);
void users_close(struct server *server);

/* Something came by a descriptor: it is read now, or some time later. */
void users_serve(struct peer *peer, int fd);

#endif
