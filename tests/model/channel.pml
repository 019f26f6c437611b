/* SPDX-License-Identifier: MIT */
/*
 * A channel (shm/channel.h): the life of an entry, from free to claimed, ready, begun
 * and free again, over which its sender, its receiver and slabd may be killed. Two
 * clients send and receive, two objects are there, and the ring has two slots. With
 * ARENA the objects are the chunks of an arena, which goes over it as one entry
 * (shm/heir.h): object 0 leads to object 1.
 *
 * What slots are in which lap, and where senders and receivers look, is left out:
 * here they look at all of them.
 */
#include "base.pml"

#ifndef MUTANT_ready_first      /* an entry is ready before its objects are sent */
#define MUTANT_ready_first 0
#endif
#ifndef MUTANT_free_first       /* and free before its objects are taken */
#define MUTANT_free_first 0
#endif
#ifndef MUTANT_no_settle        /* slabd sweeps, and leaves the ring */
#define MUTANT_no_settle 0
#endif
#ifndef MUTANT_settle_late      /* it settles the ring after the sweep */
#define MUTANT_settle_late 0
#endif
#ifndef MUTANT_settle_living    /* and what the living have begun, too */
#define MUTANT_settle_living 0
#endif
#ifndef MUTANT_dead_first       /* the row says dead before the ring is settled */
#define MUTANT_dead_first 0
#endif
#ifndef MUTANT_no_mark          /* what comes again is not marked */
#define MUTANT_no_mark 0
#endif
#ifndef MUTANT_plain_begin      /* an entry is begun without a cas */
#define MUTANT_plain_begin 0
#endif
#ifndef MUTANT_no_trim          /* a settled entry has all that it had */
#define MUTANT_no_trim 0
#endif
#ifndef MUTANT_no_heir          /* slabd hands nothing on */
#define MUTANT_no_heir 0
#endif
#ifndef MUTANT_ring_first       /* it settles the ring before it hands on */
#define MUTANT_ring_first 0
#endif
#ifndef MUTANT_name_first       /* the channel is named before all is offered */
#define MUTANT_name_first 0
#endif
#ifndef MUTANT_forget_first     /* and forgotten before all is handed */
#define MUTANT_forget_first 0
#endif
#ifndef MUTANT_lead_first       /* what leads is taken first */
#define MUTANT_lead_first 0
#endif
#ifndef MUTANT_take_unnamed     /* who takes does not say so */
#define MUTANT_take_unnamed 0
#endif
#ifndef MUTANT_hand_back        /* slabd hands back what was taken whole */
#define MUTANT_hand_back 0
#endif

#ifndef ARENA
#define ARENA 0
#endif
#ifndef SENDER                  /* the client that sends; both receive */
#define SENDER 1
#endif
#ifndef BOTH                    /* both send */
#define BOTH 0
#endif
#define SENDS(q) (q == SENDER || BOTH)
#define OBJS 2
#define CLIENTS 2
#define SLOTS 2

#define CHAN 3
#define NOBODY 0
#define LIVE 1
#define DEAD 2

#define NONE 0
#define CLAIMED 1
#define READY 2
#define BEGUN 3

#define GIVES 1
#define TAKES 2

/* shared */
byte tag[OBJS];
bit waits;                      /* object 1 is a part, on its way */
byte state[SLOTS], who[SLOTS], at[SLOTS], n[SLOTS];
bit again[SLOTS];
byte heir[CLIENTS + 1];
/* control */
byte row[CLIENTS + 1];
/* the kernel */
bit alive[CLIENTS + 1];

/* What nobody can see. */
bit inside[CLIENTS + 1];        /* it is in a call */
byte mine[CLIENTS + 1];         /* what its program has, a bit each object */
bit shown[OBJS];                /* a receiver has seen it, and did not commit */
bit srv_busy;

bit one_owner = 1;
bit not_lost = 1;
bit taken_once = 1;

hidden byte x, y, named;

/* An object is free, somebody's, or what one entry names. */
inline look_at_rest() {
	if
	:: !inside[1] && !inside[2] && !srv_busy &&
	   row[1] != DEAD && row[2] != DEAD &&
	   (row[1] == NOBODY || alive[1]) && (row[2] == NOBODY || alive[2]) ->
		x = 0;
		do
		:: x < OBJS ->
			named = 0;
			y = 0;
			do
			:: y < SLOTS ->
				named = named + (state[y] == READY && at[y] <= x &&
				                 x < at[y] + n[y] + ARENA);
				y++
			:: else -> break
			od;
			not_lost = not_lost &&
			    ((tag[x] == FREE && named == 0) ||
			     (tag[x] == CHAN && named == 1 &&
			      waits == (ARENA && (x == 1 || waits))) ||
			     (tag[x] != FREE && tag[x] != CHAN && named == 0 &&
			      (mine[tag[x]] & BIT_OF(x)) != 0 && !waits));
			x++
		:: else -> break
		od;
		y = 0;
		do
		:: y < SLOTS ->
			not_lost = not_lost && (state[y] == NONE || state[y] == READY);
			y++
		:: else -> break
		od;
		x = 0; y = 0; named = 0;
		CHECK(not_lost)
	:: else
	fi
}

inline die(q) {
	alive[q] = 0;
	mine[q] = 0;
	look_at_rest()
}

/* A step of a client; it may be killed in between two. */
#define DO(body) if :: d_step { alive[me] -> body } :: !alive[me] -> goto dead fi

inline clear(s) { state[s] = NONE; who[s] = 0; at[s] = 0; n[s] = 0; again[s] = 0 }

inline claim(first, many) {
	if
	:: d_step { alive[me] && state[0] == NONE -> s = 0;
		    state[0] = CLAIMED; who[0] = me; at[0] = first; n[0] = many }
	:: d_step { alive[me] && state[0] != NONE && state[1] == NONE -> s = 1;
		    state[1] = CLAIMED; who[1] = me; at[1] = first; n[1] = many }
	:: d_step { alive[me] && state[0] != NONE && state[1] != NONE ->
		    inside[me] = 0; i = 0; k = 0; look_at_rest() } goto loop
	:: !alive[me] -> goto dead
	fi
}

inline publish(s) { state[s] = READY; who[s] = 0 }

/* ---- a run ---------------------------------------------------------------- */

inline pass_run() {
	i = at[s];
	k = at[s] + n[s];
	do
	:: i < k -> DO(tag[i] = CHAN; i++)
	:: else -> break
	od
}

/* What the program has, from one object on. */
inline send_run() {
	claim(i, k);
	DO(mine[me] = mine[me] & (k == 2 -> 0 : 3 - BIT_OF(i)));
	if
	:: MUTANT_ready_first -> DO(publish(s)); pass_run()
	:: !MUTANT_ready_first -> pass_run(); DO(publish(s))
	fi
}

/* A tag is looked at, and then stored: nobody else has begun its entry. */
inline take_run() {
	i = begun;
	do
	:: i < k ->
		DO(seen = tag[i]);
		if
		:: seen == CHAN ->
			DO(one_owner = tag[i] == CHAN;
			   CHECK(one_owner);
			   tag[i] = me;
			   shown[i] = 0;
			   mine[me] = mine[me] | BIT_OF(i))
		:: else
		fi;
		i++
	:: else -> break
	od
}

inline see_run() {
	taken_once = taken_once && (!shown[begun] || again[s]) &&
	    (k - begun < 2 || !shown[1] || again[s]);
	CHECK(taken_once);
	shown[begun] = 1;
	shown[1] = shown[1] || k - begun == 2 || (ARENA && begun == 0)
}

inline receive_run() {
	DO(k = at[s] + n[s]; begun = at[s]; see_run());
	if
	:: MUTANT_free_first -> DO(clear(s)); take_run()
	:: !MUTANT_free_first -> take_run(); DO(clear(s))
	fi
}

/* ---- an arena ------------------------------------------------------------- */

inline hand_part() {
	DO(if
	   :: tag[1] == me && waits -> tag[1] = CHAN
	   :: else
	   fi)
}

inline send_arena() {
	claim(0, 1);
	DO(mine[me] = 0);
	if
	:: MUTANT_name_first -> DO(heir[me] = GIVES); DO(waits = 1)
	:: !MUTANT_name_first -> DO(waits = 1); DO(heir[me] = GIVES)
	fi;
	if
	:: MUTANT_forget_first -> DO(heir[me] = 0)
	:: !MUTANT_forget_first
	fi;
	hand_part();
	DO(tag[0] = CHAN);
	DO(publish(s));
	DO(heir[me] = 0)
}

inline take_part() {
	DO(one_owner = tag[1] == CHAN && waits;
	   CHECK(one_owner);
	   tag[1] = me)
}

inline take_lead() {
	DO(one_owner = tag[0] == CHAN;
	   CHECK(one_owner);
	   tag[0] = me;
	   shown[0] = 0;
	   shown[1] = 0)
}

inline receive_arena() {
	DO(k = 1; begun = 0; see_run());
	if
	:: MUTANT_take_unnamed
	:: !MUTANT_take_unnamed -> DO(heir[me] = TAKES)
	fi;
	if
	:: MUTANT_lead_first -> take_lead(); take_part()
	:: !MUTANT_lead_first -> take_part(); take_lead()
	fi;
	DO(clear(s));
	DO(waits = 0);
	DO(heir[me] = 0);
	DO(mine[me] = 3)
}

/* ---- a client ------------------------------------------------------------- */

proctype client(byte me) {
	byte i, k, s, seen, begun;
dead:
	if
	:: d_step {
		row[me] != DEAD ->
		i = 0; k = 0; s = 0; seen = 0; begun = 0;
		inside[me] = 0;
		look_at_rest()
	   }
	fi;
loop:
	do
	/* Allocates: an arena whole, else one at a time. */
	:: d_step { alive[me] && SENDS(me) && ARENA && tag[0] == FREE && tag[1] == FREE ->
		    inside[me] = 1; tag[0] = me };
		DO(tag[1] = me);
		DO(mine[me] = 3; inside[me] = 0; look_at_rest())
	:: d_step { alive[me] && SENDS(me) && !ARENA && tag[0] == FREE ->
		    tag[0] = me; mine[me] = mine[me] | 1; look_at_rest() }
	:: d_step { alive[me] && SENDS(me) && !ARENA && tag[1] == FREE ->
		    tag[1] = me; mine[me] = mine[me] | 2; look_at_rest() }
	/* Frees what it has. */
	:: d_step { alive[me] && mine[me] != 0 -> inside[me] = 1; i = 0 };
		do
		:: i < OBJS ->
			DO(if
			   :: (mine[me] & BIT_OF(i)) != 0 ->
				one_owner = tag[i] == me && !waits;
				CHECK(one_owner);
				tag[i] = FREE
			   :: else
			   fi;
			   mine[me] = mine[me] & (3 - BIT_OF(i));
			   i++)
		:: else -> break
		od;
		DO(inside[me] = 0; i = 0; look_at_rest())
	/* Sends. */
	:: d_step { alive[me] && SENDS(me) && mine[me] != 0 ->
		    inside[me] = 1;
		    i = (mine[me] == 2 -> 1 : 0);
		    k = (mine[me] == 3 -> 2 : 1) };
		if
		:: ARENA -> send_arena()
		:: !ARENA -> send_run()
		fi;
		DO(inside[me] = 0; i = 0; k = 0; s = 0; look_at_rest())
	/* Receives. */
	:: d_step { alive[me] && state[0] == READY && !MUTANT_plain_begin ->
		    s = 0; inside[me] = 1; state[0] = BEGUN; who[0] = me };
		goto begun_one
	:: d_step { alive[me] && state[1] == READY && !MUTANT_plain_begin ->
		    s = 1; inside[me] = 1; state[1] = BEGUN; who[1] = me };
		goto begun_one
	:: d_step { alive[me] && state[0] == READY && MUTANT_plain_begin ->
		    s = 0; inside[me] = 1 };
		DO(state[0] = BEGUN; who[0] = me);
begun_one:
		if
		:: ARENA -> receive_arena()
		:: !ARENA -> receive_run()
		fi;
		DO(inside[me] = 0; i = 0; k = 0; s = 0; seen = 0; begun = 0; look_at_rest())
	od
}

/* ---- slabd -------------------------------------------------------------- */

#define SRV_DO(body) if :: d_step { body } :: d_step { CRASHES -> crash() } goto start fi

inline crash() { q = 0; k = 0; srv_busy = 0; look_at_rest() }

/* sweep_settle: what leads last. */
inline settle_heir() {
	SRV_DO(k = (heir[q] == GIVES ||
	            (heir[q] == TAKES && (tag[0] == CHAN || MUTANT_hand_back))));
	if
	:: k == 1 ->
		SRV_DO(if
		       :: tag[1] == q && waits -> tag[1] = CHAN
		       :: else
		       fi);
		SRV_DO(if
		       :: heir[q] == GIVES && tag[0] == q -> tag[0] = CHAN
		       :: else
		       fi)
	:: else
	fi;
	k = 0
}

#define LEFT(k) ((state[k] == CLAIMED || state[k] == BEGUN) && \
		 (who[k] == q || MUTANT_settle_living))

/* trim: sent, that is a first part; of what was begun, the rest. */
inline settle_slot(s) {
	if
	:: LEFT(s) ->
		if
		:: state[s] == BEGUN -> again[s] = !MUTANT_no_mark
		:: else
		fi;
		if
		:: MUTANT_no_trim
		:: !MUTANT_no_trim && state[s] == CLAIMED && tag[at[s]] != CHAN -> n[s] = 0
		:: !MUTANT_no_trim && state[s] == CLAIMED && tag[at[s]] == CHAN &&
		   n[s] == 2 && tag[1] != CHAN -> n[s] = 1
		:: !MUTANT_no_trim && state[s] == BEGUN && tag[at[s]] != CHAN ->
			n[s] = n[s] - 1;
			at[s] = at[s] + 1;
			if
			:: n[s] == 1 && tag[1] != CHAN -> n[s] = 0
			:: else
			fi
		:: else
		fi;
		if
		:: n[s] == 0 -> clear(s)
		:: else -> publish(s)
		fi
	:: else
	fi
}

inline settle_ring() {
	SRV_DO(settle_slot(0));
	SRV_DO(settle_slot(1))
}

inline sweep() {
	k = 0;
	do
	:: k < OBJS ->
		SRV_DO(if
		       :: tag[k] == q ->
			tag[k] = FREE;
			shown[k] = 0;
			waits = (k == 1 -> 0 : waits)
		       :: else
		       fi;
		       k++)
	:: else -> break
	od;
	k = 0
}

inline mend() {
	if
	:: MUTANT_ring_first -> settle_ring(); settle_heir()
	:: !MUTANT_ring_first && !MUTANT_no_heir -> settle_heir(); settle_ring()
	:: MUTANT_no_heir -> settle_ring()
	fi
}

proctype slabd() {
	byte q, k;
start:
	if
	:: d_step { srv_busy = 0; look_at_rest() }
	fi;
	do
	:: d_step { (row[1] == LIVE && !alive[1]) || (row[2] == LIVE && !alive[2]) ->
		    q = (row[1] == LIVE && !alive[1] -> 1 : 2); srv_busy = 1 };
		if
		:: MUTANT_dead_first -> SRV_DO(row[q] = DEAD); mend()
		:: MUTANT_settle_late || MUTANT_no_settle
		:: !MUTANT_dead_first && !MUTANT_settle_late && !MUTANT_no_settle -> mend()
		fi;
		SRV_DO(row[q] = DEAD);
		SRV_DO(srv_busy = 0; q = 0)
	:: d_step { row[1] == DEAD || row[2] == DEAD ->
		    q = (row[1] == DEAD -> 1 : 2); srv_busy = 1 };
		sweep();
		if
		:: MUTANT_settle_late -> mend()
		:: !MUTANT_settle_late
		fi;
		/* clients_free */
		SRV_DO(heir[q] = 0);
		SRV_DO(row[q] = NOBODY; q = 0; srv_busy = 0; look_at_rest())
	:: d_step { (row[1] == NOBODY && !inside[1]) || (row[2] == NOBODY && !inside[2]) ->
		    q = (row[1] == NOBODY && !inside[1] -> 1 : 2);
		    row[q] = LIVE; alive[q] = 1; q = 0 }
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
		run client(1);
		run client(2)
	}
}
