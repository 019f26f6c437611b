/* SPDX-License-Identifier: MIT */
/*
 * Every store of a traced process to a pool's control, shared and journal file.
 *
 * They are write-protected in it, by calls of mprotect that it is made to make:
 * a store faults, is let through by a single step, and the page is protected
 * again. A store is an instruction; of a string instruction, one turn. One that
 * changes nothing is none. What another thread stores in the same page in the
 * midst of a step goes unseen.
 */
#ifndef TESTS_LIB_STORES_H
#define TESTS_LIB_STORES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

/* Another process is traced, or none. */
void stores_reset(void);

/* At the end of a system call of a thread, with its registers: what it mapped
 * is protected, and at the first what was mapped before. */
void stores_look(pid_t pid, pid_t tid, struct user_regs_struct *regs);

/* At a SIGSEGV of a thread: true when it was a store to one of the files, which
 * has been made now; counts it where it changed something. */
bool stores_let_through(pid_t tid, uint64_t *count);

#endif
