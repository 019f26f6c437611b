/* SPDX-License-Identifier: MIT */
/* What a plan says: its steps, and what it refuses. */
#ifndef DAEMON_PLAN_EMIT_H
#define DAEMON_PLAN_EMIT_H

#include "daemon/plan/work.h"

/* Adds a step. Where the plan is full, returns false and counts the step. */
bool plan_add(struct plan_work *w, const struct plan_step *step);

void plan_refuse(struct plan_work *w, enum plan_kind kind,
                 enum plan_reason reason, uint32_t cache_ix, uint32_t node);

#endif
