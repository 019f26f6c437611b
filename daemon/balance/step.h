/* SPDX-License-Identifier: MIT */
/* One step of a plan: taken, timed, noted. */
#ifndef DAEMON_BALANCE_STEP_H
#define DAEMON_BALANCE_STEP_H

#include "daemon/balance/own.h"

/* Takes one step and notes it. What it did: slabs or pages. */
uint64_t balance_step(struct pool *pool, enum balance_cause cause,
                      const struct plan_step *step);

#endif
