/* SPDX-License-Identifier: MIT */
/* The words for steps and reasons: logs, reports and slabctl(1) have them. */
#ifndef DAEMON_PLAN_NAMES_H
#define DAEMON_PLAN_NAMES_H

#include "daemon/plan/step.h"

const char *plan_kind_name(enum plan_kind kind);       /* "lend" */
const char *plan_reason_name(enum plan_reason reason); /* "short" */
/* "clients lack slabs here" */
const char *plan_reason_text(enum plan_reason reason);

#endif
