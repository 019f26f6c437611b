/* SPDX-License-Identifier: MIT */
/*
 * Ageing of an object pool (client/objpool_age.c): one thread gets and puts, by plain
 * loads and stores of its stack, while another ends periods. With BARRIERS the kernel
 * puts a barrier into the thread; else the thread ages its stack itself, at its next
 * call that goes the slow way.
 *
 * The stack is [base, n) of obj. What lies below low was not used in this period, and
 * a get that finds no more than that goes the slow way.
 */
#include "base.pml"

#ifndef MUTANT_no_say           /* a get looks at low before it says what it takes */
#define MUTANT_no_say 0
#endif
#ifndef MUTANT_no_barrier       /* the kernel puts no barrier into the thread */
#define MUTANT_no_barrier 0
#endif
#ifndef MUTANT_no_settle        /* what it took meanwhile is not looked at */
#define MUTANT_no_settle 0
#endif
#ifndef MUTANT_late_low         /* low is stored behind the barrier */
#define MUTANT_late_low 0
#endif
#ifndef MUTANT_keep_low         /* a get below low leaves low as it is */
#define MUTANT_keep_low 0
#endif
#ifndef MUTANT_raise_low        /* it raises low, too */
#define MUTANT_raise_low 0
#endif
#ifndef MUTANT_no_begin         /* the next period begins with none */
#define MUTANT_no_begin 0
#endif
#ifndef MUTANT_no_age           /* what is idle is not taken away */
#define MUTANT_no_age 0
#endif
#ifndef MUTANT_no_restore       /* a get that goes the slow way has taken one */
#define MUTANT_no_restore 0
#endif
#ifndef MUTANT_low_of_now       /* who ages its own begins with what is there by then */
#define MUTANT_low_of_now 0
#endif

#ifndef BARRIERS
#define BARRIERS 1
#endif
#ifndef OBJS
#define OBJS 3
#endif

#define NO_N 255                /* n of a stack of none, from which one is got */
#define NONE 255

#define P_used_stays 8
#define P_idle_goes 9

#define UNMADE 0
#define USED 1
#define IDLE 2
#define OLD 3

/* shared */
byte n;
byte low, cap;
byte obj[OBJS];
bit lock;
/* under the lock */
byte base, was_low;
bit due;

/* The thread's store buffer: n, oldest first. */
byte buf[2];
byte n_buf;

/* What nobody can see. */
byte mine;                      /* n as the thread knows it */
bit inside;
bit stirred;                    /* the thread called meanwhile */
byte place[OBJS];
bit used[OBJS];                 /* in this period */
byte ages[OBJS];                /* that it lay there through, since it was put */

bit one_owner = 1;
bit not_lost = 1;
bit used_stays = 1;
bit idle_goes = 1;

hidden byte i, count;

#define WITHOUT_NO(n) (n == NO_N -> 0 : n)
#define TOP(n) (WITHOUT_NO(n) > base -> WITHOUT_NO(n) : base)

inline store_n(v) {
	mine = v;
	if
	:: n_buf == 2 -> n = buf[0]; buf[0] = buf[1]; buf[1] = v
	:: n_buf < 2 -> buf[n_buf] = v; n_buf++
	fi
}

inline drain() {
	if
	:: n_buf > 0 -> n = buf[n_buf - 1]; n_buf = 0; buf[0] = 0; buf[1] = 0
	:: else
	fi
}

inline hand_out(o) {
	one_owner = place[o] == IDLE;
	CHECK(one_owner);
	place[o] = USED;
	used[o] = 1
}

inline lay_down(o) {
	place[o] = IDLE;
	used[o] = 1;
	ages[o] = 0
}

/* retire: one of those below low. */
inline retire_one() {
	one_owner = place[obj[base]] == IDLE;
	CHECK(one_owner);
	used_stays = !used[obj[base]];
	CHECK(used_stays);
	place[obj[base]] = OLD;
	base++
}

/* Another period: what lay there through the last one and is there still has one
 * more behind it, but for what the thread may be about to take. */
inline next_period(busy) {
	i = 0;
	do
	:: i < OBJS ->
		used[i] = 0;
		ages[i] = (place[i] == IDLE -> ages[i] + !busy : 0);
		idle_goes = idle_goes && ages[i] <= 2;
		i++
	:: else -> break
	od;
	i = 0;
	CHECK(idle_goes)
}

/* Nobody is half way in anything: the stack is what is idle. */
inline look_at_rest() {
	if
	:: !lock && !inside ->
		i = 0;
		count = 0;
		do
		:: i < OBJS -> count = count + (place[i] == IDLE); i++
		:: else -> break
		od;
		not_lost = count == TOP(mine) - base;
		i = 0; count = 0;
		CHECK(not_lost)
	:: else
	fi
}

/* ---- the thread ----------------------------------------------------------- */

/* objpool_age_own */
inline age_own() {
	due = 0;
	low = (MUTANT_low_of_now -> mine : was_low);
	do
	:: base < low -> retire_one()
	:: else -> break
	od;
	low = mine;
	next_period(0)
}

inline compact() {
	i = 0;
	do
	:: base + i < mine -> obj[i] = obj[base + i]; i++
	:: else -> break
	od;
	i = 0;
	mine = mine - base;
	low = low - base;
	cap = cap - base;
	base = 0
}

/* settle, under the lock: its stack is its own, and what it stored is there. */
inline settle_own() {
	drain();
	if
	:: due -> age_own()
	:: else
	fi;
	compact()
}

inline unlock() { n = mine; lock = 0 }

proctype thread() {
	byte w, o;
	bit slow;
	do
	/* slabd_objpool_get */
	:: d_step { w = mine; inside = 1; stirred = 1 };
		if
		:: MUTANT_no_say ->
			d_step { slow = w <= low };
			d_step { store_n((w == 0 -> NO_N : w - 1)) }
		:: !MUTANT_no_say ->
			d_step { store_n((w == 0 -> NO_N : w - 1)) };
			d_step { slow = w <= low }
		fi;
		if
		:: !slow -> d_step { o = obj[w - 1]; hand_out(o) }
		:: slow ->
			d_step { if
			         :: MUTANT_no_restore && w > base
			         :: else -> store_n(w)
			         fi };
			d_step { !lock -> lock = 1; settle_own();
			         o = NONE;
			         if
			         :: mine > 0 ->
					low = (!MUTANT_keep_low && (MUTANT_raise_low || low > mine - 1) -> mine - 1 : low);
					mine--;
					o = obj[mine];
					hand_out(o)
			         :: else
			         fi;
			         unlock() };
			/* make, where any may be */
			d_step { i = 0;
			         do
			         :: o == NONE && i < OBJS ->
					if
					:: place[i] == UNMADE -> o = i; place[i] = USED
					:: else
					fi;
					i++
			         :: else -> break
			         od;
			         i = 0 }
		fi;
		d_step { w = 0; o = 0; slow = 0; inside = 0; look_at_rest() }
	/* slabd_objpool_put */
	:: d_step { place[0] == USED -> o = 0; inside = 1; stirred = 1 };
		goto put
	:: d_step { OBJS > 1 && place[1 % OBJS] == USED -> o = 1; inside = 1; stirred = 1 };
		goto put
	:: d_step { OBJS > 2 && place[2 % OBJS] == USED -> o = 2; inside = 1; stirred = 1 };
put:		skip;
		d_step { w = mine; slow = w >= cap };
		if
		:: !slow -> d_step { obj[w] = o; lay_down(o); store_n(w + 1) }
		:: slow ->
			d_step { !lock -> lock = 1; settle_own();
			         cap = (mine >= cap -> mine + 1 : cap);
			         obj[mine] = o;
			         lay_down(o);
			         mine++;
			         unlock() }
		fi;
		d_step { w = 0; o = 0; slow = 0; inside = 0; look_at_rest() }
	od
}

/* ---- who ages ------------------------------------------------------------- */

/* age_stacks */
inline age_it() {
	do
	:: base < low && !MUTANT_no_age -> d_step { retire_one() }
	:: base >= low || MUTANT_no_age -> break
	od;
	skip;
	d_step { top = TOP(n) };
	if
	:: !MUTANT_late_low && !MUTANT_no_begin -> d_step { low = top }
	:: else
	fi;
	d_step { cap = (top > base && cap / 2 > top -> cap / 2 : top) };
	d_step { if
	         :: !MUTANT_no_barrier -> drain()
	         :: else
	         fi };
	if
	:: MUTANT_late_low -> d_step { low = top }
	:: else
	fi;
	/* What it took, and has put back by then, was before the period. */
	d_step { top = TOP(n); next_period(stirred) };
	d_step { low = (top < low && !MUTANT_no_settle -> top : low); top = 0 }
}

inline leave_to_owner() {
	if
	:: !due ->
		d_step { due = 1; was_low = low };
		d_step { low = 255 };
		d_step { cap = 0 }
	:: else
	fi
}

proctype ager() {
	byte top;
	do
	:: d_step { !lock -> lock = 1; stirred = inside };
		if
		:: BARRIERS -> age_it()
		:: !BARRIERS -> leave_to_owner()
		fi;
		d_step { lock = 0; look_at_rest() }
	/* objpool_end_old */
	:: d_step { !lock && place[0] == OLD -> place[0] = UNMADE }
	:: d_step { !lock && place[1 % OBJS] == OLD -> place[1 % OBJS] = UNMADE }
	:: d_step { !lock && place[2 % OBJS] == OLD -> place[2 % OBJS] = UNMADE }
	od
}

/* A store reaches memory some time. */
proctype processor() {
	do
	:: d_step { n_buf > 0 -> n = buf[0]; buf[0] = buf[1]; buf[1] = 0; n_buf-- }
	od
}

init {
	atomic {
		run thread();
		run ager();
		run processor()
	}
}
