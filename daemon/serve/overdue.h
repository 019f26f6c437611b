/* SPDX-License-Identifier: MIT */
/* Arenas that nobody resets are looked for from time to time, in pools whose clients
 * have any, so that the log says so (pool/arenas.h). */
#ifndef DAEMON_SERVE_OVERDUE_H
#define DAEMON_SERVE_OVERDUE_H

#include "daemon/serve/server.h"

/* Makes the timer. 0 or -ENOMEM. Close is fine after a failure, too. */
int overdue_open(struct server *server);
void overdue_close(struct server *server);

/* There is a client: looks go on until there is none. */
void overdue_watch(struct server *server);

/* How long it takes until one is overdue may be less than before. */
void overdue_configure(struct server *server);

#endif
