/* SPDX-License-Identifier: MIT */
/*
 * CPUs and memory that come and go while slabd runs, as the kernel tells of
 * them in uevents. A message may be lost, and tells of a part alone: what the
 * machine is like then is for the callee to look up. There is no wake-up while
 * nothing happens.
 *
 *   uevents --> a while for the rest of a burst --> changed
 *
 * The kernel's own messages are heard, not udevd's: there need be no udevd. The
 * kernel sends those of CPUs and memory to every network namespace of the first
 * user namespace: a private network does not keep them out.
 *
 * One thread, the event loop's.
 */
#ifndef DAEMON_WATCH_UEVENT_H
#define DAEMON_WATCH_UEVENT_H

#include <event2/event.h>

/* What messages tell of, as bits. */
enum uevent_what {
	UEVENT_NOTHING = 0,
	UEVENT_CPUS = 1,
	UEVENT_MEMORY = 2,
};

struct uevent;

/* changed is called some 100 ms after the first message of a burst. 0, or
 * -errno: the kernel can't be listened to, or -ENOMEM. */
int uevent_open(struct uevent **out, struct event_base *base,
                void (*changed)(void *arg, unsigned what), void *arg);
void uevent_close(struct uevent *uevent); /* NULL is fine */

#endif
