/* SPDX-License-Identifier: MIT */
/* Has the loop tell the service manager what waits (manager/tells.h), as soon as
 * there is room for it. */
#ifndef DAEMON_SERVE_TOLD_H
#define DAEMON_SERVE_TOLD_H

struct event_base;

/* 0 or -ENOMEM; told_close is due even so. */
int told_open(struct event_base *base);

/* What waits from then on is for tells_drain. */
void told_close(void);

#endif
