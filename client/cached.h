/* SPDX-License-Identifier: MIT */
/* A cache that this process has open. The letters are those of types.h. */
#ifndef CLIENT_CACHED_H
#define CLIENT_CACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/slabclient.h"
#include "shm/atom.h"
#include "shm/layout.h"

struct depots;

/*
 * A load waits for an earlier store whose low 12 address bits are its own, and
 * a magazine's n, stored by each hit, lies 8 bytes into a cache line. So what a
 * hit loads of a cache lies in the middle of one.
 */
struct cache {
	_Alignas(64) struct slabd_pool *pool; /* (C) */
	const uint64_t *plain; /* (C) at 0: forked, watched (tools.h), checked */
	const struct layout_cache *row; /* (C) */
	uint32_t id;                    /* (C) */
	uint32_t slot;                  /* (C) */
	struct slabd_cache head;        /* (C) what the inline hit reads */
	uint32_t refs;                  /* (L) */
	bool strict;                    /* (C) */
	bool checked;                   /* (C) see checked.h */
	uint32_t cap_max;               /* (C) see cap_most */
	struct depots *depots[NODES_MAX]; /* (A) NULL -> depots_of's */
	struct slabd_mag_ *local;         /* (A) NULL -> local_seen's */
};

/* head: of a cache that is open. */
static inline struct cache *cache_of(const slabd_cache *head)
{
	return (struct cache *)((uintptr_t)head - offsetof(struct cache, head));
}

/* Whether alloc and free have nothing to see to but themselves: the pool is
 * alive, no tool watches, and it is not checked. */
static inline bool cache_is_plain(const struct cache *cache)
{
	return atom_load(cache->plain) != 0;
}

#endif
