/* SPDX-License-Identifier: MIT */
/* The kernel's shortage of memory (watch/psi.h), which presses the pools that
 * want to know of it. */
#ifndef DAEMON_SERVE_PRESSED_H
#define DAEMON_SERVE_PRESSED_H

#include "daemon/base/remedy.h"
#include "daemon/serve/server.h"

/* 0 or -errno. Close is fine after a failure, too. */
int pressed_open(struct server *server);
void pressed_close(struct server *server);

/* The settings of a pool are others: what is watched follows. */
void pressed_configure(struct server *server);

/* What of the kernel's shortage can't be watched, and why, empty where all is;
 * NULL: no pool wants to know of it. */
const struct remedy *pressed_lack(const struct server *server);

#endif
