/* SPDX-License-Identifier: MIT */
/* What wakes the loop: descriptors and timers. */
#ifndef DAEMON_WATCH_WAKE_H
#define DAEMON_WATCH_WAKE_H

#include <event2/event.h>
#include <stdint.h>

/* A callback gets a descriptor and a kind of event, which few have use for. */
#define UNUSED __attribute__((unused))

/* Whenever there is something to read. 0, or -ENOMEM; wake_free is due even
 * so. */
int wake_on_fd(struct event **out, struct event_base *base, int fd,
               event_callback_fn call, void *arg);

/* A timer that is not set yet. 0 or -ENOMEM. */
int wake_timer(struct event **out, struct event_base *base,
               event_callback_fn call, void *arg);

/* It goes off in so long, whenever it was due before. */
void wake_set(struct event *timer, int64_t ns);

/* The same, but one that is due already stays as it is. */
void wake_start(struct event *timer, int64_t ns);

/* Frees any event and forgets it. NULL is fine. */
void wake_free(struct event **event);

#endif
