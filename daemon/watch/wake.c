/* SPDX-License-Identifier: MIT */
#include "daemon/watch/wake.h"

#include <errno.h>

#include "daemon/base/clock.h"

int wake_on_fd(struct event **out, struct event_base *base, int fd,
               event_callback_fn call, void *arg)
{
	*out = event_new(base, fd, EV_READ | EV_PERSIST, call, arg);
	return *out == NULL || event_add(*out, NULL) < 0 ? -ENOMEM : 0;
}

int wake_timer(struct event **out, struct event_base *base,
               event_callback_fn call, void *arg)
{
	*out = evtimer_new(base, call, arg);
	return *out == NULL ? -ENOMEM : 0;
}

void wake_set(struct event *timer, int64_t ns)
{
	struct timeval tv = clock_timeval(ns);
	evtimer_add(timer, &tv);
}

void wake_start(struct event *timer, int64_t ns)
{
	if (!evtimer_pending(timer, NULL))
		wake_set(timer, ns);
}

void wake_free(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}
