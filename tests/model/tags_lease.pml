/* SPDX-License-Identifier: MIT */
/*
 * Claim, release, death and sweep, on slabs that stay what they are.
 *
 * Clients claim runs of free objects under a slab's lease, free them without,
 * and die at any step; slabd sweeps the dead, dies half way and starts over.
 * One list: a word with a bit for each slab, and its summary's bit above it.
 * README.md says which function each part is, and what the bounds are.
 */
#include "base.pml"

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef SLABS
#define SLABS 2
#endif
#ifndef OBJS
#define OBJS 1
#endif
#define ALL (SLABS * OBJS)
#define TAG(s, o) tag[(s) * OBJS + (o)]
#define OBJ(s, o) ((s) * OBJS + (o))
#define IN_SLAB(s) ((BIT_OF(OBJS) - 1) << ((s) * OBJS))

#ifndef MUTANT_no_lease        /* claims without the lease */
#define MUTANT_no_lease 0
#endif
#ifndef MUTANT_no_fence        /* release looks at the bit before its store is seen */
#define MUTANT_no_fence 0
#endif
#ifndef MUTANT_no_sweep_fence  /* the sweep does */
#define MUTANT_no_sweep_fence 0
#endif
#ifndef MUTANT_no_scan         /* a claim takes a slab off the list unseen */
#define MUTANT_no_scan 0
#endif
#ifndef MUTANT_no_sum_look     /* the summary's bit goes unseen */
#define MUTANT_no_sum_look 0
#endif
#ifndef MUTANT_no_relist       /* the sweep sets no bits */
#define MUTANT_no_relist 0
#endif
#ifndef MUTANT_no_tag_sweep    /* the sweep frees no tags */
#define MUTANT_no_tag_sweep 0
#endif
#ifndef MUTANT_sweep_others    /* the sweep frees tags of anybody */
#define MUTANT_sweep_others 0
#endif
#ifndef MUTANT_no_break        /* the sweep leaves leases */
#define MUTANT_no_break 0
#endif

byte tag[ALL];          /* FREE, or the client that owns it */
byte lease[SLABS];      /* 0, or the client that holds it */
byte bits;              /* the list: a bit a slab */
bit sum;                /* its summary: bits is not 0 */
byte sb[CLIENTS + 1];   /* object + 1 whose FREE is on its way, 0: none */

/* What nobody can see: what each client believes to own, who is busy (the dead
 * are until they are swept), who is dead. */
byte mine[CLIENTS + 1];
byte busy;
byte dead_now;

/* The properties. Each is true in every state that is kept. */
bit one_owner = 1;
bit living_unswept = 1;
bit not_lost = 1;
bit listed = 1;
bit lease_exact = 1;

hidden byte x;

#if CLIENTS > 2
#define BELIEVED (mine[1] | mine[2] | mine[3])
#define ALL_SEEN (sb[0] == 0 && sb[1] == 0 && sb[2] == 0 && sb[3] == 0)
#else
#define BELIEVED (mine[1] | mine[2])
#define ALL_SEEN (sb[0] == 0 && sb[1] == 0 && sb[2] == 0)
#endif

inline drain(p) {
	if
	:: sb[p] != 0 -> tag[sb[p] - 1] = FREE; sb[p] = 0
	:: else
	fi
}

/* Nobody is half way in anything: what must hold then. */
inline look_at_rest() {
	if
	:: busy == 0 && ALL_SEEN ->
		x = 0;
		do
		:: x < ALL ->
			not_lost = not_lost && (tag[x] == FREE ||
			           (mine[tag[x]] & BIT_OF(x)) != 0);
			listed = listed && (tag[x] != FREE ||
			         (sum && (bits & BIT_OF(x / OBJS)) != 0));
			lease_exact = lease_exact && lease[x / OBJS] == 0;
			x++
		:: else -> break
		od;
		x = 0;
		CHECK(not_lost);
		CHECK(listed);
		CHECK(lease_exact)
	:: else
	fi
}

inline rest(p) {
	busy = busy & ~BIT_OF(p);
	look_at_rest()
}

inline die(p) {
	drain(p);
	s = 0; seen = 0; got = 0; want = 0;
	if
	:: p != 0 ->
		mine[p] = 0;
		busy = busy | BIT_OF(p);
		dead_now = dead_now | BIT_OF(p)
	:: else
	fi
}

/* partial_set_any */
inline set_bit(p) {
	if
	:: (bits & BIT_OF(s)) != 0
	:: (bits & BIT_OF(s)) == 0 ->
		STEP(drain(p); bits = bits | BIT_OF(s))
	OR_DIE
	fi;
	if
	:: sum
	:: !sum -> STEP(drain(p); sum = 1)
	OR_DIE
	fi
}

/* partial_clear_any */
inline clear_bit(p) {
	if
	:: d_step { (bits & ~BIT_OF(s)) != 0 -> drain(p); bits = bits & ~BIT_OF(s) }
	:: d_step { (bits & ~BIT_OF(s)) == 0 -> drain(p); bits = 0 }
		STEP(sum = 0);
		if
		:: bits == 0 || MUTANT_no_sum_look
		:: bits != 0 && !MUTANT_no_sum_look -> STEP(sum = 1)
		OR_DIE
		fi
	OR_DIE
	fi
}

/* tags_any_free, and the bit if so */
inline set_if_due(p) {
	if
	:: TAG(s, 0) == FREE -> set_bit(p)
	:: TAG(s, 0) != FREE ->
#if OBJS > 1
		if
		:: TAG(s, 1) == FREE -> set_bit(p)
		:: TAG(s, 1) != FREE
		OR_DIE
		fi
#else
		skip
#endif
	OR_DIE
	fi
}

/* One load of tags_claim_own. */
inline look_at_tag(o) {
	if
	:: TAG(s, o) == FREE -> seen = seen | BIT_OF(o)
	:: else
	fi
}

/* One store of tags_claim_own: the lowest that was seen free. */
inline take_tag() {
	x = 0;
	if
	:: (seen & 1) == 0 -> x = 1
	:: else
	fi;
	seen = seen & ~BIT_OF(x);
	x = OBJ(s, x);
	one_owner = tag[x] == FREE && (BELIEVED & BIT_OF(x)) == 0;
	CHECK(one_owner);
	tag[x] = me;
	mine[me] = mine[me] | BIT_OF(x);
	x = 0;
	got++
}

/* claim_leased */
inline claim_leased() {
	STEP(look_at_tag(0));
#if OBJS > 1
	STEP(look_at_tag(1));
#endif
	do
	:: d_step { seen != 0 && got < want -> take_tag() }
	:: seen == 0 || got == want -> break
	OR_DIE
	od;
	if
	:: d_step { got == want -> seen = 0; got = 0; want = 0 }
	:: d_step { got < want -> seen = 0; got = 0; want = 0 }
		clear_bit(me);
		if
		:: MUTANT_no_scan
		:: !MUTANT_no_scan -> set_if_due(me)
		fi
	OR_DIE
	fi
}

/* claim_from, of a slab whose bit was seen */
inline claim() {
	if
	:: d_step { lease[s] == 0 || MUTANT_no_lease -> drain(me); lease[s] = me }
		claim_leased();
		STEP(lease[s] = 0; s = 0; rest(me))
	:: d_step { lease[s] != 0 && !MUTANT_no_lease -> s = 0; want = 0; rest(me) }
	OR_DIE
	fi
}

/* tags_free_own: the lowest that is to go, whose mask is in seen. */
inline free_tag() {
	x = 0;
	do
	:: (seen & BIT_OF(x)) == 0 -> x++
	:: else -> break
	od;
	living_unswept = tag[x] == me;
	CHECK(living_unswept);
	seen = seen & ~BIT_OF(x);
	mine[me] = mine[me] & ~BIT_OF(x);
	drain(me);
	sb[me] = x + 1;
	x = 0
}

/* slab_release_any, of objects of one slab */
inline release() {
	do
	:: d_step { seen != 0 -> free_tag() }
	:: d_step { seen == 0 ->
		if
		:: MUTANT_no_fence
		:: else -> drain(me)
		fi }
		break
	OR_DIE
	od;
	set_bit(me);
	STEP(s = 0; rest(me))
}

proctype client(byte me) {
	byte s, seen, got, want;
	do
	:: atomic {
		if
		:: (bits & 1) != 0 -> s = 0
#if SLABS > 1
		:: (bits & 2) != 0 -> s = 1
#endif
		fi;
		if
		:: want = 1
#if OBJS > 1
		:: want = 2
#endif
		fi;
		busy = busy | BIT_OF(me)
	   }
		claim()
	:: atomic {
		if
		:: (mine[me] & IN_SLAB(0)) != 0 -> s = 0
#if SLABS > 1
		:: (mine[me] & IN_SLAB(1)) != 0 -> s = 1
#endif
		fi;
		if
		:: seen = mine[me] & IN_SLAB(s)
#if OBJS > 1
		:: (mine[me] & IN_SLAB(s)) == IN_SLAB(s) -> seen = BIT_OF(OBJ(s, 0))
		:: (mine[me] & IN_SLAB(s)) == IN_SLAB(s) -> seen = BIT_OF(OBJ(s, 1))
#endif
		fi;
		busy = busy | BIT_OF(me)
	   }
		release()
	OR_DIE;
dead:
		/* Born again, under an id that was swept. */
		(dead_now & BIT_OF(me)) == 0
	od
}

/* tags_sweep_srv on one slab, and the fence: the dead have no other writer, as
 * nothing is given here. */
inline sweep_tag(o) {
	if
	:: !MUTANT_no_tag_sweep && (TAG(s, o) == got ||
	   (MUTANT_sweep_others && TAG(s, o) != FREE)) ->
		drain(0);
		sb[0] = OBJ(s, o) + 1
	:: else
	fi
}

inline sweep_tags() {
	STEP(sweep_tag(0));
#if OBJS > 1
	STEP(sweep_tag(1));
#endif
	STEP(if :: MUTANT_no_sweep_fence :: else -> drain(0) fi)
}

/* relist */
inline relist() {
	if
	:: (bits & BIT_OF(s)) == 0 -> set_if_due(0)
	:: (bits & BIT_OF(s)) != 0 ->
		if
		:: sum
		:: !sum -> set_if_due(0)
		OR_DIE
		fi
	OR_DIE
	fi
}

/* slab_sweep_srv for the client in got, and its end */
inline sweep() {
	do
	:: s < SLABS ->
		sweep_tags();
		if
		:: MUTANT_no_relist
		:: !MUTANT_no_relist -> relist()
		fi;
		s++
	:: s == SLABS -> break
	od;
	s = 0;
	do
	:: d_step { s < SLABS ->
		if
		:: lease[s] == got && !MUTANT_no_break -> drain(0); lease[s] = 0
		:: else
		fi;
		s++ }
	:: d_step { s == SLABS ->
		drain(0);
		s = 0;
		dead_now = dead_now & ~BIT_OF(got);
		rest(got);
		got = 0 }
		break
	OR_DIE
	od
}

proctype slabd() {
	byte me, s, seen, got, want;
	do
	:: atomic {
		if
		:: (dead_now & 2) != 0 -> got = 1
		:: (dead_now & 4) != 0 -> got = 2
#if CLIENTS > 2
		:: (dead_now & 8) != 0 -> got = 3
#endif
		fi
	   }
		sweep();
		if
		:: false ->
dead:
			skip
		:: true
		fi
	od
}

/* Stores reach memory. */
proctype memory() {
	do
	:: d_step { sb[0] != 0 -> drain(0); look_at_rest() }
	:: d_step { sb[1] != 0 -> drain(1); look_at_rest() }
	:: d_step { sb[2] != 0 -> drain(2); look_at_rest() }
#if CLIENTS > 2
	:: d_step { sb[3] != 0 -> drain(3); look_at_rest() }
#endif
	od
}

init {
	atomic {
		bits = BIT_OF(SLABS) - 1;
		sum = 1;
		run slabd();
		run memory();
		run client(1);
		run client(2)
#if CLIENTS > 2
		;
		run client(3)
#endif
	}
}
