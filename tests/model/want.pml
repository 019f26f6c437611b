/* SPDX-License-Identifier: MIT */
/*
 * A client that is short: the want, the ring, the wait, the refusal; and slabd
 * that serves, refuses, asks anew, dies and is started again.
 *
 * One object's worth of memory, a client of a cache, a rival for the same one,
 * and a program that held the memory for another cache. The rival sets the want
 * and rings as it likes, dies before any step, or stops there and never goes
 * on. Words of this protocol are changed by locked operations or read by those
 * who wait for them, so there are no store buffers. README.md says which
 * function each part is, and what the bounds are.
 */
#ifndef MUTANT_no_retry            /* a refusal is never taken back */
#define MUTANT_no_retry 0
#endif
#ifndef MUTANT_no_last_ring        /* who gives up does not ring */
#define MUTANT_no_last_ring 0
#endif
#ifndef MUTANT_no_slice_ring       /* nor who waits */
#define MUTANT_no_slice_ring 0
#endif
#ifndef MUTANT_no_reap_serve     /* a reaping does not look at the wants */
#define MUTANT_no_reap_serve 0
#endif
#ifndef MUTANT_no_round_again    /* a ring within a round has no other follow */
#define MUTANT_no_round_again 0
#endif
#ifndef MUTANT_no_announce         /* slabd does not count what it did */
#define MUTANT_no_announce 0
#endif
#ifndef MUTANT_adopt_keeps_denied  /* a new slabd leaves refusals */
#define MUTANT_adopt_keeps_denied 0
#endif
#ifndef WAITS                      /* 0: the client has SLABD_NO_WAIT */
#define WAITS 1
#endif
#ifndef STOPS                      /* 0: the rival always goes on */
#define STOPS 1
#endif
#ifndef RESUME_RING                /* 1: who is back with slabd rings */
#define RESUME_RING 0
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif

/* Where the memory is. */
#define LISTED 1        /* an object on the list of the cache */
#define OTHER 2         /* free units, or an empty slab of another cache */
#define HELD_OTHER 3    /* such a slab with its object in use */
#define HELD 4          /* the client's */
#define HELD_RIVAL 5
#define IS_FREE (at == LISTED || at == OTHER)

byte at = HELD_OTHER;
bit want;               /* shared: the bit of the cache */
bit denied;             /* control: the mark of the cache */
bit joined;             /* the client's sockets stand */
bit knock;              /* its hello is there: it wants to resume */
bit welcomed;           /* the answer to it */
bit rival_joined;
bit ring;               /* a message is in a socket */
bit dead_now;           /* the rival is */
bit timer;              /* a retry is due some time */
bit fired;              /* it is due now */
byte restarts;

/* slabd's own: somebody rang since the round began that is under way. */
bit due;
byte round;             /* where its cursor is: */
#define TAKEN 1         /* at the want, which is to be served */
#define BEHIND 2        /* at that of another cache, further on */

/* grow_seq, by what is asked of it: has it moved since the client read it, and
 * is it as it was at the client's last wait in vain. */
bit moved;
bit vain;

bit is_short;           /* the client has asked and got nothing */

#define OR_CRASH :: d_step { restarts < RESTARTS -> crash() } goto dead
#define SRV_STEP(body) if :: d_step { body } OR_CRASH fi

inline crash() {
	restarts++;
	joined = 0;
	knock = 0;
	welcomed = 0;
	rival_joined = 0;
	ring = 0;
	timer = 0;
	fired = 0;
	due = 0;
	round = 0
}

/* doorbell_ring: lost where the sockets are gone */
inline send_ring() {
	d_step {
		if
		:: joined -> ring = 1
		:: else
		fi
	}
}

/* want_tell */
inline tell() {
	if
	:: denied
	:: !denied ->
		if
		:: want
		:: d_step { !want -> want = 1 };
			send_ring()
		fi
	fi
}

/* alloc_from, called again and again */
proctype client() {
	bit same, waited;
	do
	:: true ->
call:
		waited = 0;
again:
		if
		:: d_step { true -> moved = 0; same = vain }
		fi;
		if
		:: d_step { at == LISTED -> at = HELD; is_short = 0; same = 0; waited = 0 };
			/* Sooner or later it goes home. */
			at = LISTED;
			goto next
		:: d_step { at != LISTED -> is_short = 1 }
		fi;
		/* tell_first */
		if
		:: denied -> goto call
		:: !denied
		fi;
		tell();
		/* wait_a_while */
		if
		:: same || !WAITS ->
			if
			:: MUTANT_no_last_ring
			:: !MUTANT_no_last_ring -> send_ring()
			fi;
			goto call
		:: !same && WAITS && waited ->
			/* The deadline is over. */
			vain = !moved;
			if
			:: MUTANT_no_last_ring
			:: !MUTANT_no_last_ring -> send_ring()
			fi;
			goto call
		:: !same && WAITS -> waited = 1
		fi;
		if
		:: moved
		:: MUTANT_no_slice_ring
		:: !MUTANT_no_slice_ring -> send_ring()
		fi;
		goto again;
next:
		skip
	od
}

/* Another client of the cache, at its worst. */
#define OR_DIE :: d_step { true -> dead_now = 1; rival_joined = 0 } break \
	:: STOPS -> goto stopped

proctype rival() {
	do
	:: d_step { at == LISTED -> at = HELD_RIVAL };
		if
		:: at = LISTED
		OR_DIE
		fi
	:: d_step { !want -> want = 1 };
		if
		:: d_step {
			if
			:: rival_joined -> ring = 1
			:: else
			fi
		   }
		OR_DIE
		fi
	/* At rest it may die, but fairness must not make it. */
	:: at != HELD_RIVAL
	OR_DIE
	od;
stopped:
	false
}

/* resume_step, of the helper thread or whoever comes by: hello, and the new
 * sockets in the place of the old ones once it is answered. The rival's is one
 * step. */
proctype helper() {
	do
	:: d_step { !joined && !knock && !welcomed && restarts > 0 -> knock = 1 }
	:: d_step { welcomed -> welcomed = 0; joined = 1 };
		if
		:: RESUME_RING -> send_ring()
		:: !RESUME_RING
		fi
	:: d_step { !rival_joined && !dead_now && restarts > 0 && !STOPS ->
		rival_joined = 1;
		ring = 1 }
	od
}

/* marks_announce */
inline announce() {
	if
	:: MUTANT_no_announce
	:: else -> moved = 1; vain = 0
	fi
}

/* wants_serve: a slice of a round, which ends anywhere. */
inline serve() {
	if
	:: d_step { round == 0 && due ->
		due = 0;
		round = (want -> TAKEN : BEHIND);
		want = 0 }
	:: round == TAKEN ->
		if
		:: at == LISTED
		:: d_step { at == OTHER -> at = LISTED }
		:: d_step { at >= HELD_OTHER -> denied = 1; timer = 1 }
		OR_CRASH
		fi;
		SRV_STEP(announce(); round = BEHIND)
	:: d_step { round == BEHIND -> round = 0 }
	:: round == 0 && !due
	OR_CRASH
	fi
}

proctype slabd() {
dead:
	/* Adoption. */
	if
	:: restarts == 0
	:: restarts > 0 ->
		/* marks_adopt, take_up_clients */
		SRV_STEP(if :: MUTANT_adopt_keeps_denied :: else -> denied = 0 fi);
		SRV_STEP(announce(); due = 1)
	fi;
	do
	:: ring || knock || dead_now || fired || due || round != 0 ->
		/* One turn of the event loop: all that is ready. */
		if
		/* take_back */
		:: d_step { knock -> knock = 0; welcomed = 1; due = 1 }
		:: !knock
		OR_CRASH
		fi;
		if
		:: d_step { ring ->
			ring = 0;
			if
			:: MUTANT_no_round_again && round != 0
			:: else -> due = 1
			fi }
		:: !ring
		OR_CRASH
		fi;
		if
		:: d_step { dead_now ->
			if
			:: at == HELD_RIVAL -> at = LISTED
			:: else
			fi };
			SRV_STEP(denied = 0);
			if
			:: MUTANT_no_reap_serve
			:: !MUTANT_no_reap_serve -> SRV_STEP(due = 1)
			fi;
			SRV_STEP(dead_now = 0)
		:: !dead_now
		OR_CRASH
		fi;
		if
		:: d_step { fired ->
			fired = 0;
			if
			:: MUTANT_no_retry
			:: else -> denied = 0
			fi }
		:: !fired
		OR_CRASH
		fi;
		/* on_wants */
		serve()
	/* The same: it need not crash. */
	:: !ring && !knock && !dead_now && !fired && !due && round == 0
	OR_CRASH
	od
}

proctype clock() {
	do
	:: d_step { timer -> timer = 0; fired = 1 }
	od
}

/* Another cache's client frees what it had. */
proctype other() {
	at == HELD_OTHER -> at = OTHER
}

init {
	atomic {
		joined = 1;
		rival_joined = 1;
		run slabd();
		run clock();
		run other();
		run client();
		run rival();
		run helper()
	}
}

ltl shortage_relieved { [] <> !(is_short && IS_FREE) }
