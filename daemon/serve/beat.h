/* SPDX-License-Identifier: MIT */
/* What the service manager's watchdog hears: that the loop turns. */
#ifndef DAEMON_SERVE_BEAT_H
#define DAEMON_SERVE_BEAT_H

struct event_base;

/* As often as the environment asks for (sd_watchdog_enabled(3)). Called again, as
 * it asks now. 0 or -ENOMEM. */
int beat_open(struct event_base *base);
void beat_close(void);

#endif
