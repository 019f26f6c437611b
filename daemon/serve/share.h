/* SPDX-License-Identifier: MIT */
/* A share of each turn of the loop: how much of it is left. */
#ifndef DAEMON_SERVE_SHARE_H
#define DAEMON_SERVE_SHARE_H

#include <stdint.h>

#include "daemon/base/turn.h"

struct share {
	uint64_t turn; /* in which it was used last */
	int64_t used_ns;
};

static inline int64_t share_left(struct share *share, int64_t most_ns)
{
	uint64_t turn = turn_counts()->count;
	if (share->turn != turn)
		*share = (struct share){.turn = turn};
	return most_ns - share->used_ns;
}

#endif
