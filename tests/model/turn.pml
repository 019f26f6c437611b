/* SPDX-License-Identifier: MIT */
/*
 * Turns of a process's threads at an object (client/turn.h): its own as long as one
 * thread alone takes any, by plain stores, and shared from another's first one on.
 *
 * Threads do not die by themselves: a kill ends all of them, and the words with
 * them. What the owner of the turns stores goes through a buffer of its processor,
 * first in, first out, which empties at any time, and where another thread has the
 * kernel put a barrier into all; not even at a compare-and-swap of its own.
 */
#include "base.pml"

#ifndef MUTANT_no_barrier       /* no barrier before the look at within */
#define MUTANT_no_barrier 0
#endif
#ifndef MUTANT_no_wait          /* nor that look */
#define MUTANT_no_wait 0
#endif
#ifndef MUTANT_no_second_look   /* its owner looks at whose they are before alone */
#define MUTANT_no_second_look 0
#endif
#ifndef MUTANT_left_is_shared   /* who sees that they are to be shared does not wait */
#define MUTANT_left_is_shared 0
#endif
#ifndef MUTANT_shared_first     /* they are shared before the wait is over */
#define MUTANT_shared_first 0
#endif

#ifndef THREADS
#define THREADS 3
#endif
#define NOBODY 0                /* else whose: a thread, or */
#define SHARED 8
#define LEFT 9
#define DEPTH 4

byte whose;
bit within;                     /* as memory has it */
bit busy;
byte inside;                    /* threads that are at the object */
bit one_owner = 1;

/* Only the owner has anything in it: one for all. */
chan buffer = [DEPTH] of { bit };

inline drain() {
	do
	:: nempty(buffer) -> buffer ? within
	:: empty(buffer) -> break
	od
}

inline at_the_object() {
	d_step { inside++; one_owner = inside == 1; CHECK(one_owner) };
	d_step { inside-- }
}

/* share */
inline share() {
	d_step {
		if
		:: whose == NOBODY -> whose = SHARED
		:: whose != NOBODY && whose != SHARED -> whose = LEFT
		:: else
		fi
	};
	if
	:: MUTANT_shared_first -> d_step { whose = SHARED }
	:: else
	fi;
	if
	:: MUTANT_no_barrier
	:: !MUTANT_no_barrier -> d_step { drain(); skip }
	fi;
	if
	:: MUTANT_no_wait
	:: !MUTANT_no_wait -> within == 0
	fi;
	whose = SHARED
}

proctype thread(byte me) {
	byte seen;
again:
	seen = whose;
	if
	:: seen == me ->
		buffer ! 1;
		if
		:: MUTANT_no_second_look
		:: !MUTANT_no_second_look -> seen = whose
		fi;
		if
		:: seen == me -> at_the_object(); buffer ! 0; goto again
		:: seen != me -> buffer ! 0
		fi
	:: seen != me
	fi;
	/* turn_take_slow */
	seen = whose;
	if
	:: seen == NOBODY ->
		d_step {
			if
			:: whose == NOBODY -> whose = me
			:: else
			fi
		};
		goto again
	:: seen != NOBODY && seen != SHARED &&
	   !(seen == LEFT && MUTANT_left_is_shared) -> share()
	:: seen == SHARED || (seen == LEFT && MUTANT_left_is_shared)
	fi;
	d_step { !busy -> busy = 1 };
	at_the_object();
	busy = 0;
	goto again
}

/* Stores arrive some time. */
active proctype processor() {
	bit value;
	do
	:: d_step { nempty(buffer) -> buffer ? value; within = value }
	od
}

init {
	byte i = 1;
	atomic {
		do
		:: i <= THREADS -> run thread(i); i++
		:: else -> break
		od
	}
}
