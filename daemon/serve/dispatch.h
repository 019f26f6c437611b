/* SPDX-License-Identifier: MIT */
/* What connections bring, handed to those who see to it. */
#ifndef DAEMON_SERVE_DISPATCH_H
#define DAEMON_SERVE_DISPATCH_H

#include "daemon/serve/server.h"

/* Takes an accepted connection over; closes it on failure. */
void dispatch_accept(struct server *server, int sock);

/* Goes on with the connections of clients that were taken over. */
void dispatch_take_over(struct server *server);

/* Reads up to n messages of a peer from one of its descriptors, and does what
 * they ask; the peer may be freed by that. */
struct peer;
void dispatch_read(struct peer *peer, int fd, unsigned n);

#endif
