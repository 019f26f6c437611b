/* SPDX-License-Identifier: MIT */
/* slabd as a whole, but for the admin socket: opened, run, closed. */
#ifndef DAEMON_SERVE_LOOP_H
#define DAEMON_SERVE_LOOP_H

#include "daemon/serve/server.h"

/*
 * Sockets, pools and clients: all that comes before the loop. supervised: by
 * "slabd --supervise", which ends with this slabd; another manager may mean to
 * start it anew. 0; or -errno with the reason logged, and loop_close is due in
 * any case.
 */
int loop_open(struct server **out, const struct config *config,
              bool supervised);

/* Serves until slabd is told to stop: 0, or -errno with the reason logged. */
int loop_run(struct server *server);

/* Ends it all. What a restart may need is left where somebody keeps it. */
void loop_close(struct server *server);

#endif
