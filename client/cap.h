/* SPDX-License-Identifier: MIT */
/*
 * How many objects a magazine may hold.
 *
 *   0 -> 1..16   its first miss
 *   c -> 2c      a miss, within the thread's budget
 *   c -> c/2     no miss for a while, or another magazine that holds less
 *                misses and the budget is spent
 *
 * So under want of budget all that miss come to hold as many bytes, and what
 * is large does not starve what is small. Objects over an eighth of the budget
 * have no magazines.
 */
#ifndef CLIENT_CAP_H
#define CLIENT_CAP_H

#include "client/types.h"

/* What cache->cap_max becomes: the objects that a magazine may ever hold. */
uint32_t cap_most(const struct slabd_pool *pool, uint32_t stride);

/* After a miss, which is a sign that the magazine is too small. Gives an
 * unused one its key. Now and then shrinks another that idles. */
void cap_grow(struct thread *self, const struct attachment *att,
              const struct cache *cache, struct slabd_mag_ *mag);

#endif
