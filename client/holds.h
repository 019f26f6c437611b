/* SPDX-License-Identifier: MIT */
/* What the calling thread holds free: who gives that away has freed it before. */
#ifndef CLIENT_HOLDS_H
#define CLIENT_HOLDS_H

#include "client/thread.h"
#include "client/types.h"
#include "shm/atom.h"

#define HOLDS_NEWEST 8u /* of a magazine, and of what is on its way to a node */

/* Whether an object of a pool is among the newest that the calling thread holds
 * free, in a magazine or on its way home. A look at all of a magazine would cost
 * more than the rest of a give. */
bool holds_object(const struct slabd_pool *pool, const void *object);

/* Whether the magazine that was asked for last is its cache's, and it is not among the
 * newest there. */
static inline bool holds_last_without(const struct slabd_pool *pool,
                                    uint32_t cache, const void *object)
{
	const struct thread *self = thread_self_;
	const struct slabd_mag_ *mag;
	void *const *at;
	if (self == NULL || self->idle)
		return false;
	mag = &self->mags[self->sought];
	if (WORD_CACHE(atom_load(&mag->key)) != cache || mag->n < HOLDS_NEWEST ||
	    (uint64_t)((const char *)mag->obj[0] - pool->user.data) >=
	            pool->data_bytes)
		return false;
	at = mag->obj + mag->n - HOLDS_NEWEST;
	return at[0] != object && at[1] != object && at[2] != object &&
	       at[3] != object && at[4] != object && at[5] != object &&
	       at[6] != object && at[7] != object;
}

/* The same of any that lies from one to another, both of its cache's slab. */
bool holds_between(const struct slabd_pool *pool, const void *first,
                   const void *last);

/* The next n that the calling thread will allocate in the cache of an object are
 * fetched, to be written: who sends goes on to fill others, whose lines are another
 * core's. */
void holds_fetch_next(const struct slabd_pool *pool, const void *object, size_t n);

#endif
