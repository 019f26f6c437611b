/* SPDX-License-Identifier: MIT */
/*
 * slabctl upgrade --check: would the slabd that is installed take over the memory
 * of the one that runs. slabctl opens what that has kept, to be read alone, and
 * passes it to "slabd --takes-over" of the installed one, which alone knows.
 *
 *   /upgrade --> files of the running slabd, by /proc/PID/fd
 *                  '--> PROGRAM --takes-over --> its answer --> both in one
 */
#ifndef DAEMON_CTL_UPGRADE_H
#define DAEMON_CTL_UPGRADE_H

#include <jansson.h>
#include <sys/types.h>

#include "daemon/ctl/http.h"

#define CTL_UPGRADE_LIMIT_MS 10000

/*
 * Makes of a reply of /upgrade what there is to be shown. owner: whose the admin
 * socket is; one that is neither ours nor root's does not tell us what to run.
 * program: NULL: that from which slabd runs. 0, or -1 with the fault.
 */
int ctl_upgrade(json_t *doc, uid_t owner, const char *program,
                unsigned limit_ms, struct ctl_http_fault *fault);

#endif
