/* SPDX-License-Identifier: MIT */
/*
 * A run that is sent on from one channel to another (client/begun.c, forward_run): the
 * stage between may be killed at each step of it, and so may slabd as it settles both
 * rings. The others live: at one end two objects are allocated and sent on the first
 * channel, at the other they are received from the second and freed, and go round. How
 * these do it is the matter of channel.pml: here each is one step.
 */
#include "base.pml"

#ifndef MUTANT_by_own           /* the objects are the stage's own in between */
#define MUTANT_by_own 0
#endif
#ifndef MUTANT_claim_late       /* the other ring names them after the tags */
#define MUTANT_claim_late 0
#endif
#ifndef MUTANT_leave_first      /* the first ring forgets them before the tags */
#define MUTANT_leave_first 0
#endif
#ifndef MUTANT_publish_first    /* they may be received before it forgets them */
#define MUTANT_publish_first 0
#endif
#ifndef MUTANT_no_trim          /* a settled entry has all that it had */
#define MUTANT_no_trim 0
#endif
#ifndef MUTANT_one_ring         /* slabd settles the first ring alone */
#define MUTANT_one_ring 0
#endif

#define OBJS 2
#define SLOTS 4                 /* 0 and 1 of the first channel, 2 and 3 of the second */

#define ENDS 1                  /* owner: both ends, which are never killed */
#define STAGE 2
#define FROM 3
#define TO 4
#define CHANNEL(s) (s < 2 -> FROM : TO)

#define NONE 0
#define CLAIMED 1
#define READY 2
#define BEGUN 3

byte tag[OBJS];
byte state[SLOTS], at[SLOTS], n[SLOTS];

/* What nobody can see. */
bit alive = 1;
bit inside;
bit settled = 1;
bit one_owner = 1;
bit not_lost = 1;
bit listed = 1;

hidden byte x, y, named;

inline clear(s) { state[s] = NONE; at[s] = 0; n[s] = 0 }
#define HAS(s, o) (state[s] != NONE && at[s] <= o && o < at[s] + n[s])

/* At each step: of what the first channel owns no two entries can be delivered. At
 * rest each of its objects, and of the second's, is in one that can. */
inline look() {
	x = 0;
	do
	:: x < OBJS ->
		listed = listed && (tag[x] != FROM || !HAS(0, x) || !HAS(1, x));
		named = 0;
		y = (tag[x] == FROM -> 0 : 2);
		named = named + (state[y] == READY && HAS(y, x));
		named = named + (state[y + 1] == READY && HAS(y + 1, x));
		not_lost = not_lost && (inside || !settled || !alive ||
		    tag[x] < FROM || named == 1);
		x++
	:: else -> break
	od;
	x = 0; y = 0; named = 0;
	CHECK(listed);
	CHECK(not_lost)
}

inline die(q) { alive = 0; settled = 0; look() }

#define DO(body) if :: d_step { alive -> body; look() } :: !alive -> goto dead fi

/* ---- both ends -------------------------------------------------------------- */

/* Slots as channel_claim_any finds them: any that is free. */
inline send(first, many, s) {
	state[s] = READY; at[s] = first; n[s] = many;
	tag[first] = FROM;
	if
	:: many == 2 -> tag[1] = FROM
	:: else
	fi;
	look()
}

inline receive(s) {
	one_owner = one_owner && tag[at[s]] == TO && (n[s] < 2 || tag[1] == TO);
	CHECK(one_owner);
	tag[at[s]] = FREE;
	if
	:: n[s] == 2 -> tag[1] = FREE
	:: else
	fi;
	clear(s);
	look()
}

proctype ends() {
	do
	:: d_step { tag[0] == FREE && tag[1] == FREE && state[0] == NONE -> send(0, 2, 0) }
	:: d_step { tag[0] == FREE && tag[1] == FREE && state[1] == NONE -> send(0, 2, 1) }
	:: d_step { tag[0] == FREE && state[0] == NONE -> send(0, 1, 0) }
	:: d_step { tag[0] == FREE && state[1] == NONE -> send(0, 1, 1) }
	:: d_step { tag[1] == FREE && state[0] == NONE -> send(1, 1, 0) }
	:: d_step { tag[1] == FREE && state[1] == NONE -> send(1, 1, 1) }
	:: d_step { state[2] == READY -> receive(2) }
	:: d_step { state[3] == READY -> receive(3) }
	od
}

/* ---- the stage -------------------------------------------------------------- */

inline claim() {
	if
	:: d_step { alive && state[2] == NONE -> t = 2;
		    state[2] = CLAIMED; at[2] = at[s]; n[2] = many }
	:: d_step { alive && state[2] != NONE && state[3] == NONE -> t = 3;
		    state[3] = CLAIMED; at[3] = at[s]; n[3] = many }
	:: d_step { alive && state[2] != NONE && state[3] != NONE }
	   goto give_back
	:: !alive -> goto dead
	fi
}

inline pass() {
	i = first;
	do
	:: i < first + many ->
		if
		:: MUTANT_by_own -> DO(tag[i] = STAGE)
		:: !MUTANT_by_own
		fi;
		DO(tag[i] = TO; i++)
	:: else -> break
	od
}

/* Of a run that was sent on in part the rest stays begun. */
inline leave() {
	DO(if
	   :: many == n[s] -> clear(s)
	   :: else -> at[s] = at[s] + many; n[s] = n[s] - many
	   fi)
}

inline publish() { DO(state[t] = READY) }

proctype stage() {
	byte s, t, i, many, first;
	goto loop;
dead:
	if
	:: d_step { s = 0; t = 0; i = 0; many = 0; first = 0; inside = 0 }
	fi;
	if
	:: d_step { alive -> look() }
	fi;
loop:
	do
	:: d_step { alive && state[0] == READY -> s = 0; state[0] = BEGUN; inside = 1 };
		goto begun
	:: d_step { alive && state[1] == READY -> s = 1; state[1] = BEGUN; inside = 1 };
begun:
		if
		:: DO(many = n[s]; first = at[s])
		:: DO(many = 1; first = at[s])
		fi;
		if
		:: MUTANT_leave_first -> claim(); leave(); pass(); publish()
		:: MUTANT_claim_late -> pass(); t = 2; DO(
			state[2] = READY; at[2] = first; n[2] = many); leave()
		:: MUTANT_publish_first -> claim(); pass(); publish(); leave()
		:: !MUTANT_leave_first && !MUTANT_claim_late && !MUTANT_publish_first ->
			claim(); pass(); leave(); publish()
		fi;
		if
		:: d_step { state[s] != BEGUN -> skip }
		:: d_step { state[s] == BEGUN -> skip } goto begun
		fi;
give_back:
		/* What is left it puts back. */
		DO(if
		   :: state[s] == BEGUN -> state[s] = READY
		   :: else
		   fi;
		   inside = 0; s = 0; t = 0; i = 0; many = 0; first = 0)
	od
}

/* ---- slabd ------------------------------------------------------------------ */

#define SRV_DO(body) if :: d_step { body } :: d_step { CRASHES -> k = 0 } goto start fi

/* trim: sent, that is a first part; of what was begun, the rest. */
inline settle(s) {
	if
	:: (state[s] == CLAIMED || state[s] == BEGUN) && !(MUTANT_one_ring && s > 1) ->
		if
		:: MUTANT_no_trim
		:: !MUTANT_no_trim && state[s] == CLAIMED && tag[at[s]] != TO -> n[s] = 0
		:: !MUTANT_no_trim && state[s] == CLAIMED && tag[at[s]] == TO &&
		   n[s] == 2 && tag[1] != TO -> n[s] = 1
		:: !MUTANT_no_trim && state[s] == BEGUN && tag[at[s]] != FROM ->
			n[s] = n[s] - 1;
			at[s] = at[s] + 1;
			if
			:: n[s] == 1 && tag[1] != FROM -> n[s] = 0
			:: else
			fi
		:: else
		fi;
		if
		:: n[s] == 0 -> clear(s)
		:: else -> state[s] = READY
		fi
	:: else
	fi
}

/* Nothing may carry its id: it never owned any. */
inline sweep() {
	not_lost = not_lost && tag[k] != STAGE;
	CHECK(not_lost);
	tag[k] = (tag[k] == STAGE -> FREE : tag[k])
}

proctype slabd() {
	byte k;
start:
	do
	:: d_step { !alive -> k = 0 };
		SRV_DO(settle(0));
		SRV_DO(settle(1));
		SRV_DO(settle(2));
		SRV_DO(settle(3));
		SRV_DO(sweep(); k = 1);
		SRV_DO(sweep(); k = 0);
		/* Another stage, once nothing is left of the dead one. */
		d_step { !inside -> settled = 1; alive = 1; look() }
	od
}

proctype killer() {
	do
	:: d_step { alive -> die(2) }
	od
}

init {
	atomic {
		run slabd();
		run killer();
		run ends();
		run stage()
	}
}
