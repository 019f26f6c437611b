/* SPDX-License-Identifier: MIT */
/* What the machine gains and loses while slabd runs (watch/uevent.h), entered
 * in the pools (balance/follow.h). */
#ifndef DAEMON_SERVE_MACHINE_H
#define DAEMON_SERVE_MACHINE_H

#include "daemon/serve/server.h"

/* 0, also where the kernel can't be listened to; or -ENOMEM. Close is fine
 * after a failure, too. */
int machine_open(struct server *server);
void machine_close(struct server *server);

#endif
