/* SPDX-License-Identifier: MIT */
/*
 * Handles and gifts: the generation of what lies in a place, the tag's known
 * bit, the gift that waits to be taken, and the threads of a client, of which
 * one at a time gives or takes an object.
 *
 * One place for an object; client 1 has two threads, client 2 has one. Claims
 * are one step: tags_lease.pml has them in full. Ids and their reuse are those of
 * ident.pml, and so are stores on their way: here each store is followed by a
 * release of the same process, or by a cas.
 */
#include "base.pml"

#ifndef MUTANT_take_no_turn     /* several threads of a client take at once */
#define MUTANT_take_no_turn 0
#endif
#ifndef MUTANT_give_no_turn     /* one may take while another one gives */
#define MUTANT_give_no_turn 0
#endif
#ifndef MUTANT_tag_first        /* it waits once it is the receiver's */
#define MUTANT_tag_first 0
#endif
#ifndef MUTANT_no_bump          /* what is freed keeps its generation */
#define MUTANT_no_bump 0
#endif
#ifndef MUTANT_sweep_no_bump    /* what is swept does */
#define MUTANT_sweep_no_bump 0
#endif
#ifndef MUTANT_no_know          /* a handle leaves the tag plain */
#define MUTANT_no_know 0
#endif
#ifndef MUTANT_know_once        /* it looks at the tag before the generation alone */
#define MUTANT_know_once 0
#endif
#ifndef MUTANT_ungive_plain     /* what is taken back is not known any more */
#define MUTANT_ungive_plain 0
#endif
#ifndef MUTANT_ungive_waits     /* what is taken back goes on waiting */
#define MUTANT_ungive_waits 0
#endif
#ifndef MUTANT_no_tag_look      /* a taker looks at the generation alone */
#define MUTANT_no_tag_look 0
#endif
#ifndef MUTANT_gen_first        /* it looks at the tag last, and stores all the same */
#define MUTANT_gen_first 0
#endif
#ifndef ASSUME_not_as_freed     /* no handle is made of what is being freed */
#define ASSUME_not_as_freed 1
#endif
#ifndef SELF                    /* clients give to themselves, too */
#define SELF 0
#endif

#ifndef PAIR                    /* client 1 has two threads */
#define PAIR 1
#endif
#define THREADS 3
#define CLIENTS 2
#define NOBODY 0
#define LIVE 1
#define DEAD 2

/* Tags: FREE, a client, a client and KNOWN, or slabd's own. */
#define KNOWN 4
#define SRV 3
#define OWNER(t) ((t) & 3)
#define IS_DEAD(t) (OWNER(t) == SRV || (OWNER(t) != FREE && row[OWNER(t)] != LIVE))

/* Handles whose generation is that of the place now: of the object that lies
 * there (TRUE_ONE), or of an earlier one (FALSE_ONE). Others are refused by all,
 * whatever else happens, and need not be kept. */
#define TRUE_ONE 1
#define FALSE_ONE 2

/* shared */
byte tag;
bit waits;                      /* of the generation word */
/* control */
byte row[CLIENTS + 1];
bit noted;                      /* a sweep is under way */
/* the kernel */
bit alive[CLIENTS + 1];
/* slabd's own */
bit swept[CLIENTS + 1];
/* a client's own */
bit turn[CLIENTS + 1];
byte inside[CLIENTS + 1];       /* threads that are in a call */

/* Handles may be kept by anybody, passed on, and outlive who made them. */
byte handles;
byte hand_in[THREADS + 1];      /* the handle of a take under way */
byte coming[THREADS + 1];       /* one that is being made */

/* What nobody can see: who believes to own the object, or which thread is at
 * work with it; to whom it was given. */
byte owned_by;
byte in_hand;
byte gift_to;
byte to_id[THREADS + 1];
bit freeing;                    /* it is being freed */
bit srv_busy;

bit one_owner = 1;
bit living_unswept = 1;
bit not_lost = 1;
bit taken_once = 1;

hidden byte x;

/* The generation is another: no handle is the place's any more. */
inline bump() {
	handles = 0;
	x = 1;
	do
	:: x <= THREADS -> hand_in[x] = 0; coming[x] = 0; x++
	:: else -> break
	od;
	x = 0
}

/* The object's life is over: handles that still fit are of an earlier one. */
inline end_life() {
	handles = (handles != 0 -> FALSE_ONE : 0);
	x = 1;
	do
	:: x <= THREADS ->
		hand_in[x] = (hand_in[x] != 0 -> FALSE_ONE : 0);
		x++
	:: else -> break
	od;
	x = 0
}

inline look_at_rest() {
	if
	:: inside[1] == 0 && inside[2] == 0 && !srv_busy && !noted &&
	   row[1] != DEAD && row[2] != DEAD &&
	   (row[1] == NOBODY || alive[1]) && (row[2] == NOBODY || alive[2]) ->
		if
		:: tag == FREE -> not_lost = owned_by == 0 && gift_to == 0
		:: else ->
			not_lost = tag != SRV &&
			    ((owned_by == OWNER(tag) && gift_to == 0 &&
			      !((tag & KNOWN) != 0 && waits)) ||
			     (gift_to == OWNER(tag) && owned_by == 0 &&
			      (tag & KNOWN) != 0 && waits))
		fi;
		CHECK(not_lost)
	:: else
	fi
}

/* ---- clients ------------------------------------------------------------ */

/* A step of a thread. A process is killed in between two steps, or while all its
 * threads stand still. */
#define DO(body) if :: d_step { alive[p] -> body } :: !alive[p] -> goto dead fi

inline begin() { inside[p]++; in = 1 }
inline end() {
	DO(inside[p]--; in = 0; hand_in[me] = 0; coming[me] = 0; to_id[me] = 0;
	   seen = 0; look_at_rest())
}

inline die(q) {
	alive[q] = 0;
	if
	:: owned_by == q -> owned_by = 0
	:: else
	fi;
	if
	:: in_hand != 0 && (in_hand == 3) == (q == 2) -> in_hand = 0; freeing = 0
	:: else
	fi;
	if
	:: gift_to == q -> gift_to = 0
	:: else
	fi;
	turn[q] = 0;
	look_at_rest()
}

#define TURN(mutant) \
	if \
	:: mutant \
	:: d_step { !(mutant) && alive[p] && !turn[p] -> turn[p] = 1 } \
	:: !alive[p] -> goto dead \
	fi
#define END_TURN(mutant) DO(if :: !(mutant) -> turn[p] = 0 :: else fi)

inline claim() {
	d_step {
		alive[p] && tag == FREE ->
		one_owner = owned_by == 0 && in_hand == 0 && gift_to == 0;
		CHECK(one_owner);
		tag = p;
		owned_by = p
	}
}

/* What a thread is about to free or give. */
inline take_in_hand() {
	owned_by = 0;
	in_hand = me;
	living_unswept = tag == p || (tag == (p | KNOWN) && !waits);
	CHECK(living_unswept)
}

/* tags_free_own, tags_free_known_own */
inline free() {
	DO(seen = tag; freeing = 1);
	if
	:: seen == (p | KNOWN) && !MUTANT_no_bump ->
		DO(waits = 0; bump())
	:: else
	fi;
	DO(tag = FREE; in_hand = 0; freeing = 0; end_life());
	end()
}

/* What is the receiver's own from here on. */
inline gift() {
	in_hand = 0;
	gift_to = (alive[to_id[me]] && row[to_id[me]] == LIVE -> to_id[me] : 0)
}

/* tags_ungive_own; who takes it back may go on with it. */
inline ungive() {
	DO(seen = 0;
	   if
	   :: tag == (to_id[me] | KNOWN) -> tag = p; seen = p; in_hand = me
	   :: else
	   fi);
	if
	:: seen == p ->
		if
		:: MUTANT_ungive_waits
		:: !MUTANT_ungive_waits -> DO(waits = 0)
		fi;
		if
		:: MUTANT_ungive_plain
		:: !MUTANT_ungive_plain ->
			DO(tag = p | KNOWN)
		fi;
		DO(in_hand = 0; owned_by = p)
	:: else
	fi
}

/* slabd_give, once it has seen the receiver live; of slabd_give_bulk each. */
inline give() {
	TURN(MUTANT_give_no_turn);
	DO(seen = tag);
	if
	:: seen != p -> DO(tag = p)
	:: else
	fi;
	if
	:: MUTANT_tag_first ->
		DO(tag = to_id[me] | KNOWN; gift());
		DO(waits = 1)
	:: !MUTANT_tag_first ->
		DO(waits = 1);
		DO(tag = to_id[me] | KNOWN; gift())
	fi;
	if
	:: row[to_id[me]] == LIVE
	:: row[to_id[me]] != LIVE -> ungive()
	fi;
	END_TURN(MUTANT_give_no_turn);
	end()
}

/* slabd_take, with any handle there is; of slabd_take_bulk each. It stores where the
 * two looks say that it may. */
inline take() {
	TURN(MUTANT_take_no_turn);
	if
	:: MUTANT_gen_first -> DO(seen = hand_in[me] != 0 && waits)
	:: !MUTANT_gen_first -> DO(seen = tag == (p | KNOWN) || MUTANT_no_tag_look)
	fi;
	if
	:: seen != 0 && MUTANT_gen_first -> DO(seen = tag == (p | KNOWN))
	:: seen != 0 && !MUTANT_gen_first -> DO(seen = hand_in[me] != 0 && waits)
	:: else
	fi;
	if
	:: seen != 0 ->
		DO(
		waits = 0;
		one_owner = owned_by == 0 && in_hand == 0;
		CHECK(one_owner);
		taken_once = gift_to == p && hand_in[me] == TRUE_ONE;
		CHECK(taken_once);
		gift_to = 0;
		owned_by = p)
	:: else
	fi;
	END_TURN(MUTANT_take_no_turn);
	end()
}

/* slabd_handle_of: of an object of whoever. It may be freed meanwhile, and then
 * be another's: if it is known once the generation is read, the handle is of what
 * lies there now. */
#define KEPT_OUT (ASSUME_not_as_freed && freeing)

inline handle_of() {
	DO(seen = tag);
	if
	:: seen != FREE && seen != SRV && (seen & KNOWN) == 0 && !MUTANT_no_know ->
		DO(if
		   :: tag == seen && !KEPT_OUT -> tag = seen | KNOWN
		   :: else
		   fi)
	:: else
	fi;
	DO(coming[me] = TRUE_ONE);
	DO(if
	   :: !KEPT_OUT && coming[me] != 0 && tag != FREE && tag != SRV &&
	      ((tag & KNOWN) != 0 || MUTANT_know_once || MUTANT_no_know) ->
		handles = handles | TRUE_ONE
	   :: else
	   fi);
	end()
}

/* slabd_gifts; of each place it meets. */
inline gifts() {
	DO(seen = tag);
	if
	:: seen == (p | KNOWN) ->
		DO(if
		   :: waits -> handles = handles | TRUE_ONE
		   :: else
		   fi)
	:: else
	fi;
	end()
}

#define MAY_GIVE(q) (alive[p] && owned_by == p && row[q] == LIVE && (SELF || q != p))
#define MAY_TAKE(h) (alive[p] && (handles & h) != 0)

proctype thread(byte me, p) {
	byte seen;
	bit in;
dead:
	if
	:: d_step {
		hand_in[me] = 0; coming[me] = 0; to_id[me] = 0; seen = 0;
		inside[p] = inside[p] - in;
		in = 0;
		look_at_rest()
	   }
	fi;
	do
	:: claim()
	:: d_step { alive[p] && owned_by == p -> take_in_hand(); begin() };
		free()
	:: d_step { MAY_GIVE(1) -> take_in_hand(); to_id[me] = 1; begin() };
		give()
	:: d_step { MAY_GIVE(2) -> take_in_hand(); to_id[me] = 2; begin() };
		give()
	:: d_step { MAY_TAKE(TRUE_ONE) -> hand_in[me] = TRUE_ONE; begin() };
		take()
	:: d_step { MAY_TAKE(FALSE_ONE) -> hand_in[me] = FALSE_ONE; begin() };
		take()
	:: d_step { alive[p] && tag != FREE && tag != SRV -> begin() };
		handle_of()
	:: d_step { alive[p] && tag == (p | KNOWN) -> begin() };
		gifts()
	od
}

/* ---- slabd -------------------------------------------------------------- */

/* A step, or slabd is killed before it. */
#define SRV_DO(body) if :: d_step { body } :: d_step { CRASHES -> crash() } goto start fi

inline crash() { i = 0; seen = 0; srv_busy = 0; look_at_rest() }

/* slab_sweep_srv, of all that no living client has; noted as look_and_count does. */
inline sweep() {
	SRV_DO(noted = 1; seen = tag);
	if
	:: IS_DEAD(seen) ->
		SRV_DO(
		if
		:: tag == seen -> tag = SRV
		:: else -> seen = FREE
		fi);
		if
		:: seen != FREE ->
			if
			:: MUTANT_sweep_no_bump -> SRV_DO(waits = 0)
			:: !MUTANT_sweep_no_bump -> SRV_DO(waits = 0; bump())
			fi;
			SRV_DO(tag = FREE; end_life())
		:: else
		fi
	:: else
	fi;
	SRV_DO(noted = 0; seen = 0)
}

#define HAS_DIED(id) ((row[id] == LIVE && !alive[id]) || (row[id] == DEAD && !swept[id]))
#define RESTS(id) (to_id[1] != id && to_id[2] != id && to_id[3] != id)
#define MAY_LIVE(id) (row[id] == NOBODY && inside[id] == 0 && RESTS(id))

proctype slabd() {
	byte i, seen;
start:
	/* sweep_adopt */
	if
	:: noted -> srv_busy = 1; sweep()
	:: !noted
	fi;
	d_step { srv_busy = 0; look_at_rest() };
	do
	:: d_step {
		if
		:: HAS_DIED(1) -> i = 1
		:: !HAS_DIED(1) && HAS_DIED(2) -> i = 2
		fi;
		srv_busy = 1
	   };
		SRV_DO(row[i] = DEAD);
		sweep();
		SRV_DO(swept[i] = 1; i = 0; srv_busy = 0; look_at_rest())
	:: d_step {
		if
		:: row[1] == DEAD && swept[1] -> i = 1
		:: !(row[1] == DEAD && swept[1]) && row[2] == DEAD && swept[2] -> i = 2
		fi;
		srv_busy = 1
	   };
		sweep();
		SRV_DO(row[i] = NOBODY; swept[i] = 0; i = 0; srv_busy = 0; look_at_rest())
	:: d_step {
		if
		:: MAY_LIVE(1) -> i = 1
		:: !MAY_LIVE(1) && MAY_LIVE(2) -> i = 2
		fi;
		srv_busy = 1
	   };
		sweep();
		SRV_DO(row[i] = LIVE; alive[i] = 1; i = 0; srv_busy = 0; look_at_rest())
	:: d_step { CRASHES -> crash() } goto start
	od
}

proctype killer() {
	do
	:: d_step { MORTAL >= 1 && alive[1] -> die(1) }
	:: d_step { MORTAL >= 2 && alive[2] -> die(2) }
	od
}

init {
	atomic {
		run slabd();
		run killer();
		run thread(1, 1);
#if PAIR
		run thread(2, 1);
#endif
		run thread(3, 2)
	}
}
