/* SPDX-License-Identifier: MIT */
/*
 * Pools, caches and channels that are closed, as a program may go on to use: the last
 * few are kept, as such that have and take nothing, so that it hears what it did and does
 * not touch memory that is another's by now.
 */
#ifndef CLIENT_CLOSED_H
#define CLIENT_CLOSED_H

#include "client/types.h"

/* A magazine that no thread ever has, and its place in the threads' tables. */
#define CLOSED_SLOT SLABD_CACHES_MAX

/* One that is always closed, for what outlives those that are kept. */
slabd_cache *closed_head(void);

/* That one where there is none: for what is no hit. */
static inline const slabd_cache *closed_or(const slabd_cache *head)
{
	return head != NULL ? head : closed_head();
}

/* In place of its free. Under process_lock. */
void closed_bury(struct cache *cache);

/* The same of channels, whose ring is unmapped; without a lock. */
bool closed_is_channel(const struct slabd_channel *channel);
void closed_bury_channel(struct slabd_channel *channel);

/* The same of pools; also of NULL. */
bool closed_is_pool(const struct slabd_pool *dead);
void closed_bury_pool(struct slabd_pool *dead);

/* A map that they have goes, and they have another. */
void closed_move(const uint64_t *from, const uint64_t *to);

#endif
