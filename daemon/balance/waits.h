/* SPDX-License-Identifier: MIT */
/* Wants that wait for pages which are on their way (pool/work.h). */
#ifndef DAEMON_BALANCE_WAITS_H
#define DAEMON_BALANCE_WAITS_H

#include "daemon/balance/own.h"

/* Whether that of a cell does. */
static inline bool balance_waits(const struct pool *pool, uint32_t cell)
{
	return pool->balance->coming[cell / 64] >> cell % 64 & 1;
}

static inline void balance_set_waits(struct pool *pool, uint32_t cell,
                                     bool waits)
{
	uint64_t bit = UINT64_C(1) << cell % 64;
	uint64_t *word = &pool->balance->coming[cell / 64];
	*word = waits ? *word | bit : *word & ~bit;
	pool->balance->any_coming |= waits;
}

#endif
