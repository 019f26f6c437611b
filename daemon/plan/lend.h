/* SPDX-License-Identifier: MIT */
/* Slabs of one node that stand on another node's list for a while, and how long
 * they stay there. */
#ifndef DAEMON_PLAN_LEND_H
#define DAEMON_PLAN_LEND_H

#include "daemon/plan/work.h"

/* For how long what was moved stays, after so many reversals. */
uint64_t plan_hold_ms(const struct plan_work *w, uint32_t reversals);
/* Whether a cell took slabs too recently to give any. */
bool plan_is_held(const struct plan_work *w, uint32_t at);
/* Slabs that a cell could lend, beyond those that it keeps. What it borrowed it
 * does not lend on. */
uint32_t plan_lendable(const struct plan_work *w, uint32_t at);

/* Notes from whom each node borrows, best first. */
void plan_lend_order(struct plan_work *w);
void plan_lend(struct plan_work *w);

#endif
