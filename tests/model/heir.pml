/* SPDX-License-Identifier: MIT */
/*
 * Several objects that pass from a client to another as one (shm/heir.h): the parts
 * of an arena, which both sides and slabd may be killed over. The first part leads
 * to the others.
 *
 * Client 1 makes arenas, gives them and frees them; client 2 takes them and frees
 * them. Ids and their reuse are those of ident.pml, single gifts and the threads of
 * a client those of gifts.pml.
 */
#include "base.pml"

#ifndef MUTANT_no_settle        /* a sweep frees what was offered */
#define MUTANT_no_settle 0
#endif
#ifndef MUTANT_settle_lead_first /* slabd hands on the first part first */
#define MUTANT_settle_lead_first 0
#endif
#ifndef MUTANT_name_first       /* the heir is named before all is offered */
#define MUTANT_name_first 0
#endif
#ifndef MUTANT_forget_first     /* it is forgotten before all is handed */
#define MUTANT_forget_first 0
#endif
#ifndef MUTANT_lead_first       /* the first part is handed first */
#define MUTANT_lead_first 0
#endif
#ifndef MUTANT_no_epoch         /* slabd goes by the heir's id alone */
#define MUTANT_no_epoch 0
#endif
#ifndef MUTANT_no_second_look   /* the giver does not look at the row again */
#define MUTANT_no_second_look 0
#endif

#ifndef PARTS
#define PARTS 2
#endif
#define CLIENTS 2
#define NOBODY 0
#define LIVE 1
#define DEAD 2

#define KNOWN 4
#define SRV 3
#define OWNER(t) ((t) & 3)
#define IS_DEAD(t) (OWNER(t) == SRV || (OWNER(t) != FREE && row[OWNER(t)] != LIVE))
#define GIFT (2 | KNOWN)

/* shared */
byte tag[PARTS];
bit waits[PARTS];
byte heir;                      /* 0, or 1 + the epoch of client 2 */
/* control */
byte row[CLIENTS + 1];
bit epoch;                      /* of client 2: its id rests meanwhile, see below */
bit noted;                      /* a sweep is under way */
/* the kernel */
bit alive[CLIENTS + 1];
/* slabd's own */
bit swept[CLIENTS + 1];

/* What nobody can see. */
bit inside[CLIENTS + 1];        /* it is in a call */
bit has[CLIENTS + 1];           /* it has the whole arena */
bit giving;                     /* to the client 2 that it saw */
bit srv_busy;
hidden byte n_free;
hidden byte n_gifts;
hidden byte n_own;

bit one_owner = 1;
bit living_unswept = 1;
bit not_lost = 1;
bit taken_once = 1;

hidden byte x;

inline look_at_rest() {
	if
	:: !inside[1] && !inside[2] && !srv_busy && !noted &&
	   row[1] != DEAD && row[2] != DEAD &&
	   (row[1] == NOBODY || alive[1]) && (row[2] == NOBODY || alive[2]) ->
		n_free = 0;
		n_gifts = 0;
		n_own = 0;
		x = 0;
		do
		:: x < PARTS ->
			n_free = n_free + (tag[x] == FREE);
			n_gifts = n_gifts + (tag[x] == GIFT && waits[x]);
			n_own = n_own +
			    ((OWNER(tag[x]) == 1 && has[1]) ||
			     (tag[x] == GIFT && !waits[x] && has[2]));
			x++
		:: else -> break
		od;
		x = 0;
		not_lost = n_free == PARTS || n_gifts == PARTS || n_own == PARTS;
		n_free = 0;
		n_gifts = 0;
		n_own = 0;
		CHECK(not_lost)
	:: else
	fi
}

inline die(q) {
	alive[q] = 0;
	has[q] = 0;
	look_at_rest()
}

/* A step of a client; it may be killed in between two. */
#define DO(body) if :: d_step { alive[me] -> body } :: !alive[me] -> goto dead fi

/* All that a client has is free. */
inline free_all() {
	i = 0;
	do
	:: i < PARTS ->
		DO(living_unswept = OWNER(tag[i]) == me && !(me == 2 && waits[i]);
		   CHECK(living_unswept);
		   waits[i] = 0;
		   tag[i] = FREE;
		   i++)
	:: else -> break
	od;
	DO(has[me] = 0; inside[me] = 0; i = 0; look_at_rest())
}

inline offer_all() {
	i = 0;
	do
	:: i < PARTS ->
		DO(if
		   :: tag[i] != 1 -> tag[i] = 1
		   :: else
		   fi);
		DO(waits[i] = 1; i++)
	:: else -> break
	od
}

/* The last one first. */
inline hand_all() {
	i = 0;
	do
	:: i < PARTS ->
		DO(at = (MUTANT_lead_first -> i : PARTS - 1 - i);
		   one_owner = tag[at] == 1 && waits[at];
		   CHECK(one_owner);
		   tag[at] = GIFT;
		   at = 0;
		   i++)
	:: else -> break
	od
}

/* tags_ungive_own of each: what of it came back is a number. */
inline take_back() {
	i = 0;
	n = 0;
	do
	:: i < PARTS ->
		DO(back = tag[i] == GIFT;
		   if
		   :: back -> tag[i] = 1
		   :: else
		   fi);
		if
		:: back ->
			DO(waits[i] = 0);
			DO(tag[i] = 1 | KNOWN; n++)
		:: else
		fi;
		back = 0;
		i++
	:: else -> break
	od
}

/* Not all came back: the rest was freed by the sweep, and so are these. */
inline drop_back() {
	i = 0;
	do
	:: i < PARTS ->
		DO(if
		   :: OWNER(tag[i]) == 1 -> tag[i] = FREE
		   :: else
		   fi;
		   i++)
	:: else -> break
	od
}

proctype giver() {
	byte i, n, at;
	byte named;
	bit back;
	byte me = 1;
dead:
	if
	:: d_step {
		i = 0; n = 0; at = 0; named = 0; back = 0;
		giving = 0;
		inside[1] = 0;
		look_at_rest()
	   }
	fi;
	do
	:: d_step { alive[1] && !has[1] && tag[0] == FREE && tag[PARTS - 1] == FREE &&
		    !has[2] -> inside[1] = 1 };
		i = 0;
		do
		:: i < PARTS ->
			if
			:: d_step { alive[1] && tag[i] == FREE -> tag[i] = 1; i++ }
			:: !alive[1] -> goto dead
			fi
		:: else -> break
		od;
		DO(has[1] = 1; inside[1] = 0; i = 0; look_at_rest())
	:: d_step { alive[1] && has[1] -> inside[1] = 1 };
		free_all()
	:: d_step { alive[1] && has[1] && row[2] == LIVE ->
		    inside[1] = 1; giving = 1; named = 1 + epoch };
		if
		:: MUTANT_name_first -> DO(heir = named); offer_all()
		:: !MUTANT_name_first -> offer_all(); DO(heir = named)
		fi;
		DO(has[1] = 0);
		if
		:: MUTANT_forget_first -> DO(heir = 0); hand_all()
		:: !MUTANT_forget_first -> hand_all(); DO(heir = 0)
		fi;
		if
		:: (row[2] == LIVE && named == 1 + epoch) || MUTANT_no_second_look
		:: row[2] != LIVE && !MUTANT_no_second_look ->
			take_back();
			if
			:: n == PARTS -> DO(has[1] = 1)
			:: n > 0 && n < PARTS -> drop_back()
			:: n == 0
			fi
		fi;
		DO(giving = 0; inside[1] = 0; i = 0; n = 0; named = 0; look_at_rest())
	od
}

/* Of a gift that waits the first part is taken, and leads to the others. */
proctype receiver() {
	byte i;
	byte me = 2;
dead:
	if
	:: d_step { i = 0; inside[2] = 0; look_at_rest() }
	fi;
	do
	:: d_step { alive[2] && tag[0] == GIFT && waits[0] ->
		    inside[2] = 1; waits[0] = 0; i = 1 };
		do
		:: i < PARTS ->
			DO(taken_once = tag[i] == GIFT && waits[i];
			   CHECK(taken_once);
			   waits[i] = 0;
			   i++)
		:: else -> break
		od;
		DO(has[2] = 1; inside[2] = 0; i = 0; look_at_rest())
	:: d_step { alive[2] && has[2] -> inside[2] = 1 };
		free_all()
	od
}

/* ---- slabd -------------------------------------------------------------- */

#define SRV_DO(body) if :: d_step { body } :: d_step { CRASHES -> crash() } goto start fi

inline crash() { i = 0; k = 0; seen = 0; at = 0; srv_busy = 0; look_at_rest() }

#define NAMED (heir != 0 && row[2] == LIVE && (heir == 1 + epoch || MUTANT_no_epoch))

/* sweep_settle, the part that leads last. */
inline settle() {
	k = 0;
	do
	:: k < PARTS ->
		SRV_DO(at = (MUTANT_settle_lead_first -> k : PARTS - 1 - k);
		       seen = tag[at]);
		if
		:: seen == 1 && waits[at] ->
			SRV_DO(if
			       :: tag[at] == seen -> waits[at] = 1; tag[at] = GIFT
			       :: else
			       fi)
		:: else
		fi;
		k++
	:: else -> break
	od;
	SRV_DO(k = 0; at = 0; seen = 0)
}

/* tags_sweep_srv */
inline sweep() {
	SRV_DO(noted = 1; k = 0);
	do
	:: k < PARTS ->
		SRV_DO(seen = tag[k]);
		if
		:: IS_DEAD(seen) ->
			SRV_DO(
			if
			:: tag[k] == seen -> tag[k] = SRV
			:: else -> seen = FREE
			fi);
			if
			:: seen != FREE ->
				SRV_DO(waits[k] = 0);
				SRV_DO(tag[k] = FREE)
			:: else
			fi
		:: else
		fi;
		k++
	:: else -> break
	od;
	SRV_DO(noted = 0; seen = 0; k = 0)
}

#define HAS_DIED(id) ((row[id] == LIVE && !alive[id]) || (row[id] == DEAD && !swept[id]))
/* Nobody stands in the middle of giving to its last holder: late_reuse. An epoch does
 * not come back, though here it has one bit. */
#define MAY_LIVE(id) (row[id] == NOBODY && !inside[id] && \
		      !(id == 2 && (giving || heir == 2 - epoch)))

inline bury() {
	if
	:: i == 1 && row[1] == LIVE && NAMED && !MUTANT_no_settle -> settle()
	:: else
	fi;
	SRV_DO(row[i] = DEAD);
	sweep();
	SRV_DO(swept[i] = 1; i = 0; srv_busy = 0; look_at_rest())
}

proctype slabd() {
	byte i, k, seen, at;
start:
	if
	:: noted -> srv_busy = 1; sweep()
	:: !noted
	fi;
	d_step { srv_busy = 0; look_at_rest() };
	do
	:: d_step { HAS_DIED(1) -> i = 1; srv_busy = 1 };
		bury()
	:: d_step { HAS_DIED(2) -> i = 2; srv_busy = 1 };
		bury()
	:: d_step {
		if
		:: row[1] == DEAD && swept[1] -> i = 1
		:: row[2] == DEAD && swept[2] && !(row[1] == DEAD && swept[1]) -> i = 2
		fi;
		srv_busy = 1
	   };
		sweep();
		/* sweep_forget comes first. */
		SRV_DO(if
		       :: i == 1 -> heir = 0
		       :: else
		       fi);
		SRV_DO(row[i] = NOBODY; swept[i] = 0; i = 0; srv_busy = 0; look_at_rest())
	:: d_step {
		if
		:: MAY_LIVE(1) -> i = 1
		:: !MAY_LIVE(1) && MAY_LIVE(2) -> i = 2
		fi;
		srv_busy = 1
	   };
		sweep();
		SRV_DO(row[i] = LIVE; alive[i] = 1;
		       epoch = (i == 2 -> 1 - epoch : epoch);
		       i = 0; srv_busy = 0; look_at_rest())
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
		run giver();
		run receiver()
	}
}
