/* SPDX-License-Identifier: MIT */
/* Slabs that were lent go home. */
#ifndef DAEMON_PLAN_RETURN_H
#define DAEMON_PLAN_RETURN_H

#include "daemon/plan/work.h"

/* Where the home is short itself. */
void plan_return_short(struct plan_work *w);
/* Where the borrower can do without. */
void plan_return_over(struct plan_work *w);

#endif
