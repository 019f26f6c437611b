/* SPDX-License-Identifier: MIT */
#include "daemon/manager/backoff.h"

int64_t backoff_after(struct backoff *backoff, int64_t lived_ns)
{
	int64_t wait = lived_ns >= BACKOFF_STEADY_NS ? 0 : backoff->next_ns;
	int64_t next = wait == 0 ? BACKOFF_MIN_NS : 2 * wait;
	backoff->next_ns = next < BACKOFF_MAX_NS ? next : BACKOFF_MAX_NS;
	return wait;
}
