/* SPDX-License-Identifier: MIT */
/* What stays short, and for each step that would have helped, why it was not
 * taken. */
#ifndef DAEMON_PLAN_REFUSE_H
#define DAEMON_PLAN_REFUSE_H

#include "daemon/plan/work.h"

void plan_count_unmet(struct plan_work *w);
void plan_refuse_unmet(struct plan_work *w);

#endif
