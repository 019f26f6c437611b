/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells while slabd runs: CPUs and memory that come and go
 * (watch/uevent.h) are entered in the pools (balance/follow.h), and a shortage
 * of memory (watch/psi.h) presses the pools that want to know of it. At the
 * start pools of slabds that are gone are looked for (watch/orphans.h).
 */
#ifndef DAEMON_SERVE_MACHINE_H
#define DAEMON_SERVE_MACHINE_H

#include "daemon/base/remedy.h"
#include "daemon/serve/server.h"
#include "daemon/watch/orphans.h"

/* 0, also where the kernel can't be listened to; or -errno. Close is fine after
 * a failure, too. */
int machine_open(struct server *server);
void machine_close(struct server *server);

/* The settings of a pool are others: what is watched follows. */
void machine_configure(struct server *server);

/* What is known of pools whose slabd is gone (watch/orphans.h), and how many;
 * has them looked for anew if that was a while ago. */
const struct orphan *machine_orphans(const struct server *server, unsigned *n);

/* What of the kernel's shortage can't be watched, and why, empty where all is;
 * NULL: no pool wants to know of it. */
const struct remedy *machine_lack(const struct server *server);

#endif
