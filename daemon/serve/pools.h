/* SPDX-License-Identifier: MIT */
/* The pools of the configuration, opened with their balance and closed. */
#ifndef DAEMON_SERVE_POOLS_H
#define DAEMON_SERVE_POOLS_H

#include "daemon/serve/server.h"

/* Takes over or makes each pool. 0, or -errno with the reason logged; those
 * before it are open then. */
int pools_open(struct server *server);

/* Closes those that are open. told: slabd was told to stop, and their memory
 * goes back. Otherwise a pool that clients may have is left to the next slabd:
 * all of them if slabd had started, else those that it took over. */
void pools_close(struct server *server, bool told, bool started);

#endif
