/* SPDX-License-Identifier: MIT */
/*
 * The configuration, read again at a SIGHUP:
 *
 *   SIGHUP --> a thread reads the files, as who knows users' names may take long
 *     --> nothing of it, said with what is wrong; or all that can be applied is,
 *         and what waits is said (serve/apply.h)
 *
 * One at a time: all signals that come meanwhile are one more.
 */
#ifndef DAEMON_SERVE_RELOAD_H
#define DAEMON_SERVE_RELOAD_H

#include "daemon/conf/options.h"
#include "daemon/serve/apply.h"

/* options are what slabd was started with, and its config what the server runs
 * with, which a reload writes; applied is called then. 0, or -errno with the reason logged; close is due in
 * any case. */
int reload_open(struct server *server, struct options *options,
                options_topology *check, void (*applied)(struct server *server));
void reload_close(void);

/* What is wrong with the files that were read last, "" where the log alone says
 * it; NULL: nothing is. */
const char *reload_fault(void);

/* The next that waits for a start of slabd, as apply_next_wait. */
bool reload_next_wait(unsigned *at, struct apply_wait *out);

#endif
