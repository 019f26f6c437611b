/* SPDX-License-Identifier: MIT */
/* Pools as slabd starts: taken over, made, or left as they were. */
#ifndef DAEMON_SERVE_POOLS_H
#define DAEMON_SERVE_POOLS_H

#include "daemon/serve/server.h"

/* All that are configured. 0, or -errno for what ends the start. */
int pools_open(struct server *server);

/* Those that are kept and no longer configured, which go. 0 or -errno. */
int pools_open_leaving(struct server *server);

/* Gives back the hugepages of those that were left. */
void pools_pay_left(struct server *server);

#endif
