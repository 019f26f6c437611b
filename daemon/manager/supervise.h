/* SPDX-License-Identifier: MIT */
/*
 * "slabd --supervise": starts slabd, keeps descriptors for it and starts it
 * again when it dies.
 *
 *   manager <-- READY, STATUS -- supervisor <-- sd_notify -- slabd
 *                                    '------- descriptors ---> next slabd
 *
 * To the slabd that it starts it is a service manager (manager/notify.h,
 * manager/fdstore.h). It maps no pool, allocates nothing once it runs, reads
 * nothing from a client, and hears of nobody but that slabd. Should it die
 * itself, slabd goes on, and another supervisor takes its place
 * (serve/guardian.h): one that finds such a slabd at the admin socket adopts it.
 */
#ifndef DAEMON_MANAGER_SUPERVISE_H
#define DAEMON_MANAGER_SUPERVISE_H

#include <stdint.h>

/*
 * Runs until slabd ends with status 0 or 2, or on a signal to stop; one that
 * comes while no slabd runs has one more give back what was kept. argv is
 * what slabd is started with. One that served, and then tells nothing for limit_ns, hangs: it
 * is ended and started again, unless somebody debugs it; 0: never. The exit status: slabd's own; 1 where it was
 * killed when it should stop, or nothing could be started.
 */
int supervise_run(char **argv, int64_t limit_ns, const char *control);

#endif
