/* SPDX-License-Identifier: MIT */
/*
 * Ids, their rows and their reuse; objects given from client to client while
 * the receiver dies; slabd that dies and is started again.
 *
 * Claims are one step here: tags_lease.pml has them in full. README.md says
 * which function each part is, and what the bounds are.
 */
#include "base.pml"

/* The same for slabd. */
#define OR_CRASH :: d_step { crash() } goto dead
#define SRV_STEP(body) if :: d_step { body } OR_CRASH fi

#ifndef PROCS
#define PROCS 2
#endif
#ifndef IDS
#define IDS 3
#endif
#ifndef OBJS
#define OBJS 1
#endif

#ifndef MUTANT_plain_sweep      /* the sweep stores where it should swap */
#define MUTANT_plain_sweep 0
#endif
#ifndef MUTANT_own_id_only      /* the second sweep leaves other dead ids */
#define MUTANT_own_id_only 0
#endif
#ifndef MUTANT_no_second_sweep
#define MUTANT_no_second_sweep 0
#endif
#ifndef MUTANT_no_third_sweep   /* nor one before an id is used again */
#define MUTANT_no_third_sweep 0
#endif
#ifndef MUTANT_no_second_look   /* a giver trusts its first look */
#define MUTANT_no_second_look 0
#endif
#ifndef MUTANT_plain_ungive     /* a giver takes back without a swap */
#define MUTANT_plain_ungive 0
#endif
#ifndef MUTANT_by_timeout       /* who is slow is taken for dead */
#define MUTANT_by_timeout 0
#endif
#ifndef MUTANT_late_fdstore       /* the pidfd is stored after the welcome */
#define MUTANT_late_fdstore 0
#endif
#ifndef MUTANT_no_reap        /* a restarted slabd leaves who died */
#define MUTANT_no_reap 0
#endif
#ifndef ASSUME_late_reuse       /* an id rests while somebody gives to it */
#define ASSUME_late_reuse 1
#endif
#ifndef ASSUME_drained          /* stores are seen within half a second */
#define ASSUME_drained 1
#endif

#define NOBODY 0
#define LIVE 1
#define DEAD 2

/* control: slabd writes */
byte row[IDS + 1];
/* shared */
byte tag[OBJS];                 /* FREE, or an id */
/* the store buffers: object + 1 and what it becomes; 0: empty */
byte sb[PROCS + 1];
byte sb_tag[PROCS + 1];
/* the kernel and the service manager */
byte id_of[PROCS + 1];          /* the id in the welcome, 0: none yet */
byte pid_of[IDS + 1];           /* the process behind a pidfd, 0: dead */
bit fdstore[IDS + 1];             /* the pidfd outlives slabd */
/* slabd's own */
bit swept[IDS + 1];             /* once: the timer of the second one runs */
bit due[PROCS + 1];             /* stores from before the half second began */

/* What nobody can see: who believes to own what; what was given to a process
 * while it lived, told or not, as a giver may die before it tells. */
byte mine[PROCS + 1];
byte gifts[PROCS + 1];
byte inbox[PROCS + 1];
byte to_id[PROCS + 1];          /* the receiver of a give under way */
bit stale[PROCS + 1];           /* its row has changed since the first look */
byte busy;

bit one_owner = 1;
bit living_unswept = 1;
bit not_lost = 1;

hidden byte x;
hidden byte y;
hidden byte z;

inline drain(p) {
	if
	:: sb[p] != 0 -> tag[sb[p] - 1] = sb_tag[p]; sb[p] = 0; sb_tag[p] = 0
	:: else
	fi;
	due[p] = 0
}

/* z: whether object x is a living process's of that id. */
inline find_owner(id) {
	y = 1; z = 0;
	do
	:: y <= PROCS ->
		z = z | (id_of[y] == id &&
		    ((mine[y] | gifts[y]) & BIT_OF(x)) != 0);
		y++
	:: else -> break
	od
}

/* z: whether any living process believes to own object x. */
inline find_believer() {
	y = 1; z = 0;
	do
	:: y <= PROCS -> z = z | ((mine[y] & BIT_OF(x)) != 0); y++
	:: else -> break
	od
}

/* z: whether nothing is under way. */
inline find_rest() {
	z = busy == 0 && sb[1] == 0 && sb[2] == 0;
#if PROCS > 2
	z = z && sb[3] == 0;
#endif
	y = 1;
	do
	:: y <= IDS ->
		z = z && row[y] != DEAD && (row[y] == NOBODY || pid_of[y] != 0);
		y++
	:: else -> break
	od
}

inline look_at_rest() {
	find_rest();
	if
	:: z ->
		x = 0;
		do
		:: x < OBJS ->
			if
			:: tag[x] != FREE ->
				find_owner(tag[x]);
				not_lost = z
			:: else
			fi;
			CHECK(not_lost);
			x++
		:: else -> break
		od
	:: else
	fi
}

inline rest(p) {
	busy = busy & ~BIT_OF(p);
	look_at_rest()
}

inline die(p) {
	drain(p);
	mine[p] = 0;
	gifts[p] = 0;
	inbox[p] = 0;
	to_id[p] = 0;
	stale[p] = 0;
	id_of[p] = 0;
	o = 0;
	y = 1;
	do
	:: y <= IDS ->
		if
		:: pid_of[y] == p -> pid_of[y] = 0
		:: else
		fi;
		y++
	:: else -> break
	od;
	rest(p)
}

/* What a new slabd finds: rows, tags, the fdstore. A live row without a pidfd was
 * never welcomed; a pidfd without a row is of no use. */
inline crash() {
	i = 0; o = 0; seen = 0; to = 0;
	x = 1;
	do
	:: x <= IDS ->
		swept[x] = 0;
		if
		:: !fdstore[x] -> pid_of[x] = 0
		:: fdstore[x] && row[x] == NOBODY -> fdstore[x] = 0; pid_of[x] = 0
		:: else ->
			if
			:: MUTANT_no_reap && row[x] == LIVE && pid_of[x] == 0 ->
				row[x] = NOBODY
			:: else
			fi
		fi;
		x++
	:: else -> break
	od;
	rest(0)
}

/* ---- clients ------------------------------------------------------------ */

inline believe(p) {
	x = o;
	find_believer();
	one_owner = !z;
	CHECK(one_owner);
	mine[p] = mine[p] | BIT_OF(o)
}

/* A claim, whose lease is a locked operation. */
inline claim() {
	d_step {
		tag[o] == FREE ->
		drain(me);
		believe(me);
		tag[o] = id_of[me];
		o = 0
	}
}

/* A plain store by the owner: tags_free_own, tags_give_own. */
inline put_tag(to_what) {
	living_unswept = tag[o] == id_of[me];
	CHECK(living_unswept);
	drain(me);
	sb[me] = o + 1;
	sb_tag[me] = to_what;
	mine[me] = mine[me] & ~BIT_OF(o)
}

/* The process that was meant, or 0 when it is dead: in x. */
inline find_receiver() {
	x = 1;
	do
	:: x > PROCS -> x = 0; break
	:: x <= PROCS && id_of[x] == to_id[me] && !stale[me] -> break
	:: else -> x++
	od
}

inline store_gift() {
	put_tag(to_id[me]);
	find_receiver();
	if
	:: x != 0 -> gifts[x] = gifts[x] | BIT_OF(o)
	:: else
	fi
}

/* The message that names the object goes to the process that was meant. It is
 * a system call, so the store is seen first. */
inline tell() {
	drain(me);
	find_receiver();
	if
	:: x != 0 -> inbox[x] = inbox[x] | (gifts[x] & BIT_OF(o))
	:: else
	fi
}

inline end_give() {
	to_id[me] = 0; stale[me] = 0; o = 0;
	rest(me)
}

/* tags_ungive_own */
inline ungive() {
	drain(me);
	if
	:: tag[o] == to_id[me] || MUTANT_plain_ungive ->
		believe(me);
		tag[o] = id_of[me]
	:: else
	fi
}

/* slabd_give, from the first look on */
inline give() {
	STEP(store_gift());
	if
	:: !stale[me] || MUTANT_no_second_look -> STEP(tell(); end_give())
	:: stale[me] && row[to_id[me]] != LIVE && !MUTANT_no_second_look ->
		STEP(ungive(); end_give())
	/* The id is another's: the tag is left to that one's sweep. */
	:: stale[me] && row[to_id[me]] == LIVE && !MUTANT_no_second_look ->
		STEP(end_give())
	OR_DIE
	fi
}

/* slabd_take: of a living client nobody may have swept what it was told of. */
inline take() {
	d_step {
		(inbox[me] & BIT_OF(o)) != 0 ->
		inbox[me] = inbox[me] & ~BIT_OF(o);
		gifts[me] = gifts[me] & ~BIT_OF(o);
		living_unswept = tag[o] == id_of[me];
		CHECK(living_unswept);
		believe(me);
		o = 0
	}
}

/* A choice is made as a whole or not at all. */
#if IDS > 3
#define ANY_ID(is) (is(1) || is(2) || is(3) || is(4))
#else
#define ANY_ID(is) (is(1) || is(2) || is(3))
#endif
/* Ids are known to others from the process that was welcomed with it. */
#define MAY_GET(id) (row[id] == LIVE && id_of[me] != id && \
	(pid_of[id] == 0 || id_of[pid_of[id]] == id))

inline pick_receiver() {
	if
	:: MAY_GET(1) -> to_id[me] = 1
	:: MAY_GET(2) -> to_id[me] = 2
	:: MAY_GET(3) -> to_id[me] = 3
#if IDS > 3
	:: MAY_GET(4) -> to_id[me] = 4
#endif
	fi
}

proctype client(byte me) {
	byte o;
dead:
	do
	:: id_of[me] != 0 ->
		if
		:: atomic { (tag[0] == FREE) -> o = 0; claim() }
		:: atomic { (inbox[me] & 1) != 0 -> o = 0; take() }
		:: d_step { (mine[me] & 1) != 0 -> o = 0; put_tag(FREE); o = 0 }
#if OBJS > 1
		:: atomic { (tag[1] == FREE) -> o = 1; claim() }
		:: atomic { (inbox[me] & 2) != 0 -> o = 1; take() }
		:: d_step { (mine[me] & 2) != 0 -> o = 1; put_tag(FREE); o = 0 }
#endif
		:: atomic {
			mine[me] != 0 && ANY_ID(MAY_GET) ->
			if
			:: (mine[me] & 1) != 0 -> o = 0
#if OBJS > 1
			:: (mine[me] & 2) != 0 -> o = 1
#endif
			fi;
			pick_receiver();
			busy = busy | BIT_OF(me)
		   }
			give()
		OR_DIE
		fi
	od
}

/* ---- slabd -------------------------------------------------------------- */

/* One tag of a sweep: a load, and later a swap. */
inline sweep_tag(is_due) {
	if
	:: d_step { tag[o] != FREE && is_due -> seen = tag[o] }
		SRV_STEP(
			if
			:: tag[o] == seen || MUTANT_plain_sweep -> tag[o] = FREE
			:: else
			fi;
			seen = 0)
	:: tag[o] == FREE || !(is_due)
	OR_CRASH
	fi
}

/* slab_sweep_srv, for one id */
inline sweep() {
	sweep_tag(tag[o] == i);
#if OBJS > 1
	o = 1;
	sweep_tag(tag[o] == i);
	o = 0
#endif
}

/* The same for every id that is nobody's: it costs no more. */
inline sweep_all() {
	if
	:: MUTANT_own_id_only -> sweep()
	:: !MUTANT_own_id_only ->
		sweep_tag(row[tag[o]] != LIVE);
#if OBJS > 1
		o = 1;
		sweep_tag(row[tag[o]] != LIVE);
		o = 0
#endif
	fi
}

/* The row says DEAD; givers that look again will see it. */
inline mark_dead() {
	row[i] = DEAD;
	x = 1;
	do
	:: x <= PROCS ->
		if
		:: to_id[x] == i -> stale[x] = 1
		:: else
		fi;
		due[x] = sb[x] != 0;
		x++
	:: else -> break
	od;
	x = 0
}

/* clients_reap */
inline reap() {
	if
	:: row[i] == LIVE -> SRV_STEP(mark_dead())
	:: row[i] != LIVE
	fi;
	sweep();
	SRV_STEP(swept[i] = 1; i = 0; rest(0))
}

/* sweep_again, clients_free: half a second later */
inline free_id() {
	SRV_STEP(fdstore[i] = 0);
	if
	:: MUTANT_no_second_sweep
	:: !MUTANT_no_second_sweep -> sweep_all()
	fi;
	SRV_STEP(row[i] = NOBODY; swept[i] = 0; i = 0; rest(0))
}

inline welcome() {
	if
	:: pid_of[i] == to -> id_of[to] = i
	:: else
	fi
}

/* hello_take, clients_take, keep: the last sweep, what tells of the process, the row,
 * the welcome */
inline admit() {
	if
	:: MUTANT_no_third_sweep
	:: !MUTANT_no_third_sweep -> sweep()
	fi;
	if
	:: !MUTANT_late_fdstore ->
		SRV_STEP(fdstore[i] = 1);
		SRV_STEP(row[i] = LIVE);
		SRV_STEP(welcome(); i = 0; to = 0; rest(0))
	:: MUTANT_late_fdstore ->
		SRV_STEP(row[i] = LIVE);
		SRV_STEP(welcome());
		SRV_STEP(fdstore[i] = 1; i = 0; to = 0; rest(0))
	fi
}

#define NOT_DUE (!ASSUME_drained || (!due[1] && !due[2] && (PROCS < 3 || !due[PROCS])))
#define RESTS(id) (!ASSUME_late_reuse || (to_id[1] != id && to_id[2] != id && \
	(PROCS < 3 || to_id[PROCS] != id)))

#define HAS_DIED(id) \
	((row[id] == LIVE && (pid_of[id] == 0 || MUTANT_by_timeout)) || \
	(row[id] == DEAD && !swept[id]))
#define MAY_FREE(id) (row[id] == DEAD && swept[id])
#define MAY_LIVE(id) (row[id] == NOBODY && pid_of[id] == 0 && RESTS(id))
#define WAITS(p) (id_of[p] == 0)

proctype slabd() {
	byte me, i, o, seen, to;
dead:
	do
	:: atomic {
		if
		:: HAS_DIED(1) -> i = 1
		:: HAS_DIED(2) -> i = 2
		:: HAS_DIED(3) -> i = 3
#if IDS > 3
		:: HAS_DIED(4) -> i = 4
#endif
		fi;
		busy = busy | 1
	   }
		reap()
	:: atomic {
		if
		:: NOT_DUE && MAY_FREE(1) -> i = 1
		:: NOT_DUE && MAY_FREE(2) -> i = 2
		:: NOT_DUE && MAY_FREE(3) -> i = 3
#if IDS > 3
		:: NOT_DUE && MAY_FREE(4) -> i = 4
#endif
		fi;
		busy = busy | 1
	   }
		free_id()
	:: atomic {
		if
		:: WAITS(1) && ANY_ID(MAY_LIVE) -> to = 1
		:: WAITS(2) && ANY_ID(MAY_LIVE) -> to = 2
#if PROCS > 2
		:: WAITS(3) && ANY_ID(MAY_LIVE) -> to = 3
#endif
		fi;
		if
		:: MAY_LIVE(1) -> i = 1
		:: MAY_LIVE(2) -> i = 2
		:: MAY_LIVE(3) -> i = 3
#if IDS > 3
		:: MAY_LIVE(4) -> i = 4
#endif
		fi;
		pid_of[i] = to;
		busy = busy | 1
	   }
		admit()
	OR_CRASH
	od
}

proctype memory() {
	do
	:: d_step { sb[1] != 0 -> drain(1); look_at_rest() }
	:: d_step { sb[2] != 0 -> drain(2); look_at_rest() }
#if PROCS > 2
	:: d_step { sb[3] != 0 -> drain(3); look_at_rest() }
#endif
	od
}

init {
	atomic {
		run slabd();
		run memory();
		run client(1);
		run client(2)
#if PROCS > 2
		;
		run client(3)
#endif
	}
}
