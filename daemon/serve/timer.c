/* SPDX-License-Identifier: MIT */
#include "daemon/serve/timer.h"

#include "daemon/base/clock.h"

void timer_set(struct event *timer, int64_t ns)
{
	struct timeval tv = clock_timeval(ns);
	evtimer_add(timer, &tv);
}

void timer_start(struct event *timer, int64_t ns)
{
	if (!evtimer_pending(timer, NULL))
		timer_set(timer, ns);
}

void timer_free(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}
