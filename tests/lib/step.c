/* SPDX-License-Identifier: MIT */
#include "tests/lib/step.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define CALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define STEPS_MAX 60000u /* a second or two; sanitizers make long code */

bool step_is_short(void)
{
	return tap_rounds(8) == 8 && !wants_all();
}

/* ---- child -------------------------------------------------------------- */

void step_arm(struct step_mark *mark)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
		mark->error = -errno;
		_exit(98);
	}
	/* pairs: step_wait */
	atom_store_release(&mark->tid, (uint32_t)syscall(SYS_gettid));
	syscall(SYS_futex, &mark->tid, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- stop and go -------------------------------------------------------- */

/* Waits for the next stop. Whether it is one of ours inside the stretch. */
static bool stopped(struct step *step)
{
	int status;
	pid_t got;
	do
		got = waitpid(step->tid, &status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got < 0 || !WIFSTOPPED(status)) {
		step->gone = true;
		return false;
	}
	if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != CALL_STOP) {
		step->fault = WSTOPSIG(status);
		return false;
	}
	return atom_load(&step->mark->over) == 0;
}

static bool resume(struct step *step, enum __ptrace_request how, int signal)
{
	if (step->gone || step->fault != 0)
		return false;
	if (ptrace(how, step->tid, NULL, (void *)(intptr_t)signal) < 0) {
		step->gone = true;
		return false;
	}
	return stopped(step);
}

/* A stop of a traced child is reported too, and left for stopped. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return errno != EINTR;
	if (info.si_pid == 0 || info.si_code == CLD_TRAPPED)
		return false;
	waitpid(pid, NULL, 0);
	return true;
}

/* Until the child has said which of its threads it is. */
static bool await_thread(struct step *step)
{
	struct timespec slice = {.tv_nsec = 2000000};
	/* pairs: step_arm */
	while ((step->tid = (pid_t)atom_load_acquire(&step->mark->tid)) == 0) {
		if (has_ended(step->pid))
			return false;
		syscall(SYS_futex, &step->mark->tid, FUTEX_WAIT, 0, &slice,
		        NULL, 0);
	}
	return true;
}

bool step_wait(struct step *step, pid_t pid, struct step_mark *mark)
{
	*step = (struct step){.pid = pid, .mark = mark};
	if (!await_thread(step))
		return false;
	if (!stopped(step))
		return false;
	return ptrace(PTRACE_SETOPTIONS, step->tid, NULL,
	              (void *)(intptr_t)(PTRACE_O_EXITKILL |
	                                 PTRACE_O_TRACESYSGOOD)) == 0;
}

bool step_once(struct step *step)
{
	return resume(step, PTRACE_SINGLESTEP, 0);
}

#if defined(__x86_64__)
static bool poke_debug(struct step *step, size_t reg, uintptr_t value)
{
	size_t off = offsetof(struct user, u_debugreg) +
	             reg * sizeof(((struct user *)NULL)->u_debugreg[0]);
	return ptrace(PTRACE_POKEUSER, step->tid, (void *)off,
	              (void *)value) == 0;
}

/* An address, or 0 for none. */
static bool set_breakpoint(struct step *step, uintptr_t at)
{
	if (step->gone || step->fault != 0)
		return true;
	return at != 0 ? poke_debug(step, 0, at) && poke_debug(step, 7, 1)
	               : poke_debug(step, 7, 0);
}
#else
static bool set_breakpoint(struct step *step, uintptr_t at)
{
	(void)step;
	return at == 0;
}
#endif

static bool step_on(struct step *step, uint32_t n)
{
	for (; n > 0; n--)
		if (!step_once(step))
			return false;
	return true;
}

/* In some virtual machines the processor takes breakpoints and stops at none: one
 * is tried beforehand, by step_unable, and one that was not met is the last. */
static bool are_breakpoints_dead;

bool step_to(struct step *step, const struct step_place *place)
{
	bool inside = true;
	if (place->visits > 0 && !are_breakpoints_dead &&
	    set_breakpoint(step, place->at)) {
		for (uint32_t i = 0; i < place->visits && inside; i++)
			inside = resume(step, PTRACE_CONT, 0);
		set_breakpoint(step, 0);
		are_breakpoints_dead = !inside;
		return inside && step_on(step, place->rest);
	}
	/* Each call stops it twice: on its way in and on its way out. */
	for (uint32_t i = 0; i < 2 * place->calls && inside; i++)
		inside = resume(step, PTRACE_SYSCALL, 0);
	return inside && step_on(step, place->insns);
}

/* A signal that is sent to who stands at a system call stops it once more, before it
 * is delivered. */
static bool is_met_again(struct step *step, int *sent)
{
	if (*sent == 0 || step->fault != *sent)
		return false;
	step->fault = 0;
	return true;
}

bool step_go(struct step *step, int signal)
{
	int sent = signal;
	for (;;) {
		if (resume(step, PTRACE_CONT, signal)) {
			signal = 0;
		} else if (is_met_again(step, &sent)) {
			signal = sent;
			sent = 0;
		} else {
			return step->fault == 0;
		}
	}
}

bool step_again(struct step *step)
{
	return resume(step, PTRACE_CONT, 0);
}

void step_leave(struct step *step)
{
	ptrace(PTRACE_DETACH, step->tid, NULL, NULL);
}

static void reap(pid_t pid)
{
	int status = 0;
	for (;;) {
		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno != EINTR)
				return;
		} else if (!WIFSTOPPED(status)) {
			return;
		}
	}
}

void step_kill(struct step *step)
{
	kill(step->pid, SIGKILL);
	if (step->tid != step->pid && !step->gone)
		reap(step->tid);
	if (step->tid != step->pid || !step->gone)
		reap(step->pid);
}

/* ---- places ------------------------------------------------------------- */

#if defined(__x86_64__)
/* Child and tracer are one program: what the child is about to do can be read
 * here at the same address. */
static bool at_call(uintptr_t at)
{
	return memcmp((const void *)at, "\x0f\x05", 2) == 0;
}

static bool is_ours(uintptr_t at)
{
	extern const char __executable_start, etext;
	return at >= (uintptr_t)&__executable_start && at < (uintptr_t)&etext;
}

static uintptr_t address(const struct step *step)
{
	return (uintptr_t)ptrace(PTRACE_PEEKUSER, step->tid,
	                         (void *)offsetof(struct user, regs.rip), NULL);
}
#else
static bool at_call(uintptr_t at)
{
	return at == 0;
}

static bool is_ours(uintptr_t at)
{
	return at != 0;
}

static uintptr_t address(const struct step *step)
{
	return step->gone;
}
#endif

static enum step_kind kind_of(const struct step_place *place)
{
	if (at_call(place->here) || (place->calls > 0 && place->insns == 0))
		return STEP_CALL;
	return is_ours(place->here) ? STEP_OURS : STEP_ELSEWHERE;
}

bool step_is_at(const struct step *step, const struct step_place *place)
{
	return address(step) == place->here;
}

/* ---- how to get there --------------------------------------------------- */

/* Counts how often each address was passed. */
struct visits {
	struct visit {
		uintptr_t at;
		uint32_t n;
	} *rows;
	size_t n;
	size_t room; /* a power of two */
};

static struct visit *find(struct visits *visits, uintptr_t at)
{
	size_t i = (at * UINT64_C(0x9e3779b97f4a7c15)) >> 40;
	for (;; i++) {
		struct visit *row = &visits->rows[i & (visits->room - 1)];
		if (row->at == at || row->at == 0)
			return row;
	}
}

static void make_room(struct visits *visits)
{
	struct visits more = {.n = visits->n,
	                      .room = visits->room != 0 ? visits->room * 2
	                                                : 4096};
	if (visits->n * 2 < visits->room)
		return;
	more.rows = calloc(more.room, sizeof(*more.rows));
	if (more.rows == NULL)
		abort();
	for (size_t i = 0; i < visits->room; i++)
		if (visits->rows[i].at != 0)
			*find(&more, visits->rows[i].at) = visits->rows[i];
	free(visits->rows);
	*visits = more;
}

/* How often it was here, now among them. */
static uint32_t visit(struct visits *visits, uintptr_t at)
{
	struct visit *row;
	make_room(visits);
	row = find(visits, at);
	visits->n += row->at == 0;
	row->at = at;
	return ++row->n;
}

/* On from the place before it, or by a breakpoint at its own address: whichever
 * has fewer stops. Not where it begins: there it stands already. */
static void choose_way(struct step_track *track, struct visits *visits,
                       uint32_t turns)
{
	struct step_place *place = &track->places[track->n - 1];
	uint32_t n = visit(visits, place->here);
	if (track->n == 1)
		return;
	place->visits = place[-1].visits;
	place->rest = place[-1].rest + turns;
	place->at = place[-1].at;
	if (n > place->visits + place->rest)
		return;
	place->visits = n;
	place->rest = 0;
	place->at = place->here;
}

static void note(struct step_track *track, const struct step_place *place)
{
	if (track->n == track->room) {
		track->room = track->room != 0 ? track->room * 2 : 4096;
		track->places = realloc(track->places, track->room *
		                                       sizeof(*track->places));
		if (track->places == NULL)
			abort();
	}
	track->places[track->n++] = *place;
}

/* What is too long to be stepped through: the places after each call alone. */
static void note_calls(struct step *step, struct step_track *track,
                       struct step_place *place)
{
	place->kind = STEP_CALL;
	place->insns = 0;
	while (resume(step, PTRACE_SYSCALL, 0) &&
	       resume(step, PTRACE_SYSCALL, 0)) {
		place->calls++;
		place->here = address(step);
		note(track, place);
	}
}

/* A string instruction is stepped by the turn, and is one place. */
void step_record(struct step *step, struct step_track *track)
{
	struct visits visits = {.n = 0};
	struct step_place place = {.calls = 0};
	bool inside = true;
	uintptr_t before = 0;
	uint32_t turns = 0;
	for (uint32_t n = 0; inside && n < STEPS_MAX; n++) {
		place.here = address(step);
		place.kind = kind_of(&place);
		if (place.here != before) {
			note(track, &place);
			choose_way(track, &visits, turns);
			turns = 0;
		}
		before = place.here;
		inside = step_once(step);
		turns++;
		place.insns++;
		if (at_call(place.here)) {
			place.calls++;
			place.insns = 0;
		}
	}
	if (inside)
		note_calls(step, track, &place);
	note(track, &place);
	free(visits.rows);
}

void step_forget(struct step_track *track)
{
	free(track->places);
	*track = (struct step_track){.n = 0};
}

/* ---- whether it works --------------------------------------------------- */

#if defined(__x86_64__)
static _Noreturn void try_child(struct step_mark *mark)
{
	step_enter(mark);
	__asm__ volatile("nop; nop; nop; nop; nop");
	step_over(mark);
	_exit(0);
}

static pid_t fork_to_try(struct step_mark *mark, struct step *step)
{
	pid_t pid;
	*mark = (struct step_mark){.tid = 0};
	pid = fork();
	if (pid == 0)
		try_child(mark);
	return pid > 0 && step_wait(step, pid, mark) ? pid : -1;
}

static bool is_met(struct step_mark *mark, uintptr_t at)
{
	struct step step;
	bool met;
	if (fork_to_try(mark, &step) < 0)
		return false;
	met = set_breakpoint(&step, at) && resume(&step, PTRACE_CONT, 0) &&
	      address(&step) == at;
	step_kill(&step);
	return met;
}

const char *step_unable(void)
{
	static char why[96];
	struct step_mark *mark = shared_memory(sizeof(*mark));
	struct step_track track = {.n = 0};
	struct step step;
	if (fork_to_try(mark, &step) < 0) {
		snprintf(why, sizeof(why), "no ptrace here: %s",
		         strerror(-mark->error));
		return why;
	}
	step_record(&step, &track);
	step_kill(&step);
	if (track.n < 7 || track.n > 4096) {
		snprintf(why, sizeof(why), "single steps are not counted "
		         "right here: %zu", track.n);
		step_forget(&track);
		return why;
	}
	are_breakpoints_dead = !is_met(mark, track.places[track.n / 2].here);
	step_forget(&track);
	return NULL;
}
#else
const char *step_unable(void)
{
	return "not an x86-64";
}
#endif
