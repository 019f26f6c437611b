/* SPDX-License-Identifier: MIT */
/*
 * Another process run under trace, to be killed or failed at a point that is
 * counted: the n-th system call, before or after it, or the n-th store to a
 * file of a pool, see stores.h.
 *
 *   child: ptrace_fault_begin() and exec; test: ptrace_fault_take(), or of a process that
 *   runs ptrace_fault_seize()
 *   test:  ptrace_fault_run(), until the point is met, the process ends, or done()
 *
 * All threads are traced; their system calls count as they come.
 */
#ifndef TESTS_LIB_PTRACE_FAULT_H
#define TESTS_LIB_PTRACE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum ptrace_fault_act {
	PTRACE_FAULT_COUNT,       /* only count */
	PTRACE_FAULT_KILL_BEFORE, /* SIGKILL before the n-th call is made */
	PTRACE_FAULT_KILL_AFTER,  /* and when it has been made */
	PTRACE_FAULT_FAIL, /* it is not made, and returns what choose says */
	PTRACE_FAULT_KILL_STORE, /* SIGKILL after the n-th store to a pool's files */
};

enum ptrace_fault_end {
	PTRACE_FAULT_MET, /* it ended, at or after the point */
	PTRACE_FAULT_DONE, /* done() said so; the process runs on, untraced, or where
	                 stores are counted was killed */
	PTRACE_FAULT_ENDED, /* it ended before the point */
};

struct ptrace_fault {
	pid_t pid;
	enum ptrace_fault_act act;
	uint64_t at; /* from 1 */
	long after;  /* calls count after the first of this number; 0: all */
	int (*choose)(long call); /* an error, or 0: let it be made */
	/* Called again and again: serves whoever the process waits for, and
	 * says whether it is where the test wants it. */
	bool (*done)(void *arg);
	void *arg;
	/* what came of it */
	uint64_t seen;  /* calls, or stores */
	uint64_t stops; /* of any kind */
	long call;     /* the system call at the point */
	int status;    /* of an end, as waitpid tells */
	bool met;
	bool counting; /* the call named by after has been made */
};

/* In a new process, before exec: waits for the test, which then calls take. */
void ptrace_fault_begin(void);
void ptrace_fault_take(struct ptrace_fault *fault);

/* Takes hold of a running process and its threads. */
void ptrace_fault_seize(struct ptrace_fault *fault);

enum ptrace_fault_end ptrace_fault_run(struct ptrace_fault *fault);

/* Whether processes can be traced here; why not, for a skip. */
const char *ptrace_fault_lacks(void);

#endif
