/* SPDX-License-Identifier: MIT */
/* Timers of the event loop, in nanoseconds. */
#ifndef DAEMON_SERVE_TIMER_H
#define DAEMON_SERVE_TIMER_H

#include <event2/event.h>
#include <stdint.h>

/* It goes off in so long, whenever it was due before. */
void timer_set(struct event *timer, int64_t ns);

/* The same, but one that is due already stays as it is. */
void timer_start(struct event *timer, int64_t ns);

/* Frees any event and forgets it. NULL is fine. */
void timer_free(struct event **event);

#endif
