/* SPDX-License-Identifier: MIT */
/* The clients of a pool that was taken over. */
#ifndef DAEMON_SERVE_PEER_ADOPT_H
#define DAEMON_SERVE_PEER_ADOPT_H

#include "daemon/serve/server.h"

/*
 * Watches the pool's living clients and reaps the others, once the event loop is
 * there: a death is served in the loop, as ever, even if it has come by now. 0,
 * or -errno with the reason logged: one may be alive and can't be watched. Finds
 * no client in a pool that was made by this slabd.
 */
int peer_adopt_clients(struct server *server, struct pool *pool);

#endif
