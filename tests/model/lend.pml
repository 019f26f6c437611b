/* SPDX-License-Identifier: MIT */
/*
 * A slab whose word names another list, again and again, under clients that
 * claim and release, and a slabd that dies at any step and is started again.
 *
 * One slab and two lists. slabd lends and returns it under its lease, and moves
 * it as with a page that got another home, which takes no lease. README.md says
 * which function each part is, and what the bounds are.
 */
#include "base.pml"

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef OBJS
#define OBJS 1
#endif
#define SRV 7

#ifndef MUTANT_no_lease          /* claims without the lease */
#define MUTANT_no_lease 0
#endif
#ifndef MUTANT_no_look           /* a switch does not look at the tags */
#define MUTANT_no_look 0
#endif
#ifndef MUTANT_no_switch_fence   /* it looks before its word is seen */
#define MUTANT_no_switch_fence 0
#endif
#ifndef MUTANT_no_release_fence  /* a release looks before its store is seen */
#define MUTANT_no_release_fence 0
#endif
#ifndef MUTANT_early_word        /* it sets the bit where the slab stood before */
#define MUTANT_early_word 0
#endif
#ifndef MUTANT_no_put_right      /* who finds a bit on the wrong list drops it */
#define MUTANT_no_put_right 0
#endif
#ifndef MUTANT_adopt_no_bits     /* adoption sets no bits */
#define MUTANT_adopt_no_bits 0
#endif
#ifndef MUTANT_adopt_no_break    /* adoption leaves slabd's own lease */
#define MUTANT_adopt_no_break 0
#endif
#ifndef MUTANT_no_tag_sweep      /* the sweep frees no tags */
#define MUTANT_no_tag_sweep 0
#endif
#ifndef MUTANT_steal             /* a switch frees what is owned */
#define MUTANT_steal 0
#endif

bit word;               /* control: the list that the slab stands on */
byte tag[2];            /* FREE, or the client that owns it */
byte lease;             /* 0, a client, or SRV */
bit bits[2];            /* the slab's bit on each list */
byte sb[CLIENTS + 1];   /* object + 1 whose FREE is on its way, 0: none */
bit sb_is;              /* slabd's word is */
bit sb_word;

byte mine[CLIENTS + 1];
byte busy;
byte dead_now;

bit one_owner = 1;
bit living_unswept = 1;
bit not_lost = 1;
bit listed = 1;
bit lease_exact = 1;

hidden byte x;

#if CLIENTS > 2
#define BELIEVED (mine[1] | mine[2] | mine[3])
#define ALL_SEEN (!sb_is && sb[1] == 0 && sb[2] == 0 && sb[3] == 0)
#else
#define BELIEVED (mine[1] | mine[2])
#define ALL_SEEN (!sb_is && sb[1] == 0 && sb[2] == 0)
#endif
#define ANY_FREE (tag[0] == FREE || (OBJS > 1 && tag[1] == FREE))

inline drain(p) {
	if
	:: p == 0 && sb_is -> word = sb_word; sb_is = 0; sb_word = 0
	:: p != 0 && sb[p] != 0 -> tag[sb[p] - 1] = FREE; sb[p] = 0
	:: else
	fi
}

inline look_at_rest() {
	if
	:: busy == 0 && ALL_SEEN ->
		x = 0;
		do
		:: x < OBJS ->
			not_lost = not_lost && (tag[x] == FREE ||
			           (mine[tag[x]] & BIT_OF(x)) != 0);
			x++
		:: else -> break
		od;
		x = 0;
		listed = listed && (!ANY_FREE || bits[word]);
		lease_exact = lease_exact && lease == 0;
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
	c = 0; o = 0; n = 0;
	busy = busy | BIT_OF(p);
	if
	:: p != 0 ->
		mine[p] = 0;
		dead_now = dead_now | BIT_OF(p)
	:: else
	fi
}

/* partial_set_any; the summary is in tags_lease.pml. */
inline set_bit(at) {
	if
	:: bits[at]
	:: !bits[at] -> STEP(drain(me); bits[at] = 1)
	OR_DIE
	fi
}

/* partial_clear_any */
inline clear_bit(at) {
	STEP(drain(me); bits[at] = 0)
}

/* tags_any_free, and the bit of list n if so */
inline set_if_due() {
	if
	:: tag[0] == FREE -> set_bit(n)
	:: tag[0] != FREE && OBJS == 1
	:: tag[0] != FREE && OBJS > 1 ->
		if
		:: tag[1] == FREE -> set_bit(n)
		:: tag[1] != FREE
		OR_DIE
		fi
	OR_DIE
	fi
}

/* slab_relist_any: the word as it is now (its own, for slabd), and the bit */
inline relist() {
	STEP(n = (me == 0 && sb_is -> sb_word : word));
	set_if_due();
	STEP(n = 0)
}

/* ---- clients ------------------------------------------------------------ */

inline take_tag(ix) {
	one_owner = tag[ix] == FREE && (BELIEVED & BIT_OF(ix)) == 0;
	CHECK(one_owner);
	tag[ix] = me;
	mine[me] = mine[me] | BIT_OF(ix)
}

inline bare() {
	clear_bit(c);
	STEP(n = c);
	set_if_due();
	STEP(n = 0)
}

/* claim_leased, of one object; bare() is what a claim of more comes to. */
inline claim_leased() {
	if
	:: tag[0] == FREE -> STEP(take_tag(0))
	:: tag[0] != FREE ->
		if
		:: OBJS > 1 && tag[1] == FREE -> STEP(take_tag(1))
		:: OBJS == 1 || tag[1] != FREE
		OR_DIE
		fi
	OR_DIE
	fi;
	/* It may have wanted more than it found. */
	if
	:: true
	:: bare()
	fi
}

/* claim_from, of the slab whose bit was seen on list c */
inline claim() {
	if
	:: word != c ->
		clear_bit(c);
		if
		:: MUTANT_no_put_right
		:: !MUTANT_no_put_right -> relist()
		fi
	:: word == c ->
		if
		:: lease != 0 && !MUTANT_no_lease
		:: d_step { lease == 0 || MUTANT_no_lease -> drain(me); lease = me }
			if
			:: word == c -> claim_leased()
			:: word != c
			OR_DIE
			fi;
			STEP(lease = 0)
		OR_DIE
		fi
	OR_DIE
	fi;
	STEP(c = 0; rest(me))
}

inline free_tag() {
	living_unswept = tag[o] == me;
	CHECK(living_unswept);
	mine[me] = mine[me] & ~BIT_OF(o);
	drain(me);
	sb[me] = o + 1;
	o = 0
}

/* slab_release_any, of one object */
inline release() {
	if
	:: MUTANT_early_word -> STEP(c = word)
	:: !MUTANT_early_word
	fi;
	STEP(free_tag());
	if
	:: MUTANT_no_release_fence
	:: !MUTANT_no_release_fence -> STEP(drain(me))
	fi;
	if
	:: MUTANT_early_word
	:: !MUTANT_early_word -> STEP(c = word)
	fi;
	set_bit(c);
	STEP(c = 0; rest(me))
}

proctype client(byte me) {
	byte c, o, n;
	do
	:: atomic {
		if
		:: bits[0] -> c = 0
		:: bits[1] -> c = 1
		fi;
		busy = busy | BIT_OF(me)
	   }
		claim()
	:: atomic {
		if
		:: (mine[me] & 1) != 0 -> o = 0
#if OBJS > 1
		:: (mine[me] & 2) != 0 -> o = 1
#endif
		fi;
		busy = busy | BIT_OF(me)
	   }
		release()
	OR_DIE;
dead:
		(dead_now & BIT_OF(me)) == 0
	od
}

/* ---- slabd -------------------------------------------------------------- */

/* place: the word, the fence, the bit on the list it leaves, which fences too,
 * the look at the tags. Without both fences the look comes first. */
inline place() {
	STEP(c = word; drain(0); sb_is = 1; sb_word = 1 - word);
	if
	:: MUTANT_no_switch_fence -> relist(); clear_bit(c)
	:: !MUTANT_no_switch_fence ->
		STEP(drain(0));
		clear_bit(c);
		if
		:: MUTANT_no_look
		:: !MUTANT_no_look -> relist()
		fi
	fi;
	if
	:: MUTANT_steal -> STEP(tag[0] = FREE)
	:: !MUTANT_steal
	fi
}

/* slab_lend_srv */
inline lend() {
	if
	:: lease != 0
	:: d_step { lease == 0 -> lease = SRV }
		place();
		STEP(drain(0); lease = 0)
	OR_DIE
	fi
}

/* slab_sweep_srv for client o: in full in tags_lease.pml */
inline sweep() {
	STEP(if :: tag[0] == o && !MUTANT_no_tag_sweep -> tag[0] = FREE :: else fi);
#if OBJS > 1
	STEP(if :: tag[1] == o && !MUTANT_no_tag_sweep -> tag[1] = FREE :: else fi);
#endif
	relist();
	STEP(if :: lease == o -> lease = 0 :: else fi)
}

inline adopt() {
	STEP(
		if
		:: lease == SRV && !MUTANT_adopt_no_break -> lease = 0
		:: else
		fi);
	if
	:: MUTANT_adopt_no_bits
	:: !MUTANT_adopt_no_bits -> relist()
	fi;
	STEP(rest(0))
}

proctype slabd() {
	byte me, c, o, n;
dead:
	adopt();
	do
	:: atomic {
		if
		:: (dead_now & 2) != 0 -> o = 1
		:: (dead_now & 4) != 0 -> o = 2
#if CLIENTS > 2
		:: (dead_now & 8) != 0 -> o = 3
#endif
		fi;
		busy = busy | 1
	   }
		sweep();
		STEP(
			dead_now = dead_now & ~BIT_OF(o);
			busy = busy & ~BIT_OF(o);
			o = 0;
			rest(0))
	:: atomic { busy = busy | 1 }
		if
		:: lend()
		:: place()
		fi;
		STEP(c = 0; rest(0))
	OR_DIE
	od
}

/* Stores reach memory. */
proctype memory() {
	do
	:: d_step { sb_is -> drain(0); look_at_rest() }
	:: d_step { sb[1] != 0 -> drain(1); look_at_rest() }
	:: d_step { sb[2] != 0 -> drain(2); look_at_rest() }
#if CLIENTS > 2
	:: d_step { sb[3] != 0 -> drain(3); look_at_rest() }
#endif
	od
}

init {
	atomic {
		busy = 1;
		bits[0] = 1;
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
