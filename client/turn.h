/* SPDX-License-Identifier: MIT */
/*
 * Of a process's threads one at a time gives or takes an object: between another's
 * look and its store one could take the gift and give it on, and both would have
 * it; so it would be where one takes what another is about to give. And one at a
 * time gives objects of which several may pass as one (shm/heir.h), as slabd has to
 * tell what is a part of them.
 *
 * A turn is held for some instructions, or those of some chunks. For who was
 * preempted within them, whatever its priority, others wait asleep; of one that a
 * debugger stopped they give up after two seconds or so.
 *
 * As long as one thread alone takes turns, they are its own: two plain stores each,
 * of which the first is not ordered before the look at whose they are. Another
 * thread's first turn ends that: it says so, has the kernel put a barrier into all
 * threads, and then waits until that one is within no turn. Who began before the
 * barrier is seen within, and who begins after it sees that turns are shared. From
 * then on a turn is a compare-and-swap of the word that an object shares with others.
 *
 *   another   whose = LEFT, the barrier, waits for within to be 0, whose = SHARED
 *   its own   within = 1, sees itself in whose, goes on, within = 0
 *             within = 1, sees LEFT or SHARED, within = 0, and then as another
 */
#ifndef CLIENT_TURN_H
#define CLIENT_TURN_H

#include "client/thread.h"
#include "client/types.h"
#include "shm/atom.h"

#define TURNS_SHARED ((uintptr_t)1)
#define TURNS_LEFT ((uintptr_t)2)

/* What tells a thread from others that live. */
static inline uintptr_t turn_mark(void)
{
	return (uintptr_t)&thread_self_;
}

uint32_t *turn_take_slow(struct slabd_pool *pool, uint64_t off);

/* For the object at an offset. NULL with EAGAIN. */
static inline uint32_t *turn_take(struct slabd_pool *pool, uint64_t off)
{
	struct turns *turns = &pool->turns;
	if (__builtin_expect(atom_load(&turns->whose) == turn_mark(), 1)) {
		atom_store(&turns->within, 1u);
		/* pairs: share, by the kernel's barrier. */
		atom_meet();
		if (__builtin_expect(atom_load(&turns->whose) == turn_mark(), 1))
			return &turns->within;
		/* pairs: share */
		atom_store_release(&turns->within, 0u);
	}
	return turn_take_slow(pool, off);
}

/* Whether a turn is one that no other thread of the process has at the same time,
 * whatever the object is. */
static inline bool turn_is_own(const struct slabd_pool *pool,
                               const uint32_t *turn)
{
	return turn == &pool->turns.within;
}

/* For what may pass as one, before any of the former. NULL with EAGAIN. */
uint32_t *turn_take_parts(struct slabd_pool *pool);

static inline void turn_end(uint32_t *turn)
{
	/* pairs: share, take */
	atom_store_release(turn, 0u);
}

#endif
