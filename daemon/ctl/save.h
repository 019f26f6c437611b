/* SPDX-License-Identifier: MIT */
/*
 * slabctl save: what was set in a running slabd, written where its next start
 * finds it. slabctl writes the file, with the rights of who runs it: slabd's unit
 * has /etc read-only, and no disk holds its loop up.
 */
#ifndef DAEMON_CTL_SAVE_H
#define DAEMON_CTL_SAVE_H

#include <jansson.h>
#include <sys/types.h>

#include "daemon/ctl/http.h"

/* In FILE.d, whose files slabd reads in the order of their names. */
#define CTL_SAVE_NAME "90-slabctl-save.conf"

/*
 * Makes of a reply of /save what there is to be shown, and writes the drop-in if
 * something differs from slabd.conf or an earlier save: whole or not at all, and
 * on the disk. The keys of an earlier one stay in it, with their values of now.
 * owner: whose the admin socket is; one that is neither ours nor root's does not
 * tell us what to write. 0, or -1 with the fault.
 */
int ctl_save(json_t *doc, uid_t owner, struct ctl_http_fault *fault);

#endif
