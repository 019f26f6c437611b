/* SPDX-License-Identifier: MIT */
#include "daemon/serve/beat.h"

#include <errno.h>
#include <event2/event.h>

#include "daemon/base/clock.h"
#include "daemon/manager/notify.h"
#include "daemon/watch/wake.h"

static struct event *beat;

static void on_beat(UNUSED evutil_socket_t fd, UNUSED short what,
                    UNUSED void *arg)
{
	notify_alive();
}

int beat_open(struct event_base *base)
{
	/* Late enough that who is idle wakes once in its period, for that. */
	int64_t ns = notify_watchdog_ns() / 2 * 3;
	struct timeval tv = clock_timeval(ns);
	beat_close();
	if (ns == 0)
		return 0;
	beat = event_new(base, -1, EV_PERSIST, on_beat, NULL);
	if (beat == NULL || event_add(beat, &tv) < 0)
		return -ENOMEM;
	return 0;
}

void beat_close(void)
{
	wake_free(&beat);
}
