/* SPDX-License-Identifier: MIT */
/* How long something took, by the buckets of turn.h. For one thread. */
#ifndef DAEMON_BASE_SPREAD_H
#define DAEMON_BASE_SPREAD_H

#include "daemon/base/turn.h"

struct spread {
	uint64_t count;
	int64_t total_ns;
	uint64_t bucket[TURN_BUCKETS];
};

static inline void spread_add(struct spread *spread, int64_t ns)
{
	spread->count++;
	spread->total_ns += ns;
	spread->bucket[turn_bucket(ns)]++;
}

#endif
