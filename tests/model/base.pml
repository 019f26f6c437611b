/* SPDX-License-Identifier: MIT */
/*
 * What the models share: who lives, and stores that are on their way.
 *
 * A process is a client (1, 2, ..) or slabd (0). Each step of it is one access
 * to one shared word, and before each step it may be killed: OR_DIE.
 *
 * A plain store goes into the store buffer of its processor, where only the
 * processor itself sees it, and reaches memory at any later time. A fence, and
 * each locked operation (cas, set, clear, swap), waits until it has. A kill does
 * too: what was executed is executed. The buffer holds one store: a second one
 * sends the first to memory.
 */
#define BIT_OF(ix) (1 << (ix))

/* A step that may be the last. Bodies are deterministic and never wait. */
#define OR_DIE :: d_step { (me == 0 -> CRASHES : me <= MORTAL) -> die(me) } goto dead
#define STEP(body) if :: d_step { body } OR_DIE fi

#define FREE 0

/* Clients 1 to MORTAL die, and slabd does if CRASHES. */
#ifndef MORTAL
#define MORTAL 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

/* Holds in every state, or the search ends. ONLY=P_x leaves all but x unchecked:
 * a mutant must be caught by the property that it is about. */
#define P_one_owner 1
#define P_living_unswept 2
#define P_not_lost 3
#define P_listed 4
#define P_lease_exact 5
#define P_adoption 6
#define P_taken_once 7
#ifndef ONLY
#define ONLY 0
#endif
#define CHECK(p) assert(p || (ONLY != 0 && ONLY != P_##p))
