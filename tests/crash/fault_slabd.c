/* SPDX-License-Identifier: MIT */
/*
 * The n-th system call of slabd fails, for each n and each error that it may
 * well meet there: slabd goes on, or says why it can't and ends with status 1.
 * It never crashes or hangs, and the accounts are exact either way.
 *
 * $SLABD_STEP=all does every call with every error; else a stride with a random
 * first, and one of the errors by chance; a wider one, but in ./dev stress, where a
 * call takes a second or more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/rng.h"
#include "tests/lib/scenario.h"

#define STRIDE_START 5
#define STRIDE 2
#define APART 2     /* times as far apart, but in ./dev stress */
#define SLOW 12     /* and so many where each takes a second */
#define SANITIZED 3 /* times as far apart where code is many times longer */
#define ERRORS 3

/* The loader's own calls are its own affair: the last gives its cache back. */
#define LOADER_LAST SYS_munmap

/* What a call may meet. Not here are those that can't fail as we make them. */
static const struct plausible {
	long call;
	int errors[ERRORS]; /* 0: no more */
} plausible[] = {
	{SYS_openat, {EMFILE, EACCES, ENOMEM}},
	{SYS_mmap, {ENOMEM, EMFILE, 0}},
	{SYS_memfd_create, {EMFILE, ENOMEM, EINVAL}},
	{SYS_ftruncate, {ENOMEM, EINTR, 0}},
	{SYS_fallocate, {ENOSPC, EINTR, ENOMEM}},
	{SYS_madvise, {ENOMEM, EAGAIN, EINVAL}},
	{SYS_mbind, {EPERM, ENOSYS, ENOMEM}},
	{SYS_socket, {EMFILE, ENOBUFS, ENOMEM}},
	{SYS_socketpair, {EMFILE, ENFILE, ENOMEM}},
	{SYS_bind, {EADDRINUSE, EACCES, 0}},
	{SYS_listen, {EADDRINUSE, 0, 0}},
	{SYS_accept4, {EMFILE, ENFILE, ECONNABORTED}},
	{SYS_sendmsg, {EAGAIN, ENOBUFS, EPIPE}},
	{SYS_sendto, {EAGAIN, ENOBUFS, EPIPE}},
	{SYS_recvmsg, {EAGAIN, ENOMEM, EINTR}},
	{SYS_getsockopt, {ENOBUFS, EINVAL, 0}},
	{SYS_epoll_create1, {EMFILE, ENOMEM, 0}},
	{SYS_epoll_ctl, {ENOMEM, ENOSPC, 0}},
	{SYS_epoll_wait, {EINTR, 0, 0}},
	{SYS_pidfd_open, {EMFILE, ENOMEM, ENODEV}},
	{SYS_read, {EIO, EINTR, 0}},
	{SYS_write, {ENOSPC, EIO, EAGAIN}},
	{SYS_writev, {EIO, EAGAIN, 0}},
	{SYS_clone, {EAGAIN, ENOMEM, 0}},
	{SYS_clone3, {EAGAIN, ENOMEM, 0}},
	{SYS_fcntl, {EMFILE, 0, 0}},
	{SYS_getrandom, {EINTR, 0, 0}},
	{SYS_newfstatat, {ENOMEM, 0, 0}},
	{SYS_unlink, {EACCES, 0, 0}},
	{SYS_mkdir, {EACCES, 0, 0}},
	{SYS_chmod, {EPERM, 0, 0}},
	{SYS_timerfd_create, {EMFILE, ENOMEM, 0}},
	{SYS_eventfd2, {EMFILE, ENOMEM, 0}},
	{SYS_pipe2, {EMFILE, ENFILE, 0}},
};

static unsigned which;
static bool every;
static bool sanitized;

/* A sanitizer makes these too, and ends the process when they fail. */
static bool is_sanitizers(long call)
{
	return call == SYS_mmap || call == SYS_madvise || call == SYS_openat ||
	       call == SYS_read || call == SYS_newfstatat ||
	       call == SYS_clone || call == SYS_clone3;
}

static int choose(long call)
{
	if (sanitized && is_sanitizers(call))
		return 0;
	for (unsigned i = 0; i < sizeof(plausible) / sizeof(plausible[0]);
	     i++) {
		const int *errors = plausible[i].errors;
		if (plausible[i].call == call)
			return every || errors[which] ? errors[which]
			                              : errors[0];
	}
	return 0;
}

static struct tally {
	unsigned failed;  /* calls that were failed */
	unsigned went_on; /* slabd served on */
	unsigned ended;   /* slabd ended with a reason */
	unsigned bad;
} tally;

static bool ended_well(int status)
{
	return WIFEXITED(status) &&
	       (WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 2);
}

static void look(const struct scenario *scenario, enum ptrace_fault_end end,
                 const char *what)
{
	if (!scenario_fault.met)
		return;
	tally.failed++;
	if (end == PTRACE_FAULT_DONE) {
		tally.went_on++;
		/* What it had handed over is good for the next. */
		if (scenario->fresh) {
			scenario_stop();
			scenario_start_again(what);
		}
	} else {
		tally.ended++;
		if (!ended_well(scenario_fault.status)) {
			tally.bad++;
			tap_note("%s: status 0x%x", what,
			         scenario_fault.status);
		}
		scenario_start_again(what);
	}
	tally.bad += !scenario_exact(scenario, what);
}

/* False when the scenario was over before the point. */
static bool once(const struct scenario *scenario, uint64_t at)
{
	char what[100];
	enum ptrace_fault_end end;
	bool reached;
	scenario_fault.after = scenario->is_start ? LOADER_LAST : 0;
	end = scenario_do(scenario, at);
	reached = scenario_fault.seen >= at;
	snprintf(what, sizeof(what), "%s, call %llu (number %ld), error %u",
	         scenario->name, (unsigned long long)at, scenario_fault.call,
	         which);
	if (end != PTRACE_FAULT_DONE && !scenario_fault.met)
		tap_bail("%s: slabd ends by itself: status 0x%x", what,
		         scenario_fault.status);
	look(scenario, end, what);
	if (scenario->is_start || scenario_fixture.pid == 0)
		scenario_stop();
	if (!scenario->is_start && scenario_fixture.pid == 0)
		scenario_start_again(what);
	return reached;
}

static void fail_each(const struct scenario *scenario)
{
	for (which = 0; which < ERRORS; which++)
		for (uint64_t at = 1; once(scenario, at); at++)
			continue;
}

static void fail_some(const struct scenario *scenario, struct rng *rng)
{
	uint64_t stride = scenario->is_start ? STRIDE_START : STRIDE;
	uint64_t at;
	bool met;
	stride *= sanitized ? SANITIZED : 1;
	if (getenv("SLABD_STRESS") == NULL)
		stride *= scenario->is_slow ? SLOW : APART;
	at = 1 + rng_next(rng) % stride;
	do {
		which = (unsigned)(rng_next(rng) % ERRORS);
		met = once(scenario, at);
		/* A scenario of fewer calls has one fail, too. */
		at = met || tally.failed > 0 ? at + stride : at / 2;
	} while (met || (tally.failed == 0 && at > 0));
}

static void fail_all_over(const struct scenario *scenario, struct rng *rng)
{
	double since = now_ms();
	tally = (struct tally){0};
	scenario_prepare(scenario);
	if (every)
		fail_each(scenario);
	else
		fail_some(scenario, rng);
	scenario_finish(scenario);
	tap_ok(tally.bad == 0 && (tally.failed > 0 || sanitized),
	       "%s: %u calls failed: slabd went on %u times, ended %u times, "
	       "%u not well or not exact, %.1f s", scenario->name, tally.failed,
	       tally.went_on, tally.ended, tally.bad,
	       (now_ms() - since) / 1e3);
}

int main(int argc, char **argv)
{
	const char *lacks = ptrace_fault_lacks();
	struct rng rng;
	sanitized = is_sanitized();
	every = wants_all();
	tap_start(every ? 3000 : 800);
	if (lacks != NULL) {
		tap_skip(lacks, "slabd's system calls fail");
		return tap_end();
	}
	rng = rng_start("fault_slabd");
	scenario_fault.act = PTRACE_FAULT_FAIL;
	scenario_fault.choose = choose;
	scenario_open();
	for (unsigned i = 0; i < DEEDS; i++)
		if (argc < 2 || strcmp(argv[1], scenarios[i].name) == 0)
			fail_all_over(&scenarios[i], &rng);
	scenario_close();
	return tap_end();
}
