/* SPDX-License-Identifier: MIT */
/* The words of turns, of each pool: see turn.h. Letters as in types.h. */
#ifndef CLIENT_TURNS_H
#define CLIENT_TURNS_H

#include <stdint.h>

/* Turns at objects, see turn.h. What of gifts is not counted yet: added to in
 * turns of the only thread, and later swapped out by whoever comes. */
#define TURNS 64u
#define TURNS_GIVEN 8u /* receivers that are counted apart */
struct turns {
	/* (A) 0 -> a thread's mark (its first turn, while there are no others)
	 * -> TURNS_LEFT (another's first turn) -> TURNS_SHARED, for good (it, or
	 * one more, by a release that turn_of_many acquires: within is 0). */
	uintptr_t whose;
	uint32_t within;      /* (A) 1: that thread's turn; it alone stores it */
	uint32_t parts;       /* (A) 1: somebody gives what may pass as one */
	uint32_t busy[TURNS]; /* (A) 1: a thread is at such an object, shared */
	uint64_t taken_bytes; /* (A) of gifts; see count_taken */
	struct turns_given {  /* see count_given */
		uint64_t receiver; /* (A) its word */
		uint64_t bytes;    /* (A) */
		uint32_t client_id; /* (A) */
	} given[TURNS_GIVEN];
	/* To whom the thread whose own they are has given last, see plain.h. */
	struct turns_last {
		uint64_t receiver;         /* its word, and where that is */
		const uint64_t *word;
		uint64_t *touched;         /* its row */
		struct turns_given *given; /* what its count has not heard of */
		uint64_t most;             /* bytes there: then the count is due */
		uint32_t client_id;        /* 0: nobody */
		uint32_t gen;              /* of the object, as it was given */
		const uint16_t *gen_at;
		uint32_t head;             /* of its slab, where it went */
		const void *object;        /* NULL: none, by the plain way */
	} last;
};

#endif
