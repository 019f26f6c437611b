/* SPDX-License-Identifier: MIT */
#include "daemon/watch/wake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/turn.h"

struct wake {
	event_callback_fn call;
	void *arg;
	const char *name;
};

/* libevent would write it to standard error, and wait for who reads that. */
static void say(int severity, const char *text)
{
	if (severity == EVENT_LOG_ERR)
		log_error("libevent: %s", text);
	else if (severity == EVENT_LOG_WARN)
		log_warn("libevent: %s", text);
}

/* EVENT_NOEPOLL and the like in the environment are somebody else's. */
struct event_base *wake_base(void)
{
	struct timeval most = clock_timeval(WAKE_TURN_NS);
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;
	if (config == NULL)
		return NULL;
	event_set_log_callback(say);
	if (event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
	    event_config_set_max_dispatch_interval(config, &most, -1, 0) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/* The callback may free what led here. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	const struct wake *wake = arg;
	turn_at(wake->name);
	wake->call(fd, what, wake->arg);
}

static int make(struct event **out, struct event_base *base, int fd, short what,
                const struct wake *as)
{
	struct wake *wake = malloc(sizeof(*wake));
	*out = NULL;
	if (wake == NULL)
		return -ENOMEM;
	*wake = *as;
	if (strncmp(wake->name, "on_", 3) == 0)
		wake->name += 3;
	*out = event_new(base, fd, what, on_wake, wake);
	if (*out == NULL)
		free(wake);
	return *out == NULL ? -ENOMEM : 0;
}

int wake_on_fd_named(struct event **out, struct event_base *base, int fd,
                     event_callback_fn call, void *arg, const char *name)
{
	const struct wake as = {.call = call, .arg = arg, .name = name};
	int r = make(out, base, fd, EV_READ | EV_PERSIST, &as);
	return r < 0 || event_add(*out, NULL) < 0 ? -ENOMEM : 0;
}

int wake_on_change_named(struct event **out, struct event_base *base, int fd,
                         event_callback_fn call, void *arg, const char *name)
{
	const struct wake as = {.call = call, .arg = arg, .name = name};
	int r = make(out, base, fd, EV_WRITE | EV_PERSIST, &as);
	return r < 0 || event_add(*out, NULL) < 0 ? -ENOMEM : 0;
}

int wake_timer_named(struct event **out, struct event_base *base,
                     event_callback_fn call, void *arg, const char *name)
{
	const struct wake as = {.call = call, .arg = arg, .name = name};
	return make(out, base, -1, 0, &as);
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
	if (*event != NULL) {
		void *wake = event_get_callback(*event) == on_wake
		                     ? event_get_callback_arg(*event)
		                     : NULL;
		event_free(*event);
		free(wake);
	}
	*event = NULL;
}
