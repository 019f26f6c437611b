/* SPDX-License-Identifier: MIT */
#include "client/turn.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "client/barrier.h"
#include "client/error.h"
#include "client/link.h"

#define TURN_SPINS 1024u
#define TURN_SLEEPS 2000u /* of a millisecond */
#define NO_BARRIER_MS 10

static void sleep_ms(long ms)
{
	int held = link_hold();
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
	link_let_go(held);
}

/* Between the looks at a word; false: for long enough. */
static bool wait_on(unsigned i)
{
	if (i == TURN_SPINS + TURN_SLEEPS)
		return false;
	if (i > TURN_SPINS)
		sleep_ms(1);
	else if (i % 64 == 0)
		sched_yield();
	return true;
}

static bool take(uint32_t *turn)
{
	uint32_t none = 0;
	/* pairs: turn_end; what the last one changed is seen. */
	for (unsigned i = 1; !atom_cas(turn, &none, 1u); i++) {
		none = 0;
		if (!wait_on(i))
			return false;
	}
	return true;
}

/* The turns were another thread's own, if they still are. Where the kernel refuses
 * the barrier that it had promised, as in a sandbox, the wait is far longer than
 * processors keep a store to themselves. False: it stands still within one. */
static bool share(struct turns *turns)
{
	uintptr_t whose = 0;
	/* pairs: is_first; there was no turn yet. */
	if (atom_cas(&turns->whose, &whose, TURNS_SHARED))
		return true;
	if (whose != TURNS_LEFT && whose != TURNS_SHARED)
		/* pairs: turn_take, by the barrier that follows. */
		atom_cas(&turns->whose, &whose, TURNS_LEFT);
	if (!barrier_all())
		sleep_ms(NO_BARRIER_MS);
	/* pairs: turn_end; what was done within it is seen. */
	for (unsigned i = 1; atom_load_acquire(&turns->within) != 0; i++)
		if (!wait_on(i))
			return false;
	/* pairs: turn_of_many */
	atom_store_release(&turns->whose, TURNS_SHARED);
	return true;
}

/* A turn among several threads. */
static uint32_t *turn_of_many(struct turns *turns, uint64_t off)
{
	uint32_t *turn = &turns->busy[off / 64 % TURNS];
	/* pairs: share */
	if (atom_load_acquire(&turns->whose) != TURNS_SHARED && !share(turns))
		return NULL;
	return take(turn) ? turn : NULL;
}

/* The first turn of all: whether they are the calling thread's from now on. */
static bool is_first(struct turns *turns)
{
	uintptr_t none = 0;
	/* pairs: share */
	return atom_load(&turns->whose) == 0 && barrier_start() &&
	       atom_cas(&turns->whose, &none, turn_mark());
}

uint32_t *turn_take_slow(struct slabd_pool *pool, uint64_t off)
{
	uint32_t *turn;
	if (is_first(&pool->turns))
		return turn_take(pool, off);
	turn = turn_of_many(&pool->turns, off);
	if (turn == NULL)
		error_set(EAGAIN, "a thread of this process stands still while "
		          "it gives or takes object 0x%llx, or one of those "
		          "that share its turn: try again once it goes on",
		          (unsigned long long)off);
	return turn;
}

uint32_t *turn_take_parts(struct slabd_pool *pool)
{
	if (take(&pool->turns.parts))
		return &pool->turns.parts;
	error_set(EAGAIN, "a thread of this process stands still while it gives "
	          "an arena: try again once it goes on");
	return NULL;
}
