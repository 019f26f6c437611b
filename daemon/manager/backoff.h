/* SPDX-License-Identifier: MIT */
/* How long to wait before a program that died is started again. */
#ifndef DAEMON_MANAGER_BACKOFF_H
#define DAEMON_MANAGER_BACKOFF_H

#include <stdint.h>

#include "daemon/base/clock.h"

#define BACKOFF_MIN_NS (100 * CLOCK_MS)
#define BACKOFF_MAX_NS (5 * CLOCK_S)
#define BACKOFF_STEADY_NS (10 * CLOCK_S) /* of life, and all is forgotten */

/* All zero to begin with. */
struct backoff {
	int64_t next_ns;
};

/* After the end of a program that lived so long: none for the first, then
 * BACKOFF_MIN_NS, doubled with each further one up to BACKOFF_MAX_NS. */
static inline int64_t backoff_after(struct backoff *backoff, int64_t lived_ns)
{
	int64_t wait = lived_ns >= BACKOFF_STEADY_NS ? 0 : backoff->next_ns;
	int64_t next = wait == 0 ? BACKOFF_MIN_NS : 2 * wait;
	backoff->next_ns = next < BACKOFF_MAX_NS ? next : BACKOFF_MAX_NS;
	return wait;
}

#endif
