/* SPDX-License-Identifier: MIT */
#include "tests/lib/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define FILES 16u /* three a pool */
#define PAGE 4096u
#define WIDEST 64u

static struct range {
	uintptr_t from;
	uintptr_t to;
} ranges[FILES];
static unsigned n_ranges;
static uintptr_t call_at; /* an instruction that makes a system call */
static bool looked;       /* at what was mapped before */

void stores_reset(void)
{
	n_ranges = 0;
	call_at = 0;
	looked = false;
}

#if defined(__x86_64__)
/* One instruction. Signals that are on their way wait until it is done. */
static void step(pid_t tid, const struct user_regs_struct *regs)
{
	int late[8];
	unsigned n = 0;
	int status = 0;
	if (ptrace(PTRACE_SETREGS, tid, NULL, regs) < 0)
		return;
	for (;;) {
		ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL);
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			tap_bail("a thread ends in the midst of a store");
		if (WSTOPSIG(status) == SIGTRAP && status >> 16 == 0)
			break;
		if (WSTOPSIG(status) == SIGSEGV || n == 8)
			tap_bail("a store that can't be let through");
		if (status >> 16 == 0)
			late[n++] = WSTOPSIG(status);
	}
	while (n > 0)
		syscall(SYS_tkill, tid, late[--n]);
}

/* Has a thread that stands still call mprotect. */
static void protect(pid_t tid, const struct user_regs_struct *regs,
                    uintptr_t from, uintptr_t to, int prot)
{
	struct user_regs_struct call = *regs;
	call.rip = call_at;
	call.rax = SYS_mprotect;
	call.orig_rax = (unsigned long long)-1;
	call.rdi = from;
	call.rsi = to - from;
	call.rdx = (unsigned)prot;
	step(tid, &call);
	if (ptrace(PTRACE_GETREGS, tid, NULL, &call) < 0 || call.rax != 0)
		tap_bail("mprotect in the traced process: %lld",
		         (long long)call.rax);
}

static void add(pid_t tid, const struct user_regs_struct *regs, uintptr_t from,
                uintptr_t to)
{
	if (n_ranges == FILES)
		tap_bail("more than %u files to watch", FILES);
	ranges[n_ranges++] = (struct range){from, to};
	protect(tid, regs, from, to, PROT_READ);
}

static bool is_watched(const char *path)
{
	return strncmp(path, "/memfd:slabd-", 13) == 0 &&
	       (strstr(path, "-control ") != NULL ||
	        strstr(path, "-shared ") != NULL ||
	        strstr(path, "-ledger ") != NULL);
}

/* What was mapped before the process was traced. */
static void look_back(pid_t pid, pid_t tid, const struct user_regs_struct *regs)
{
	char path[64];
	char line[512];
	FILE *maps;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (maps == NULL)
		tap_bail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from;
		unsigned long to;
		const char *name = strchr(line, '/');
		if (name != NULL && is_watched(name) &&
		    sscanf(line, "%lx-%lx rw-s", &from, &to) == 2 &&
		    strstr(line, " rw-s ") != NULL)
			add(tid, regs, from, to);
	}
	fclose(maps);
}

static void on_mmap(pid_t pid, pid_t tid, const struct user_regs_struct *regs)
{
	char link[64];
	char path[128];
	ssize_t n;
	if ((regs->rdx & PROT_WRITE) == 0 || (regs->r10 & MAP_SHARED) == 0 ||
	    regs->rax > (unsigned long long)-4096)
		return;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)regs->r8);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (is_watched(path))
		add(tid, regs, regs->rax, regs->rax + regs->rsi);
}

static void on_munmap(const struct user_regs_struct *regs)
{
	for (unsigned i = n_ranges; i-- > 0;)
		if (ranges[i].from >= regs->rdi &&
		    ranges[i].to <= ((regs->rdi + regs->rsi + PAGE - 1) &
		                     ~(uintptr_t)(PAGE - 1)))
			ranges[i] = ranges[--n_ranges];
}

void stores_look(pid_t pid, pid_t tid, struct user_regs_struct *regs)
{
	call_at = regs->rip - 2;
	if ((long long)regs->rax == -EFAULT && n_ranges > 0)
		tap_bail("the kernel can't write to a watched file: system "
		         "call %lld", (long long)regs->orig_rax);
	if (regs->orig_rax == SYS_execve)
		n_ranges = 0;
	else if (!looked)
		look_back(pid, tid, regs);
	else if (regs->orig_rax == SYS_mmap)
		on_mmap(pid, tid, regs);
	looked = true;
	if (regs->orig_rax == SYS_munmap && regs->rax == 0)
		on_munmap(regs);
	if (ptrace(PTRACE_SETREGS, tid, NULL, regs) < 0 && errno != ESRCH)
		tap_bail("registers: %s", strerror(errno));
}

static const struct range *find(uintptr_t at)
{
	for (unsigned i = 0; i < n_ranges; i++)
		if (at >= ranges[i].from && at < ranges[i].to)
			return &ranges[i];
	return NULL;
}

/* What an instruction may store at once. */
static void read_there(pid_t tid, uintptr_t at, uintptr_t to, char room[WIDEST])
{
	size_t n = to - at < WIDEST ? to - at : WIDEST;
	struct iovec here = {room, n};
	struct iovec there = {(void *)at, n};
	if (process_vm_readv(tid, &here, 1, &there, 1, 0) != (ssize_t)n)
		tap_bail("a store's place: %s", strerror(errno));
}

bool stores_let_through(pid_t tid, uint64_t *count)
{
	char before[WIDEST] = {0};
	char after[WIDEST] = {0};
	struct user_regs_struct regs;
	const struct range *range;
	siginfo_t info;
	uintptr_t from;
	uintptr_t to;
	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) < 0 ||
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return false;
	range = find((uintptr_t)info.si_addr);
	if (range == NULL)
		return false;
	/* It may go over the edge of the page. */
	from = (uintptr_t)info.si_addr & ~(uintptr_t)(PAGE - 1);
	to = from + 2 * PAGE < range->to ? from + 2 * PAGE : range->to;
	protect(tid, &regs, from, to, PROT_READ | PROT_WRITE);
	read_there(tid, (uintptr_t)info.si_addr, range->to, before);
	step(tid, &regs);
	read_there(tid, (uintptr_t)info.si_addr, range->to, after);
	*count += memcmp(before, after, WIDEST) != 0;
	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return false;
	protect(tid, &regs, from, to, PROT_READ);
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
	return true;
}
#else
void stores_look(pid_t pid, pid_t tid, struct user_regs_struct *regs)
{
	(void)pid;
	(void)tid;
	(void)regs;
}

bool stores_let_through(pid_t tid, uint64_t *count)
{
	(void)tid;
	(void)count;
	return false;
}
#endif
