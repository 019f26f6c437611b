/* SPDX-License-Identifier: MIT */
#include "client/closed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/channel.h"
#include "client/process.h"

#define BURIED 64u
#define CHANNELS 64u
#define POOLS 8u /* some 40 KiB each */

static const uint64_t never;
static struct slabd_pool pool = {.alive = &never}; /* theirs */
static const struct layout_cache row = {.name = "(closed)"};
/* What a thread's handle of one is of. */
static struct cache nobody = {.pool = &pool,
                              .plain = &never,
                              .row = &row,
                              .slot = CLOSED_SLOT};

/* (L) */
static struct cache *buried[BURIED];
static uint32_t next;

/* (A) By any thread, also in a forked child, where locks may be its parent's. */
static struct slabd_channel *channels[CHANNELS];
static struct slabd_pool *pools[POOLS];
static uint32_t next_channel, next_pool;

bool closed_why(const struct slabd_pool *dead)
{
	if (dead == NULL) {
		error_set(EINVAL, "no pool: slabd_open gave none, or one of its "
		                  "calls did");
		return false;
	}
	if (dead->alive != &never)
		return error_forked();
	error_set(EINVAL, "a pool, cache or channel is used that is NULL, was "
	                  "closed, or whose pool was");
	return false;
}

slabd_cache *closed_head(void)
{
	return &nobody.head;
}

void closed_bury(struct cache *cache)
{
	*cache = (struct cache){
		.pool = &pool,
		.plain = &never,
		.row = &row,
		.slot = CLOSED_SLOT,
		.local = cache->local,
		.head = {.map_ = cache->head.map_,
	                 .mag_ = CLOSED_SLOT * sizeof(struct slabd_mag_)},
	};
	if (buried[next] != NULL)
		free(buried[next]->local);
	free(buried[next]);
	buried[next] = cache;
	next = (next + 1) % BURIED;
}

void closed_move(const uint64_t *from, const uint64_t *to)
{
	process_lock();
	for (uint32_t i = 0; i < BURIED; i++)
		if (buried[i] != NULL && buried[i]->head.map_ == from)
			buried[i]->head.map_ = to;
	process_unlock();
}

bool closed_is_channel(const struct slabd_channel *channel)
{
	return channel->pool == &pool;
}

void closed_bury_channel(struct slabd_channel *channel)
{
	uint32_t i = atom_add(&next_channel, 1u) % CHANNELS;
	struct slabd_channel *last;
	channel->pool = &pool;
	channel->poll = NULL;
	/* pairs: closed_bury_channel, in another thread: what it frees is whole. */
	last = atom_swap(&channels[i], channel);
	free(last);
}

bool closed_is_pool(const struct slabd_pool *dead)
{
	return dead == NULL || dead->alive == &never;
}

void closed_bury_pool(struct slabd_pool *dead)
{
	uint32_t i = atom_add(&next_pool, 1u) % POOLS;
	struct slabd_pool *last;
	memset(dead, 0, sizeof(*dead));
	dead->alive = &never;
	/* pairs: closed_bury_pool, in another thread: what it frees is whole. */
	last = atom_swap(&pools[i], dead);
	free(last);
}
