/* SPDX-License-Identifier: MIT */
/* What a node gives up when it is pressed, idle or left: what clients hoard,
 * empty slabs, empty pages. */
#ifndef DAEMON_PLAN_SHRINK_H
#define DAEMON_PLAN_SHRINK_H

#include "daemon/plan/work.h"

void plan_give_back(struct plan_work *w);

#endif
