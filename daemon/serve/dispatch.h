/* SPDX-License-Identifier: MIT */
/* What connections bring, handed to those who see to it. */
#ifndef DAEMON_SERVE_DISPATCH_H
#define DAEMON_SERVE_DISPATCH_H

#include "daemon/serve/server.h"

/* Takes an accepted connection over; closes it on failure. */
void dispatch_accept(struct server *server, int sock);

#endif
