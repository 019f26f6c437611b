/* SPDX-License-Identifier: MIT */
/*
 * A forked child that is stopped at any instruction of a stretch of its code.
 *
 *   child                      tracer, its parent
 *     fork  ----------------->   step_wait
 *     step_enter: stands  --->   step_record, or step_to a place
 *     the stretch                step_once, step_signal, step_go
 *     step_over: stands   --->   step_kill
 *
 * The stretch may be a thread's: then it lasts until step_over or the thread's
 * end. All other threads of the child run on.
 *
 * A child that is to die at a place is not stepped there from the beginning: a
 * breakpoint of the processor stops it each time that it comes by an address
 * which it passes seldom, and only the rest is stepped. Where there is none of
 * these, it is let run from system call to system call. A system call is one
 * step. Of a stretch that is very long only the calls are noted beyond some
 * point. x86-64 alone.
 */
#ifndef TESTS_LIB_STEP_H
#define TESTS_LIB_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#include "shm/atom.h"

/* In memory that both share; zeroed before the fork. */
struct step_mark {
	/* 0 -> the thread that is to be traced (step_enter; put, paired with
	 * get in step_wait, which then waits for it to stop). */
	uint32_t tid;  /* (A) */
	uint32_t over; /* (A) 0 -> 1 at the end of the stretch; relaxed */
	int32_t error; /* of ptrace, negative; the child then ends */
};

enum step_kind {
	STEP_ELSEWHERE, /* in the C library or a sanitizer */
	STEP_OURS,      /* in the program itself, which has our library */
	STEP_CALL,      /* just before or just after a system call */
};

struct step_place {
	uint32_t calls;      /* before it */
	uint32_t insns;      /* since the last of them */
	enum step_kind kind; /* of the next instruction */
	uint32_t visits;     /* of the breakpoint before it; 0: none */
	uint32_t rest;       /* instructions from there */
	uintptr_t at;        /* the breakpoint */
	uintptr_t here;      /* the next instruction */
};

/* All places of a stretch, from its beginning to its end. */
struct step_track {
	struct step_place *places;
	size_t n;
	size_t room;
};

struct step {
	pid_t pid;
	pid_t tid;
	struct step_mark *mark;
	bool gone; /* the thread ended */
	int fault; /* a signal that nobody sent from here */
};

/* Why nothing can be stepped here, or NULL. */
const char *step_unable(void);

/* Whether it is to be short: not with SLABD_STRESS, and not with a sanitizer, where
 * ./dev stress alone steps. */
bool step_is_short(void);

/* In the child: stands still until the tracer lets it go. */
void step_arm(struct step_mark *mark);

#if defined(__x86_64__)
#define STEP_STAND() __asm__ volatile("int3" : : : "memory")
#else
#define STEP_STAND() __builtin_trap()
#endif

static inline __attribute__((always_inline)) void
step_enter(struct step_mark *mark)
{
	step_arm(mark);
	STEP_STAND();
}

static inline __attribute__((always_inline)) void
step_over(struct step_mark *mark)
{
	atom_store(&mark->over, 1u);
	STEP_STAND();
}

/* Waits until the child stands at the beginning. False when it ended before,
 * and was waited for. */
bool step_wait(struct step *step, pid_t pid, struct step_mark *mark);

/* One instruction. Whether it still is in the stretch. */
bool step_once(struct step *step);

/* Lets it run up to a place. False when the stretch was over before: not every
 * child takes the same way. */
bool step_to(struct step *step, const struct step_place *place);

/* Whether it stands before the instruction that the place was noted with. */
bool step_is_at(const struct step *step, const struct step_place *place);

/* Steps through the whole and notes every place, the beginning and the end
 * among them. */
void step_record(struct step *step, struct step_track *track);
void step_forget(struct step_track *track);

/* Lets it run to the end of the stretch, with a signal, or 0. False when it
 * met one that nobody sent. */
bool step_go(struct step *step, int signal);

/* From the end of one stretch to the beginning of the next, where the child
 * has several. */
bool step_again(struct step *step);

/* From where it stands on, untraced. */
void step_leave(struct step *step);

/* SIGKILL, and waits until the process is dead. */
void step_kill(struct step *step);

#endif
