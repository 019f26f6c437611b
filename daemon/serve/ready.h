/* SPDX-License-Identifier: MIT */
/* That slabd serves: what the log and the service manager are told of it. */
#ifndef DAEMON_SERVE_READY_H
#define DAEMON_SERVE_READY_H

#include "daemon/serve/server.h"

/* 0 or -ENOMEM; close is due in any case. */
int ready_open(struct server *server);
void ready_close(void);

/* Both, at the start. */
void ready_say(struct server *server);

/* The manager alone, after a reload. One that can't be told is tried again. */
void ready_tell(struct server *server);

#endif
