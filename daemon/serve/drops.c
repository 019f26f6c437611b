/* SPDX-License-Identifier: MIT */
#include "daemon/serve/drops.h"

#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/serve/timer.h"

static const char *const names[DROPS] = {
	"garbage", "short",   "oversized", "version", "descriptors",
	"flood",   "timeout", "refused",   "limit",
};

const char *drops_name(enum drop drop)
{
	return names[drop];
}

static void on_log_sums(evutil_socket_t fd, short what, void *arg)
{
	struct drops *drops = arg;
	int64_t ns = log_flush();
	(void)fd;
	(void)what;
	if (ns >= 0)
		timer_start(drops->log_sums, ns + CLOCK_MS);
}

int drops_open(struct drops *drops, struct event_base *base)
{
	drops->log_sums = evtimer_new(base, on_log_sums, drops);
	return drops->log_sums == NULL ? -ENOMEM : 0;
}

void drops_close(struct drops *drops)
{
	timer_free(&drops->log_sums);
}

void drops_count(struct drops *drops, enum drop drop, int32_t pid,
                 const char *text)
{
	drops->count[drop]++;
	log_warn("dropped the connection of pid %d (%s): %s", pid, names[drop],
	         text);
	timer_start(drops->log_sums, CLOCK_S);
}
