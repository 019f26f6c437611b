/* SPDX-License-Identifier: MIT */
#include "daemon/serve/drops.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/watch/wake.h"

static const char *const names[DROPS] = {
	"garbage", "short",   "oversized", "version", "descriptors",
	"flood",   "timeout", "refused",   "limit",
};

const char *drops_name(enum drop drop)
{
	return names[drop];
}

static void on_log_sums(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct drops *drops = arg;
	int64_t ns = log_flush();
	if (ns >= 0)
		wake_start(drops->log_sums, ns + CLOCK_MS);
}

int drops_open(struct drops *drops, struct event_base *base)
{
	return wake_timer(&drops->log_sums, base, on_log_sums, drops);
}

void drops_close(struct drops *drops)
{
	wake_free(&drops->log_sums);
}

void drops_count(struct drops *drops, enum drop drop, int32_t pid,
                 const char *text)
{
	drops->count[drop]++;
	log_warn("dropped the connection of pid %d (%s): %s", pid, names[drop],
	         text);
	wake_start(drops->log_sums, CLOCK_S);
}
