/* SPDX-License-Identifier: MIT */
#include "tests/lib/ptrace_fault.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/stores.h"

#define OPTIONS                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define THREADS_MAX 64u
#define LOOKS_AWAKE 100u /* that find nothing, until it naps between them */

/* Which threads are inside of a system call. */
static struct {
	pid_t tid;
	bool inside;
	int failing; /* with this error, 0: not */
} threads[THREADS_MAX];
static unsigned n_threads;

static unsigned thread_ix(pid_t tid)
{
	unsigned i = 0;
	while (i < n_threads && threads[i].tid != tid)
		i++;
	if (i == THREADS_MAX)
		tap_bail("more than %u threads", THREADS_MAX);
	if (i == n_threads) {
		threads[n_threads].tid = tid;
		threads[n_threads].inside = false;
		threads[n_threads++].failing = 0;
	}
	return i;
}

const char *ptrace_fault_lacks(void)
{
#if defined(__x86_64__)
	pid_t pid = fork();
	int status = 0;
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return "ptrace is not to be had here";
	return NULL;
#else
	return "written for x86-64 alone";
#endif
}

void ptrace_fault_begin(void)
{
	raise(SIGSTOP);
}

void ptrace_fault_take(struct ptrace_fault *fault)
{
	int status;
	if (waitpid(fault->pid, &status, WUNTRACED) != fault->pid ||
	    !WIFSTOPPED(status))
		tap_bail("the new process does not wait");
	ptrace_fault_seize(fault);
	kill(fault->pid, SIGCONT);
}

void ptrace_fault_seize(struct ptrace_fault *fault)
{
	char path[40];
	struct dirent *entry;
	DIR *tasks;
	n_threads = 0;
	stores_reset();
	snprintf(path, sizeof(path), "/proc/%d/task", fault->pid);
	tasks = opendir(path);
	if (tasks == NULL)
		tap_bail("%s: %s", path, strerror(errno));
	while ((entry = readdir(tasks)) != NULL) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (tid == 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)OPTIONS) < 0) {
			/* A thread that looks at something may be at its end. */
			if (tid != fault->pid &&
			    (errno == ESRCH || errno == EPERM))
				continue;
			tap_bail("ptrace of %d: %s", tid, strerror(errno));
		}
		/* One that ends from here on is waited for, too. */
		if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 &&
		    errno != ESRCH)
			tap_bail("ptrace of %d: %s", tid, strerror(errno));
		thread_ix(tid);
	}
	closedir(tasks);
}

static void kill_it(struct ptrace_fault *fault)
{
	fault->met = true;
	kill(fault->pid, SIGKILL);
}

#if defined(__x86_64__)
static void on_syscall(struct ptrace_fault *fault, pid_t tid)
{
	unsigned i = thread_ix(tid);
	struct __ptrace_syscall_info info;
	struct user_regs_struct regs;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) <
	    0)
		return;
	/* A process that is seized may be in the middle of a call. */
	threads[i].inside = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (fault->act == PTRACE_FAULT_KILL_STORE) {
		if (!threads[i].inside &&
		    ptrace(PTRACE_GETREGS, tid, NULL, &regs) == 0)
			stores_look(fault->pid, tid, &regs);
		return;
	}
	if (threads[i].inside && (fault->counting || fault->after == 0))
		fault->seen++;
	else if (threads[i].inside)
		fault->counting = (long)info.entry.nr == fault->after;
	if (fault->seen != fault->at && !threads[i].failing)
		return;
	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return;
	if (fault->seen == fault->at && threads[i].inside)
		fault->call = (long)regs.orig_rax;
	if (fault->act == PTRACE_FAULT_KILL_BEFORE && threads[i].inside)
		kill_it(fault);
	if (fault->act == PTRACE_FAULT_KILL_AFTER && !threads[i].inside)
		kill_it(fault);
	if (fault->act != PTRACE_FAULT_FAIL)
		return;
	/* A call that does not exist is made in its stead. */
	if (threads[i].inside && !fault->met) {
		threads[i].failing = fault->choose(fault->call);
		fault->met = threads[i].failing != 0;
		if (fault->met)
			regs.orig_rax = (unsigned long long)-1;
	} else if (!threads[i].inside && threads[i].failing) {
		regs.rax = (unsigned long long)-(long long)threads[i].failing;
		threads[i].failing = 0;
	}
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
}
#else
static void on_syscall(struct ptrace_fault *fault, pid_t tid)
{
	(void)fault;
	(void)tid;
}
#endif

static bool is_store(struct ptrace_fault *fault, pid_t tid)
{
	uint64_t before = fault->seen;
	if (fault->act != PTRACE_FAULT_KILL_STORE ||
	    !stores_let_through(tid, &fault->seen))
		return false;
	if (fault->seen > before && fault->seen == fault->at)
		kill_it(fault);
	return true;
}

/* One stop of a thread. The signal to go on with. */
static int on_stop(struct ptrace_fault *fault, pid_t tid, int status)
{
	int signal = WSTOPSIG(status);
	if (signal == SYSCALL_STOP) {
		on_syscall(fault, tid);
		return 0;
	}
	if (status >> 16 == PTRACE_EVENT_CLONE) {
		unsigned long fresh;
		if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &fresh) == 0)
			thread_ix((pid_t)fresh);
	}
	if (status >> 16 != 0)
		return 0;
	if (signal == SIGTRAP || signal == SIGSTOP || signal == SIGCONT)
		return 0;
	return signal == SIGSEGV && is_store(fault, tid) ? 0 : signal;
}

/* In whatever stop the interruption ends, it can be let go. */
static void let_run(void)
{
	for (unsigned i = 0; i < n_threads; i++) {
		pid_t tid = threads[i].tid;
		int signal;
		int status;
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			continue;
		signal = WSTOPSIG(status);
		if (status >> 16 != 0 || (signal & ~0x80) == SIGTRAP)
			signal = 0;
		ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal);
	}
}

/* A stop or an end of any thread: false when there is none right now. */
static bool next_stop(struct ptrace_fault *fault, pid_t *tid, int *status)
{
	if (n_threads == 0)
		thread_ix(fault->pid);
	for (unsigned i = 0; i < n_threads; i++) {
		*tid = threads[i].tid;
		if (waitpid(*tid, status, __WALL | WNOHANG) == *tid)
			return true;
	}
	return false;
}

static void forget(pid_t tid)
{
	unsigned i = thread_ix(tid);
	threads[i] = threads[--n_threads];
}

enum ptrace_fault_end ptrace_fault_run(struct ptrace_fault *fault)
{
	bool done = false;
	unsigned looks = 0;
	for (;;) {
		int status;
		pid_t tid;
		if (!next_stop(fault, &tid, &status)) {
			/* The processor is for what is traced, and others. */
			if (++looks > LOOKS_AWAKE)
				sleep_ms(1);
			/* What is killed may take a while to end. */
			if (fault->met && fault->act != PTRACE_FAULT_FAIL)
				continue;
			if (!done && !(done = fault->done(fault->arg)))
				continue;
			if (fault->act == PTRACE_FAULT_KILL_STORE) {
				kill(fault->pid, SIGKILL);
				continue;
			}
			let_run();
			n_threads = 0;
			return PTRACE_FAULT_DONE;
		}
		looks = 0;
		fault->stops++;
		if (WIFSTOPPED(status)) {
			int signal = on_stop(fault, tid, status);
			ptrace(PTRACE_SYSCALL, tid, NULL,
			       (void *)(intptr_t)signal);
			continue;
		}
		forget(tid);
		if (tid != fault->pid)
			continue;
		fault->status = status;
		n_threads = 0;
		return fault->met ? PTRACE_FAULT_MET
		       : done      ? PTRACE_FAULT_DONE
		                   : PTRACE_FAULT_ENDED;
	}
}
