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
int64_t backoff_after(struct backoff *backoff, int64_t lived_ns);

#endif
