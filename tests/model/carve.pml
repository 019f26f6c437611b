/* SPDX-License-Identifier: MIT */
/*
 * Units that become slabs and cease to be, under clients that claim and release,
 * and a slabd that dies at any step and is started again.
 *
 * Two units and two caches: a slab of cache A is one unit with one object, one
 * of cache B both units with an object in each, so that the second can be freed
 * only where the tail's word is there. README.md says which function each part
 * is, and what the bounds are.
 */
#include "base.pml"

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef UNITS
#define UNITS 2
#endif
/* Whether a slab of that cache has a tail, and a second object there. */
#define WIDE(cache) (UNITS > 1 && (cache) == B)

#ifndef MUTANT_no_claim_lease     /* claims without the lease */
#define MUTANT_no_claim_lease 0
#endif
#ifndef MUTANT_no_second_look     /* a claim trusts what it saw before the lease */
#define MUTANT_no_second_look 0
#endif
#ifndef MUTANT_no_reclaim_lease   /* reclaim does without the lease */
#define MUTANT_no_reclaim_lease 0
#endif
#ifndef MUTANT_no_all_free        /* reclaim does not look at the tags */
#define MUTANT_no_all_free 0
#endif
#ifndef MUTANT_head_first         /* carve writes the head before the tail */
#define MUTANT_head_first 0
#endif
#ifndef MUTANT_no_carve_fence     /* carve looks at the bit before its word is seen */
#define MUTANT_no_carve_fence 0
#endif
#ifndef MUTANT_break_living       /* carve breaks a living client's lease */
#define MUTANT_break_living 0
#endif
#ifndef MUTANT_adopt_no_tail      /* adoption leaves a slab without its tail */
#define MUTANT_adopt_no_tail 0
#endif
#ifndef MUTANT_adopt_no_clear     /* adoption leaves a tail without its head */
#define MUTANT_adopt_no_clear 0
#endif
#ifndef MUTANT_adopt_lease_first  /* adoption breaks leases before it repairs */
#define MUTANT_adopt_lease_first 0
#endif
#ifndef MUTANT_adopt_no_break     /* adoption leaves slabd's own leases */
#define MUTANT_adopt_no_break 0
#endif
#ifndef MUTANT_adopt_no_reap    /* adoption forgets who died meanwhile */
#define MUTANT_adopt_no_reap 0
#endif
#ifndef MUTANT_adopt_no_bits      /* adoption sets no bits */
#define MUTANT_adopt_no_bits 0
#endif

/* Unit words. */
#define NONE 0
#define A 1
#define B 2
#define B_TAIL 3

#define SRV 7

byte word[2];           /* control: slabd writes */
byte tag[2];            /* FREE, or a client; of the object in that unit */
byte lease[2];          /* 0, a client, or SRV */
byte list_a;            /* a bit a head unit */
byte list_b;
byte sb;                /* slabd's head word on its way: its unit + 1, 0: none */
byte sb_word;

byte taken;             /* slabd's books: units of slabs */

byte mine[CLIENTS + 1];
byte busy;
byte dead_now;

bit one_owner = 1;
bit not_lost = 1;
bit listed = 1;
bit lease_exact = 1;
bit adoption = 1;

hidden byte x;

inline drain() {
	if
	:: sb != 0 -> word[sb - 1] = sb_word; sb = 0; sb_word = 0
	:: else
	fi
}

#if CLIENTS > 1
#define BELIEVED(u) ((mine[1] | mine[2]) & BIT_OF(u))
#else
#define BELIEVED(u) (mine[1] & BIT_OF(u))
#endif
#define IS_HEAD(u) (word[u] == A || word[u] == B)
#define ON_LIST(u) ((word[u] == A && (list_a & BIT_OF(u)) != 0) || \
	(word[u] == B && (list_b & BIT_OF(u)) != 0))
#define ANY_FREE(u) (tag[u] == FREE || (WIDE(word[u]) && tag[1] == FREE))

/* The books agree with the words, and the words are what carve writes. */
#define BOOKS_AGREE ((word[0] != NONE) == ((taken & 1) != 0) && \
	(word[1] != NONE) == ((taken & 2) != 0) && \
	WIDE(word[0]) == (word[1] == B_TAIL) && \
	word[0] != B_TAIL && word[1] != B)

inline look_at_rest() {
	if
	:: busy == 0 && sb == 0 ->
		adoption = BOOKS_AGREE;
		CHECK(adoption);
		x = 0;
		do
		:: x < 2 ->
			not_lost = not_lost && (tag[x] == FREE ||
			           (mine[tag[x]] & BIT_OF(x)) != 0);
			listed = listed && (!IS_HEAD(x) || !ANY_FREE(x) ||
			         ON_LIST(x));
			lease_exact = lease_exact && lease[x] == 0;
			x++
		:: else -> break
		od;
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
	u = 0; c = 0; o = 0;
	busy = busy | BIT_OF(p);
	if
	:: p == 0 -> taken = 0; drain()
	:: else -> mine[p] = 0; dead_now = dead_now | BIT_OF(p)
	fi
}

/* ---- the lists ---------------------------------------------------------- */

inline put_bit(cache) {
	if
	:: me == 0 -> drain()
	:: else
	fi;
	if
	:: cache == A -> list_a = list_a | BIT_OF(u)
	:: else -> list_b = list_b | BIT_OF(u)
	fi
}

#define HAS_BIT(cache) (((cache == A -> list_a : list_b) & BIT_OF(u)) != 0)

/* partial_set_any of unit u; the summary is in tags_lease.pml. */
inline set_bit(cache) {
	if
	:: HAS_BIT(cache)
	:: !HAS_BIT(cache) -> STEP(put_bit(cache))
	OR_DIE
	fi
}

/* partial_clear_any */
inline clear_bit(cache) {
	STEP(
		if
		:: cache == A -> list_a = list_a & ~BIT_OF(u)
		:: else -> list_b = list_b & ~BIT_OF(u)
		fi)
}

/* tags_any_free of a slab of that cache at u, and its bit if so */
inline set_if_due(cache) {
	if
	:: tag[u] == FREE -> set_bit(cache)
	:: tag[u] != FREE && !WIDE(cache)
	:: tag[u] != FREE && WIDE(cache) ->
		if
		:: tag[1] == FREE -> set_bit(cache)
		:: tag[1] != FREE
		OR_DIE
		fi
	OR_DIE
	fi
}

/* slab_relist_any: the word as it is now, and the bit that is due */
inline relist() {
	if
	:: word[u] == A -> set_if_due(A)
	:: word[u] == B -> set_if_due(B)
	:: !IS_HEAD(u)
	OR_DIE
	fi
}

/* ---- clients ------------------------------------------------------------ */

/* One store of tags_claim_own. */
inline take_tag(ix) {
	one_owner = tag[ix] == FREE && BELIEVED(ix) == 0;
	CHECK(one_owner);
	/* What is claimed from is what the claim is for, and is there whole. */
	lease_exact = word[u] == c;
	CHECK(lease_exact);
	adoption = !WIDE(c) || word[1] == B_TAIL;
	CHECK(adoption);
	tag[ix] = me;
	mine[me] = mine[me] | BIT_OF(ix)
}

inline bare() {
	clear_bit(c);
	set_if_due(c)
}

/* claim_leased, of one object */
inline claim_leased() {
	if
	:: tag[u] == FREE -> STEP(take_tag(u))
	:: tag[u] != FREE ->
		if
		:: WIDE(c) && tag[1] == FREE -> STEP(take_tag(1))
		:: !WIDE(c) || tag[1] != FREE -> bare()
		OR_DIE
		fi
	OR_DIE
	fi
}

/* claim_from, of a unit u whose bit was seen on the list of c */
inline claim() {
	if
	:: word[u] != c ->
		clear_bit(c);
		relist()
	:: word[u] == c ->
		if
		:: lease[u] != 0 && !MUTANT_no_claim_lease
		:: d_step { lease[u] == 0 || MUTANT_no_claim_lease -> lease[u] = me }
			if
			:: word[u] == c || MUTANT_no_second_look -> claim_leased()
			:: word[u] != c && !MUTANT_no_second_look
			OR_DIE
			fi;
			STEP(lease[u] = 0)
		OR_DIE
		fi
	OR_DIE
	fi;
	STEP(u = 0; c = 0; rest(me))
}

/* tags_free_own, of the object in unit o */
inline free_tag() {
	one_owner = tag[o] == me;
	CHECK(one_owner);
	mine[me] = mine[me] & ~BIT_OF(o);
	tag[o] = FREE
}

/* slab_release_any, of the object in unit o */
inline release() {
	/* slab_locate: refused where the unit has no word. */
	STEP(
		adoption = word[o] != NONE;
		CHECK(adoption);
		u = (word[o] == B_TAIL -> 0 : o));
	STEP(free_tag(); o = 0);
	if
	:: word[u] == A -> set_bit(A)
	:: word[u] == B -> set_bit(B)
	:: !IS_HEAD(u)
	OR_DIE
	fi;
	STEP(u = 0; rest(me))
}

proctype client(byte me) {
	byte u, c, o;
	do
	:: atomic {
		if
		:: (list_a & 1) != 0 -> c = A
		:: (list_a & 2) != 0 -> c = A; u = 1
		:: (list_b & 1) != 0 -> c = B
		fi;
		busy = busy | BIT_OF(me)
	   }
		claim()
	:: atomic {
		if
		:: (mine[me] & 1) != 0
		:: (mine[me] & 2) != 0 -> o = 1
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

/* slab_carve_srv of cache c at u, on units that are nobody's in the books */
inline carve() {
	STEP(
		lease_exact = BELIEVED(u) == 0;
		CHECK(lease_exact);
		tag[u] = FREE);
	if
	:: WIDE(c) -> STEP(
		lease_exact = BELIEVED(1) == 0;
		CHECK(lease_exact);
		tag[1] = FREE)
	:: !WIDE(c)
	fi;
	if
	:: MUTANT_break_living -> STEP(lease[u] = 0)
	:: !MUTANT_break_living
	fi;
	if
	:: WIDE(c) && !MUTANT_head_first -> STEP(word[1] = B_TAIL)
	:: !WIDE(c) || MUTANT_head_first
	fi;
	STEP(sb = u + 1; sb_word = c);
	if
	:: WIDE(c) && MUTANT_head_first -> STEP(drain(); word[1] = B_TAIL)
	:: !WIDE(c) || !MUTANT_head_first
	fi;
	if
	:: MUTANT_no_carve_fence
	:: !MUTANT_no_carve_fence -> STEP(drain())
	fi;
	set_bit(c)
}

/* Under the lease, all free: the words go, then the bit. */
inline reclaim_words() {
	if
	:: WIDE(c) -> STEP(
		lease_exact = BELIEVED(1) == 0 && BELIEVED(0) == 0;
		CHECK(lease_exact);
		word[1] = NONE)
	:: !WIDE(c)
	fi;
	STEP(
		lease_exact = BELIEVED(u) == 0 && tag[u] == FREE;
		CHECK(lease_exact);
		word[u] = NONE);
	clear_bit(c);
	STEP(
		taken = taken & ~(WIDE(c) -> 3 : BIT_OF(u));
		if
		:: MUTANT_no_reclaim_lease
		:: else -> lease[u] = 0
		fi)
}

/* slab_reclaim_srv of the slab of cache c at u */
inline reclaim() {
	if
	:: lease[u] != 0 && !MUTANT_no_reclaim_lease
	:: d_step { lease[u] == 0 || MUTANT_no_reclaim_lease ->
		if
		:: MUTANT_no_reclaim_lease
		:: else -> lease[u] = SRV
		fi }
		if
		:: tag[u] != FREE && !MUTANT_no_all_free -> STEP(lease[u] = 0)
		:: tag[u] == FREE || MUTANT_no_all_free ->
			if
			:: WIDE(c) && tag[1] != FREE && !MUTANT_no_all_free ->
				STEP(lease[u] = 0)
			:: !WIDE(c) || tag[1] == FREE || MUTANT_no_all_free ->
				reclaim_words()
			OR_DIE
			fi
		OR_DIE
		fi
	OR_DIE
	fi
}

/* slab_sweep_srv for client o: in full in tags_lease.pml */
inline sweep() {
	STEP(if :: tag[0] == o -> tag[0] = FREE :: else fi);
	STEP(if :: tag[1] == o -> tag[1] = FREE :: else fi);
	do
	:: u < UNITS -> relist(); u++
	:: u == UNITS -> u = 0; break
	od;
	STEP(if :: lease[0] == o -> lease[0] = 0 :: else fi);
	STEP(if :: lease[1] == o -> lease[1] = 0 :: else fi)
}

/* lease_break_srv */
inline break_srv() {
	STEP(
		if
		:: lease[u] == SRV && !MUTANT_adopt_no_break -> lease[u] = 0
		:: else
		fi)
}

/* slab_repair_srv of unit u */
inline repair() {
	if
	:: u == 0 && WIDE(word[0]) && !MUTANT_adopt_no_tail -> STEP(word[1] = B_TAIL)
	:: u == 1 && word[1] == B_TAIL && !MUTANT_adopt_no_clear ->
		STEP(word[1] = NONE)
	:: else
	fi
}

/* note_slabs: unit by unit, a half-done slab first of all, then the lease of the
 * slabd that died, then the bit; at last the books, which are private. */
inline adopt() {
	do
	:: u < UNITS ->
		if
		:: MUTANT_adopt_lease_first -> break_srv(); repair()
		:: !MUTANT_adopt_lease_first -> repair(); break_srv()
		fi;
		if
		:: MUTANT_adopt_no_bits
		:: !MUTANT_adopt_no_bits -> relist()
		fi;
		if
		:: u == 0 && WIDE(word[0]) -> u = UNITS
		:: else -> u++
		fi
	:: u == UNITS -> break
	od;
	STEP(
		u = 0;
		taken = (word[0] != NONE -> 1 : 0) | (word[1] != NONE -> 2 : 0);
		if
		:: MUTANT_adopt_no_reap -> busy = busy & ~dead_now; dead_now = 0
		:: else
		fi;
		rest(0))
}

proctype slabd() {
	byte me, u, c, o;
dead:
	adopt();
	do
	:: atomic {
		if
		:: (dead_now & 2) != 0 -> o = 1
		:: (dead_now & 4) != 0 -> o = 2
		fi;
		busy = busy | 1
	   }
		sweep();
		STEP(
			dead_now = dead_now & ~BIT_OF(o);
			busy = busy & ~BIT_OF(o);
			o = 0;
			rest(0))
	:: atomic {
		if
		:: taken == 0 -> c = B; taken = (WIDE(B) -> 3 : 1)
		:: (taken & 1) == 0 -> c = A; taken = taken | 1
		:: UNITS > 1 && (taken & 2) == 0 -> c = A; u = 1; taken = taken | 2
		fi;
		busy = busy | 1
	   }
		carve();
		STEP(u = 0; c = 0; rest(0))
	:: atomic {
		if
		:: IS_HEAD(0) -> c = word[0]
		:: word[1] == A -> c = A; u = 1
		fi;
		busy = busy | 1
	   }
		reclaim();
		STEP(u = 0; c = 0; rest(0))
	OR_DIE
	od
}

proctype memory() {
	do
	:: d_step { sb != 0 -> drain(); look_at_rest() }
	od
}

init {
	atomic {
		busy = 1;
		run slabd();
		run memory();
		run client(1)
#if CLIENTS > 1
		;
		run client(2)
#endif
	}
}
