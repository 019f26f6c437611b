/* SPDX-License-Identifier: MIT */
/* Steps that even memory out, and steps not taken, as sentences. */
#ifndef DAEMON_CTL_STEP_H
#define DAEMON_CTL_STEP_H

#include "daemon/ctl/doc.h"

#define CTL_STEP_TEXT 512

/* "lend 4 slabs of orders: node 0 -> node 2 (distance 16): clients lack slabs
 * here", of a step as /plan and /log have it; escaped. Returns buf. */
const char *ctl_step_say(struct ctl *c, const json_t *step,
                         char buf[CTL_STEP_TEXT]);

/* "orders on node 2: not lent: no node has plenty of the cache". at is the key
 * that holds the node. */
const char *ctl_step_refused(struct ctl *c, const json_t *refusal,
                             const char *at, char buf[CTL_STEP_TEXT]);

#endif
