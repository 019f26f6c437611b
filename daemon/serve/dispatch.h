/* SPDX-License-Identifier: MIT */
/* What connections bring, handed to those who see to it. */
#ifndef DAEMON_SERVE_DISPATCH_H
#define DAEMON_SERVE_DISPATCH_H

#include "daemon/serve/server.h"

/* Takes an accepted connection over; closes it on failure. */
/* Goes on with the connections of clients that were taken over. */
void dispatch_take_over(struct server *server);

void dispatch_accept(struct server *server, int sock);

#endif
