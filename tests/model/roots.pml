/* SPDX-License-Identifier: MIT */
/*
 * A root: a worker that sets it to one of two objects, and takes out what it names, is
 * killed, and lives again; slabd notes each change, is killed at any store, and the
 * next one finishes it, and says that it is another one, so that what was not answered
 * is asked again.
 *
 * A handle is the object's place: one that was freed and is had again from a magazine
 * has the same, so that a request that is served twice meets another object by it.
 * The next life begins as soon as the process is dead, which slabd may not have seen.
 */
#include "base.pml"

#ifndef MUTANT_no_note          /* the next slabd knows nothing of a change */
#define MUTANT_no_note 0
#endif
#ifndef MUTANT_name_first       /* it names what is not the root's yet */
#define MUTANT_name_first 0
#endif
#ifndef MUTANT_no_finish_gift   /* what was named stays with the root then */
#define MUTANT_no_finish_gift 0
#endif
#ifndef MUTANT_no_seq           /* a request that comes twice is served twice */
#define MUTANT_no_seq 0
#endif
#ifndef MUTANT_seq_late         /* its number is noted after the answer */
#define MUTANT_seq_late 0
#endif
#ifndef MUTANT_serve_dead       /* what the dead asked is served */
#define MUTANT_serve_dead 0
#endif
#ifndef MORE                    /* more is given to it, and it names nothing */
#define MORE 0
#endif

#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef CRASHED
#define CRASHED 2
#endif
byte deaths, crashes;

/* Tags: FREE, a life's own, a gift to it, or the root's. */
#define GIFT(p) (2 + (p))
#define ROOT 5
#define NONE 2                  /* no object: they are 0 and 1 */

mtype = { IDLE, SET, TAKE, AGAIN, GOOD, BAD }

byte tag[2];
/* control */
byte name = NONE;
mtype busy = IDLE;
byte by, next = NONE, former = NONE;
bit row[3];
/* the kernel */
bit alive[3];
chan asked[3] = [2] of { mtype, byte, byte, bit }
chan told[3] = [2] of { mtype, bit }
byte last[3];                   /* control: 1 + the number served last; 0: none */
bit was_good[3];
bit serving;                    /* slabd's own */

/* What a life knows that it is named, while it asks for nothing. */
byte knows = NONE;
bit rests;

/* What a book in the root leads to, and what was unlinked there and is taken. */
byte book, loose;

bit one_owner = 1;
bit not_lost = 1;
bit adoption = 1;

#define LEADS_TO(o) ((book & BIT_OF(o)) != 0)
#define NAMED(o) (tag[o] == ROOT -> \
	name == o || ((book | loose) & BIT_OF(o)) != 0 : name != o)

inline look_at_rest() {
	if
	:: !serving && busy == IDLE ->
		not_lost = NAMED(0) && NAMED(1);
		CHECK(not_lost);
		adoption = !rests || (name == knows &&
			(!LEADS_TO(0) || tag[0] == ROOT) &&
			(!LEADS_TO(1) || tag[1] == ROOT));
		CHECK(adoption)
	:: else
	fi
}

/* ---- the worker ----------------------------------------------------------- */

#define DO(body) if :: d_step { body } :: d_step { deaths < DEATHS -> deaths++; alive[p] = 0; rests = 0 } goto dead fi

inline ask(op, o, was) {
	DO(seq = !seq; rests = 0);
	if
	:: nfull(asked[p]) -> asked[p] ! op, o, was, seq
	:: d_step { deaths < DEATHS -> deaths++; alive[p] = 0; rests = 0 } goto dead
	fi;
	do
	:: told[p] ? GOOD, eval(seq) -> answer = GOOD; break
	:: told[p] ? BAD, eval(seq) -> answer = BAD; break
	:: told[p] ? GOOD, eval(!seq)
	:: told[p] ? BAD, eval(!seq)
	:: told[p] ? AGAIN, _ ->
		if
		:: nfull(asked[p]) -> asked[p] ! op, o, was, seq
		:: full(asked[p])
		fi
	:: d_step { deaths < DEATHS -> deaths++; alive[p] = 0; rests = 0 } goto dead
	od
}

inline take_gift(o) {
	DO(one_owner = tag[o] == GIFT(p); CHECK(one_owner); tag[o] = p)
}

proctype life(byte p) {
	byte o, was;
	bit seq;
	mtype answer;
dead:
	/* slabd lets it in, which the life before has left. */
	if
	:: d_step {
		!serving && !row[p] && !alive[1] && !alive[2] ->
		row[p] = 1; alive[p] = 1;
		do
		:: asked[p] ? _, _, _, _
		:: empty(asked[p]) -> break
		od;
		do
		:: told[p] ? _, _
		:: empty(told[p]) -> break
		od;
		last[p] = 0; seq = 0; o = 0; was = 0;
		knows = name; rests = 1
	   }
	fi;
	do
	:: DO(o = 0)
	:: DO(o = 1)
	:: DO(if :: tag[o] == FREE -> tag[o] = p :: tag[o] == p -> tag[o] = FREE
	      :: else fi)
	:: MORE && tag[o] == p ->
		DO(tag[o] = ROOT; book = book | BIT_OF(o); look_at_rest())
	:: MORE && LEADS_TO(o) ->
		DO(book = book & ~BIT_OF(o); loose = loose | BIT_OF(o));
		ask(TAKE, o, NONE);
		if
		:: answer == GOOD -> take_gift(o)
		:: else
		fi;
		DO(loose = loose & ~BIT_OF(o); rests = 1; look_at_rest())
	:: !MORE && tag[o] == p ->
		DO(was = name);
		ask(SET, o, was);
		if
		:: answer == GOOD ->
			if
			:: was != NONE -> take_gift(was)
			:: else
			fi;
			DO(knows = o)
		:: else
		fi;
		DO(rests = 1; was = 0; look_at_rest())
	:: name != NONE ->
		DO(o = (name != NONE -> name : 0));
		ask(TAKE, o, NONE);
		if
		:: answer == GOOD -> take_gift(o); DO(knows = NONE)
		:: else
		fi;
		DO(rests = 1; look_at_rest())
	od
}

/* ---- slabd ---------------------------------------------------------------- */

#define SRV_DO(body) if :: d_step { body } :: d_step { crashes < CRASHED -> crashes++; i = 0 } goto start fi

inline note(what, n, f) {
	if
	:: MUTANT_no_note
	:: !MUTANT_no_note ->
		SRV_DO(by = i; next = n; former = f);
		SRV_DO(busy = what)
	fi
}

/* As finish() has it: the former is a gift, where it is the root's. */
inline give_former(f) {
	SRV_DO(if :: f != NONE && tag[f] == ROOT -> tag[f] = GIFT(i) :: else fi)
}

inline over() {
	SRV_DO(busy = IDLE; by = 0; next = NONE; former = NONE)
}

inline set() {
	if
	:: name == o -> good = 1
	:: name != o && (name != was || tag[o] != i) ->
		good = 0
	:: else ->
		was = name;
		note(SET, o, was);
		if
		:: MUTANT_name_first -> SRV_DO(name = o); SRV_DO(tag[o] = ROOT)
		:: !MUTANT_name_first -> SRV_DO(tag[o] = ROOT); SRV_DO(name = o)
		fi;
		give_former(was);
		over();
		good = 1
	fi
}

inline take() {
	if
	:: tag[o] == GIFT(i) -> good = 1
	:: tag[o] == ROOT && name != o -> give_former(o); good = 1
	:: tag[o] != GIFT(i) && tag[o] != ROOT -> good = 0
	:: else ->
		note(TAKE, NONE, o);
		SRV_DO(name = NONE);
		give_former(o);
		over();
		good = 1
	fi
}

inline answer_it() {
	SRV_DO(
	if
	:: len(told[i]) < 2 && good -> told[i] ! GOOD(seq)
	:: len(told[i]) < 2 && !good -> told[i] ! BAD(seq)
	:: len(told[i]) == 2
	fi)
}

inline serve() {
	if
	:: last[i] == 1 + seq && !MUTANT_no_seq -> good = was_good[i]; answer_it()
	:: (last[i] != 1 + seq || MUTANT_no_seq) && !alive[i] && !MUTANT_serve_dead
	:: else ->
		if
		:: op == SET -> set()
		:: op == TAKE -> take()
		fi;
		if
		:: MUTANT_seq_late -> answer_it()
		:: !MUTANT_seq_late
		fi;
		SRV_DO(last[i] = 1 + seq; was_good[i] = good);
		if
		:: MUTANT_seq_late
		:: !MUTANT_seq_late -> answer_it()
		fi
	fi
}

/* slab_sweep_srv, of one that is dead. */
inline sweep() {
	tag[0] = (tag[0] == i || tag[0] == GIFT(i) -> FREE : tag[0]);
	tag[1] = (tag[1] == i || tag[1] == GIFT(i) -> FREE : tag[1]);
	i = 0
}

/* What a slabd before this one had noted. */
inline finish() {
	i = by;
	if
	:: busy == SET && tag[next] != ROOT
	:: busy == SET && tag[next] == ROOT ->
		SRV_DO(name = next; i = by);
		if
		:: MUTANT_no_finish_gift
		:: !MUTANT_no_finish_gift -> i = by; give_former(former)
		fi
	:: busy == TAKE ->
		SRV_DO(name = NONE; i = by);
		i = by;
		give_former(former)
	:: busy == IDLE
	fi;
	over()
}

proctype slabd() {
	byte i, o, was;
	mtype op;
	bit seq, good;
start:
	if
	:: d_step { serving = 1; o = 0; was = 0; seq = 0; good = 0; op = IDLE }
	fi;
	finish();
	d_step {
		i = 1;
		do
		:: i <= 2 ->
			if
			:: row[i] && len(told[i]) < 2 -> told[i] ! AGAIN, 0
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0; serving = 0; look_at_rest()
	};
	do
	:: d_step { nempty(asked[1]) && row[1] -> i = 1; serving = 1;
	            asked[1] ? op, o, was, seq };
		serve();
		d_step { serving = 0; i = 0; o = 0; was = 0; op = IDLE; seq = 0;
		         good = 0; look_at_rest() }
	:: d_step { nempty(asked[2]) && row[2] -> i = 2; serving = 1;
	            asked[2] ? op, o, was, seq };
		serve();
		d_step { serving = 0; i = 0; o = 0; was = 0; op = IDLE; seq = 0;
		         good = 0; look_at_rest() }
	/* A death is seen: what it had is free, its row another's. */
	:: d_step { row[1] && !alive[1] -> row[1] = 0; i = 1; sweep() }
	:: d_step { row[2] && !alive[2] -> row[2] = 0; i = 2; sweep() }
	:: d_step { crashes < CRASHED -> crashes++; i = 0 } goto start
	od
}

init {
	atomic { run slabd(); run life(1); run life(2) }
}
