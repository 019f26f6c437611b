/* SPDX-License-Identifier: MIT */
/* What the calling thread holds free: who gives that away has freed it before. */
#ifndef CLIENT_HOLDS_H
#define CLIENT_HOLDS_H

#include "client/types.h"

#define HOLDS_NEWEST 8u /* of a magazine, and of what is on its way to a node */

/* Whether an object of a pool is among the newest that the calling thread holds
 * free, in a magazine or on its way home. A look at all of a magazine would cost
 * more than the rest of a give. */
bool holds_object(const struct slabd_pool *pool, const void *object);

/* The same of any that lies from one to another, both of its cache's slab. */
bool holds_between(const struct slabd_pool *pool, const void *first,
                   const void *last);

/* The next n that the calling thread will allocate in the cache of an object are
 * fetched, to be written: who sends goes on to fill others, whose lines are another
 * core's. */
void holds_fetch_next(const struct slabd_pool *pool, const void *object, size_t n);

#endif
