/* SPDX-License-Identifier: MIT */
/* Pages that move, live, from node to node. */
#ifndef DAEMON_PLAN_MIGRATE_H
#define DAEMON_PLAN_MIGRATE_H

#include "daemon/plan/work.h"

/* Notes what pages could move, for the decisions about loans and refusals. */
void plan_page_mark(struct plan_work *w);
/* Where a node is short, a page whose users are elsewhere makes way. */
void plan_page_push(struct plan_work *w);
/* Pages leave a node that is being emptied. */
void plan_page_drain(struct plan_work *w);
/* Pages go to where their users are, as far as the rate allows. */
void plan_page_follow(struct plan_work *w);

#endif
