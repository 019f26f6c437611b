/* SPDX-License-Identifier: MIT */
/* What wakes the loop: descriptors and timers. */
#ifndef DAEMON_WATCH_WAKE_H
#define DAEMON_WATCH_WAKE_H

#include <event2/event.h>
#include <stdint.h>

#include "daemon/base/clock.h"

/* A callback gets a descriptor and a kind of event, which few have use for. */
#define UNUSED __attribute__((unused))

/* A loop that looks for what else has come once its callbacks took so long
 * together: many that are due at once, deaths or requests, are several turns.
 * They go on in the order in which they came. NULL where there is no memory. */
#define WAKE_TURN_NS (2 * CLOCK_MS)
struct event_base *wake_base(void);

/* Whenever there is something to read. 0, or -ENOMEM; wake_free is due even
 * so. */
#define wake_on_fd(out, base, fd, call, arg)                                   \
	wake_on_fd_named((out), (base), (fd), (call), (arg), #call)

/* Where the kernel tells of a change by an error, as of a file of /proc that can
 * always be read. */
int wake_on_change_named(struct event **out, struct event_base *base, int fd,
                         event_callback_fn call, void *arg, const char *name);
#define wake_on_change(out, base, fd, call, arg)                               \
	wake_on_change_named((out), (base), (fd), (call), (arg), #call)

/* A timer that is not set yet. 0 or -ENOMEM. */
#define wake_timer(out, base, call, arg)                                       \
	wake_timer_named((out), (base), (call), (arg), #call)

/* The same by the callback's name, which the turns of the loop are counted by
 * (daemon/base/turn.h), less an "on_" that it begins with. */
int wake_on_fd_named(struct event **out, struct event_base *base, int fd,
                     event_callback_fn call, void *arg, const char *name);
int wake_timer_named(struct event **out, struct event_base *base,
                     event_callback_fn call, void *arg, const char *name);

/* It goes off in so long, whenever it was due before. */
void wake_set(struct event *timer, int64_t ns);

/* The same, but one that is due already stays as it is. */
void wake_start(struct event *timer, int64_t ns);

/* Frees any event and forgets it, also in its own callback. NULL is fine. */
void wake_free(struct event **event);

#endif
