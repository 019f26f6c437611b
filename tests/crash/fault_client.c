/* SPDX-License-Identifier: MIT */
/*
 * The n-th system call of a client fails, for each n and each error that it may
 * well meet there: every call of the library works or says why not, with an
 * errno that its header names; what was allocated stays what it was; the
 * process ends by itself; and slabd's accounts are exact, with nothing of it
 * left.
 *
 * $SLABD_STEP=all does every call with every error; else one of the errors by
 * chance, and where code is sanitized a stride with a random first.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/ptrace_fault.h"
#include "tests/lib/rng.h"

#define STRIDE 1
#define SANITIZED 2 /* times as far apart where code is many times longer */
#define ERRORS 3
#define OBJECTS 2500u /* more than the pool has at the start */
#define SIZE 4000u
#define LIMIT_MS 60000

/* What the client tells: it makes no call of its own for it. */
static struct told {
	uint32_t waits; /* for go, at its place */
	uint32_t go;
	uint32_t ended;
	uint32_t failures; /* calls of the library that said why not */
	uint32_t wrong;
	char text[300]; /* of the first that was wrong */
} *told;

static struct fixture fixture;
static bool sanitized;

/* ---- the client --------------------------------------------------------- */

static void wrong(const char *what)
{
	if (told->wrong++ == 0)
		snprintf(told->text, sizeof(told->text), "%s: errno %d, \"%s\"",
		         what, errno, slabd_last_error());
}

/* A failure has one of the errors that may be, and a text. */
static void failed(const char *what, const int *errors)
{
	int err = errno;
	told->failures++;
	while (*errors != 0 && *errors != err)
		errors++;
	if (*errors == 0 || *slabd_last_error() == '\0')
		wrong(what);
}

static const int open_errors[] = {
	ECONNREFUSED, EAGAIN, ENOTCONN, ENOMEM, EMFILE, ENFILE, ENOBUFS,
	ENOSPC, ETIMEDOUT, 0,
};
static const int create_errors[] = {
	ENOMEM, EMFILE, ENOTCONN, ETIMEDOUT, ENOBUFS, 0,
};
static const int alloc_errors[] = {ENOMEM, 0};

static uint64_t *objects[OBJECTS];

static void check_objects(const char *what)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i] != NULL &&
		    (objects[i][0] != i * 77 || objects[i][SIZE / 8 - 1] != i))
			wrong(what);
}

static void allocate(slabd_cache *cache)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		objects[i] = slabd_alloc(cache);
		if (objects[i] == NULL) {
			failed("slabd_alloc", alloc_errors);
			continue;
		}
		objects[i][0] = i * 77;
		objects[i][SIZE / 8 - 1] = i;
	}
	check_objects("what was allocated is another's as well");
}

static void give(slabd_pool *pool)
{
	unsigned self = slabd_client_id(pool);
	for (unsigned i = 1; i < OBJECTS; i += 100) {
		slabd_handle handle;
		if (objects[i] == NULL)
			continue;
		handle = slabd_handle_of(pool, objects[i]);
		if (handle == SLABD_NO_HANDLE ||
		    slabd_give(pool, objects[i], self) != 0 ||
		    slabd_take(pool, handle) != objects[i])
			wrong("give and take");
	}
}

static void fork_one(slabd_cache *cache)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		/* At _exit the thread sanitizer takes a thread of the parent's
		 * that has ended for one that the child leaks. */
		syscall(SYS_exit_group,
		        slabd_alloc(cache) == NULL && errno == ENOTCONN ? 0
		                                                        : 1);
	if (pid < 0)
		return;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		wrong("a forked child");
}

static void use(slabd_pool *pool, slabd_cache *cache)
{
	allocate(cache);
	for (unsigned i = 0; i < OBJECTS; i += 2) {
		if (objects[i] != NULL)
			slabd_free(cache, objects[i]);
		objects[i] = NULL;
	}
	give(pool);
	if (slabd_flush(pool) != 0)
		failed("slabd_flush", alloc_errors);
	fork_one(cache);
	check_objects("what was kept has changed");
}

static void live(unsigned flags)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_cache *cache;
	if (pool == NULL) {
		failed("slabd_open", open_errors);
		return;
	}
	cache = slabd_cache_create(pool, "fault", SIZE, 0, 0);
	if (cache == NULL)
		failed("slabd_cache_create", create_errors);
	else
		use(pool, cache);
	if (cache != NULL && slabd_cache_close(cache) != 0)
		wrong("slabd_cache_close");
	if (slabd_close(pool) != 0)
		wrong("slabd_close");
}

static void client(int fd, void *arg)
{
	const unsigned *flags = arg;
	(void)fd;
	/* pairs: once */
	atom_store_release(&told->waits, 1u);
	/* pairs: once */
	while (atom_load_acquire(&told->go) == 0)
		continue;
	live(*flags);
	/* pairs: well */
	atom_store_release(&told->ended, 1u);
	_exit(0);
}

/* ---- its calls ---------------------------------------------------------- */

static const struct plausible {
	long call;
	int errors[ERRORS]; /* 0: no more */
	bool shared; /* a sanitizer makes it too, and ends when it fails */
} plausible[] = {
	{SYS_mmap, {ENOMEM, EAGAIN, 0}, true},
	{SYS_madvise, {ENOMEM, EAGAIN, 0}, true},
	{SYS_mprotect, {ENOMEM, 0, 0}, true},
	{SYS_clone, {EAGAIN, ENOMEM, 0}, true},
	{SYS_clone3, {EAGAIN, ENOMEM, 0}, true},
	{SYS_newfstatat, {ENOMEM, 0, 0}, true},
	{SYS_socket, {EMFILE, ENOBUFS, ENOMEM}, false},
	{SYS_connect, {ECONNREFUSED, EAGAIN, ENOMEM}, false},
	{SYS_setsockopt, {ENOMEM, 0, 0}, false},
	{SYS_sendto, {EAGAIN, ENOBUFS, EPIPE}, false},
	{SYS_sendmsg, {EAGAIN, ENOBUFS, EPIPE}, false},
	{SYS_recvfrom, {EAGAIN, EINTR, ECONNRESET}, false},
	{SYS_recvmsg, {EAGAIN, EINTR, ENOMEM}, false},
	{SYS_epoll_create1, {EMFILE, ENOMEM, 0}, false},
	{SYS_epoll_ctl, {ENOMEM, ENOSPC, 0}, false},
	{SYS_epoll_wait, {EINTR, 0, 0}, false},
	{SYS_poll, {EINTR, ENOMEM, 0}, false},
	{SYS_ppoll, {EINTR, ENOMEM, 0}, false},
	{SYS_timerfd_create, {EMFILE, ENOMEM, 0}, false},
	{SYS_timerfd_settime, {EINVAL, 0, 0}, false},
	{SYS_eventfd2, {EMFILE, ENOMEM, 0}, false},
	{SYS_getrandom, {EINTR, 0, 0}, false},
	{SYS_dup3, {EBUSY, EINTR, 0}, false},
};

static unsigned which;
static bool every;

static int choose(long call)
{
	for (unsigned i = 0; i < sizeof(plausible) / sizeof(plausible[0]);
	     i++) {
		const int *errors = plausible[i].errors;
		if (plausible[i].call != call)
			continue;
		if (sanitized && plausible[i].shared)
			return 0;
		return every || errors[which] ? errors[which] : errors[0];
	}
	return 0;
}

static struct tally {
	unsigned failed;   /* calls that were failed */
	unsigned failures; /* of the library, that came of it */
	unsigned bad;
} tally;

static double began;

static bool is_late(void *arg)
{
	(void)arg;
	return now_ms() - began > LIMIT_MS;
}

static bool exact(void)
{
	bool none = fixture_until(&fixture, "/audit", "pools.0.owned", 0,
	                      SURELY_MS) >= 0;
	json_t *doc = fixture_get(&fixture, "/audit");
	bool agree = json_is_true(json_at(doc, "agree"));
	json_decref(doc);
	return none && agree;
}

static bool well(const struct ptrace_fault *fault, enum ptrace_fault_end end,
                 const char *what)
{
	if (end == PTRACE_FAULT_DONE) {
		kill(fault->pid, SIGKILL);
		waitpid(fault->pid, NULL, 0);
		tap_note("%s: it hangs", what);
		/* pairs: client */
	} else if (fault->status != 0 || atom_load_acquire(&told->ended) == 0) {
		tap_note("%s: it ends with status 0x%x", what, fault->status);
	} else if (told->wrong > 0) {
		tap_note("%s: %s", what, told->text);
	} else if (!exact()) {
		tap_note("%s: the accounts are not exact", what);
	} else {
		return true;
	}
	return false;
}

/* False when the client was at its end before the point. */
static bool once(unsigned flags, uint64_t at)
{
	struct ptrace_fault fault = {.act = PTRACE_FAULT_FAIL, .at = at,
	                        .choose = choose, .done = is_late};
	enum ptrace_fault_end end;
	struct child child;
	char what[80];
	memset(told, 0, sizeof(*told));
	child_start(&child, client, &flags);
	/* pairs: client */
	while (atom_load_acquire(&told->waits) == 0)
		sleep_ms(1);
	began = now_ms();
	fault.pid = child.pid;
	ptrace_fault_seize(&fault);
	/* pairs: client */
	atom_store_release(&told->go, 1u);
	end = ptrace_fault_run(&fault);
	close(child.fd);
	snprintf(what, sizeof(what), "call %llu (number %ld), error %u",
	         (unsigned long long)at, fault.call, which);
	tally.failed += fault.met;
	tally.failures += told->failures;
	tally.bad += !well(&fault, end, what);
	return fault.seen >= at;
}

static void fail_some(unsigned flags, struct rng *rng)
{
	uint64_t stride = sanitized ? STRIDE * SANITIZED : STRIDE;
	uint64_t at = 1 + rng_next(rng) % stride;
	do {
		which = (unsigned)(rng_next(rng) % ERRORS);
		at += stride;
	} while (once(flags, at - stride));
}

static void fail_all_over(unsigned flags, struct rng *rng, const char *name)
{
	double since = now_ms();
	tally = (struct tally){0};
	if (!every)
		fail_some(flags, rng);
	for (which = 0; every && which < ERRORS; which++)
		for (uint64_t at = 1; once(flags, at); at++)
			continue;
	tap_ok(tally.bad == 0 && tally.failed > 0,
	       "%s: %u calls failed, and %u of the library's in consequence: "
	       "%u not well or not exact, %.1f s", name, tally.failed,
	       tally.failures, tally.bad, (now_ms() - since) / 1e3);
}

int main(void)
{
	const char *lacks = ptrace_fault_lacks();
	struct rng rng;
	sanitized = is_sanitized();
	every = wants_all();
	tap_start(every ? 3000 : 800);
	if (lacks != NULL) {
		tap_skip(lacks, "a client's system calls fail");
		return tap_end();
	}
	rng = rng_start("fault_client");
	told = shared_memory(sizeof(*told));
	fixture_open(&fixture, "[slabd]\ntopology = node:2 core:1 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n");
	fail_all_over(0, &rng, "with a helper thread");
	fail_all_over(SLABD_NO_HELPER, &rng, "without");
	fixture_close(&fixture);
	return tap_end();
}
