/* SPDX-License-Identifier: MIT */
/*
 * Another process run under trace, to be killed or failed at a point that is
 * counted: the n-th system call, before or after it, or the n-th store to a
 * file of a pool, see stores.h.
 *
 *   child: tamper_begin() and exec; test: tamper_take(), or of a process that
 *   runs tamper_seize()
 *   test:  tamper_run(), until the point is met, the process ends, or done()
 *
 * All threads are traced; their system calls count as they come.
 */
#ifndef TESTS_LIB_PTRACE_FAULT_H
#define TESTS_LIB_PTRACE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tamper_act {
	TAMPER_COUNT,       /* only count */
	TAMPER_KILL_BEFORE, /* SIGKILL before the n-th call is made */
	TAMPER_KILL_AFTER,  /* and when it has been made */
	TAMPER_FAIL,        /* it is not made, and returns what choose says */
	TAMPER_KILL_STORE,  /* SIGKILL after the n-th store to a pool's files */
};

enum tamper_end {
	TAMPER_MET,   /* it ended, at or after the point */
	TAMPER_DONE,  /* done() said so; the process runs on, untraced, or where
	                 stores are counted was killed */
	TAMPER_ENDED, /* it ended before the point */
};

struct tamper {
	pid_t pid;
	enum tamper_act act;
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
void tamper_begin(void);
void tamper_take(struct tamper *tamper);

/* Takes hold of a running process and its threads. */
void tamper_seize(struct tamper *tamper);

enum tamper_end tamper_run(struct tamper *tamper);

/* Whether processes can be traced here; why not, for a skip. */
const char *tamper_lacks(void);

#endif
