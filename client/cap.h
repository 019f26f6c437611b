/* SPDX-License-Identifier: MIT */
/*
 * How many objects a magazine may hold.
 *
 *   0 -> 1..16   its first miss
 *   c -> 2c      a miss, where the thread may hold that much
 *   c -> c/2     no miss for a while; another magazine that holds less misses
 *                and the thread may hold no more; it may hold less by now
 *
 * A thread that goes to sleep keeps what its magazines hold, and nobody can
 * have it. So a thread may hold
 *
 *   64 KiB, the floor, or its part of a small pool; or
 *   an eighth of what it has in use, which falls as it frees: before it has
 *   freed all, some magazine is full, and the caps fall with what is in use; or
 *   1 MiB, once it has missed often, as long as all threads of the process
 *   hold no more than their floors come to, or 2 MiB; of more than four
 *   threads half of both
 *
 * and all threads as much as their floors come to, 2 MiB at least, or an
 * eighth of what the process has in use if that is more. In that a quarter of its floor is kept
 * for each, which it may hold in any case. Depots and magazines together stay
 * within credit_limit.
 *
 * Under want of room all magazines that miss come to hold as many bytes, and
 * what is large does not starve what is small. A cache for whose objects there
 * is no room, or whose objects are over an eighth of the thread's budget, has
 * no magazine there.
 */
#ifndef CLIENT_CAP_H
#define CLIENT_CAP_H

#include "client/types.h"

/* What cache->cap_max becomes: the objects that a magazine may ever hold. */
uint32_t cap_most(const struct slabd_pool *pool, uint32_t stride);

/* After a miss, which is a sign that the magazine is too small. Gives an
 * unused one its key; its cap is still 0 where there is no room for it. Now and
 * then shrinks another that idles. */
void cap_grow(struct thread *self, struct attachment *att,
              const struct cache *cache, struct slabd_mag_ *mag);

/* Shrinks the magazines of a thread that holds more than it may by now. */
void cap_settle(struct thread *self, struct attachment *att);

#endif
