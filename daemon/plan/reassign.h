/* SPDX-License-Identifier: MIT */
/* Which cells could help where slabs are short, and empty slabs of other caches
 * on the same node. */
#ifndef DAEMON_PLAN_REASSIGN_H
#define DAEMON_PLAN_REASSIGN_H

#include "daemon/plan/work.h"

/* Empty slabs that a cell can give up, when `keep` slabs stay on the node and
 * `leave` stay on the list. */
uint32_t plan_spare_empty(const struct plan_work *w, uint32_t at, uint64_t keep,
                          uint64_t leave);
void plan_note_helpers(struct plan_work *w);
void plan_reassign(struct plan_work *w);

#endif
