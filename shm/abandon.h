/* SPDX-License-Identifier: MIT */
/*
 * Requests that a client waits for no more: a slabd that stood still does not do later
 * what was answered ETIMEDOUT, as who asked goes on as if it was not done.
 *
 * One word a client, behind the counts of its stats in the shared file: a request's
 * number, and whether slabd has begun it. Numbers go up by one, and wrap.
 *
 *   up to n given up -> n' given up   (the client, which waits for n' no more)
 *                    -> n' begun      (slabd, as it is about to do n' > n)
 *   n begun -> n' given up, n' begun  (the same; n' > n, as n is over)
 *           -> n - 1 given up         (slabd, which goes on with n later)
 *
 * So a request that both want is either's: the swap of one fails. All that a client
 * writes here costs that client alone. Killed before or after, the client is no more;
 * slabd leaves n begun, of which nothing tells whether it was done, as long as the
 * client asks for nothing else; the next slabd begins it again if it is asked again.
 */
#ifndef SHM_ABANDON_H
#define SHM_ABANDON_H

#include "shm/atom.h"
#include "shm/view.h"

#define ABANDON_BEGUN (UINT64_C(1) << 32)

_Static_assert(STAT_COUNTS < STATS_WORDS, "a word behind the counts");

static inline uint64_t *abandon_word(const struct view *view, uint32_t id)
{
	return &view->stats[id * STATS_WORDS + STAT_COUNTS];
}

/* The client waits for a request no more. False: slabd has begun it. */
static inline bool abandon_any(const struct view *view, uint32_t id,
                               uint32_t seq)
{
	uint64_t *word = abandon_word(view, id);
	uint64_t old = atom_load(word);
	do
		if (old == (ABANDON_BEGUN | seq))
			return false;
	/* pairs: abandon_begin_srv; of both one has it. */
	while (!atom_cas(word, &old, (uint64_t)seq));
	return true;
}

/* slabd is about to do it. False: it was given up. */
static inline bool abandon_begin_srv(const struct view *view, uint32_t id,
                                     uint32_t seq)
{
	uint64_t *word = abandon_word(view, id);
	uint64_t old = atom_load(word);
	bool given_up = old != 0 && (old & ABANDON_BEGUN) == 0 &&
	                (int32_t)(seq - (uint32_t)old) <= 0;
	/* pairs: abandon_any */
	return !given_up && atom_cas(word, &old, ABANDON_BEGUN | seq);
}

/* It goes on with it later, and may find it given up then. */
static inline void abandon_pause_srv(const struct view *view, uint32_t id,
                                     uint32_t seq)
{
	uint64_t old = ABANDON_BEGUN | seq;
	/* pairs: abandon_any */
	(void)atom_cas(abandon_word(view, id), &old, (uint64_t)(seq - 1));
}

#endif
