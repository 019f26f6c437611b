/* SPDX-License-Identifier: MIT */
/*
 * A sandbox that forbids a system call once the pool is open, one at a time of all
 * that the library makes, with EPERM and with ENOSYS: what can't be had fails, and
 * nothing crashes, hangs, or turns for ever.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/asked.h"
#include "tests/lib/harness.h"

#define SIZE 200
#define OBJECTS 3000u
#define WATCH_MS 400
#define TURNS_MAX 60u /* of the helper in that time; it would be thousands */

#define CALL(name) {#name, SYS_##name}
static const struct {
	const char *name;
	int number;
} calls[] = {
	CALL(recvfrom),     CALL(recvmsg),       CALL(sendto),
	CALL(sendmsg),      CALL(ppoll),         CALL(read),
	CALL(write),        CALL(fcntl),         CALL(ioctl),
	CALL(mmap),         CALL(mprotect),      CALL(madvise),
	CALL(munmap),       CALL(sched_yield),   CALL(getcpu),
	CALL(epoll_ctl),    CALL(epoll_pwait),   CALL(timerfd_settime),
	CALL(getsockopt),   CALL(setsockopt),    CALL(socket),
	CALL(connect),      CALL(dup3),          CALL(close),
	CALL(newfstatat),   CALL(openat),        CALL(clock_gettime),
	CALL(nanosleep),    CALL(gettid),        CALL(prctl),
	CALL(clock_nanosleep), CALL(rt_sigprocmask), CALL(shutdown),
#ifdef SYS_poll
	CALL(poll),
#endif
#ifdef SYS_fstat
	CALL(fstat),
#endif
#ifdef SYS_open
	CALL(open),
#endif
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))
#define CHILDREN (2 * CALLS)

/* One child's, shared with it: no call is needed to tell. */
static struct told {
	uint32_t step; /* (A) 1: has used the pool, 2: may watch, 3: closed */
	uint32_t lost; /* objects that could not be had again */
	uint64_t turns;
	char error[200]; /* of the last allocation or slabd_cache_create that
	                    failed */
} *told;

static struct fixture fixture;

static bool deny(int number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	               SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

/* By the clock alone: what else waits may be denied. */
static void pass(unsigned ms)
{
	double until = now_ms() + ms;
	while (now_ms() < until)
		sched_yield();
}

static void use(slabd_pool *pool, slabd_cache *cache, struct told *own)
{
	static void *object[OBJECTS];
	static const struct slabd_objpool_ops ops = {.max = 10};
	for (unsigned round = 0; round < 3; round++) {
		unsigned n = 0;
		while (n < OBJECTS && (object[n] = slabd_alloc(cache)) != NULL)
			memset(object[n++], 1, SIZE);
		own->lost += OBJECTS - n;
		if (n < OBJECTS)
			snprintf(own->error, sizeof(own->error), "%s",
			         slabd_last_error());
		slabd_free_bulk(cache, n, object);
		slabd_flush(pool);
	}
	if (slabd_cache_create(pool, "more", SIZE, 0, 0) == NULL)
		snprintf(own->error, sizeof(own->error), "%s",
		         slabd_last_error());
	slabd_objpool_create(pool, "some", 100, &ops);
	slabd_arena_strdup(slabd_arena_create(pool, NULL, NULL), "text");
	slabd_prefill(cache, 100);
	slabd_thread_idle(pool);
}

static void child(struct told *own, int number, int error)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool;
	slabd_cache *cache;
	options.wait_ms = 100;
	pool = slabd_open(NULL, &options);
	cache = pool != NULL ? slabd_cache_create(pool, "denied", SIZE, 0, 0)
	                     : NULL;
	if (cache == NULL || !deny(number, error))
		_exit(1);
	alarm((unsigned)(SURELY_MS / 1000));
	use(pool, cache, own);
	atom_store(&own->step, 1u);
	while (atom_load(&own->step) == 1)
		pass(1);
	own->turns = asked_polls();
	pass(WATCH_MS);
	own->turns = asked_polls() - own->turns;
	slabd_close(pool);
	_exit(0);
}

/* What a sanitizer's own part of the process can't do without. */
static bool is_theirs(unsigned i)
{
	const char *name = calls[i / 2].name;
	return is_sanitized() && (strcmp(name, "mmap") == 0 ||
	                          strcmp(name, "munmap") == 0);
}

static bool all_have_used(const pid_t *pid)
{
	for (unsigned i = 0; i < CHILDREN; i++)
		if (pid[i] > 0 && atom_load(&told[i].step) == 0)
			return false;
	return true;
}

/* Those that end before they are to be watched have crashed. */
static void reap(pid_t *pid, int *status, int how)
{
	for (unsigned i = 0; i < CHILDREN; i++)
		if (pid[i] > 0 && waitpid(pid[i], &status[i], how) == pid[i])
			pid[i] = 0;
}

static void judge(unsigned i, int status)
{
	const char *name = calls[i / 2].name;
	const char *error = i % 2 == 0 ? "EPERM" : "ENOSYS";
	bool good = status == 0 && told[i].turns <= TURNS_MAX;
	tap_ok(good, "%s refused with %s: nothing crashes, hangs or spins", name,
	       error);
	if (strcmp(name, "mprotect") == 0)
		tap_ok(strstr(told[i].error, "refuses mprotect") != NULL,
		       "and is named");
	if (strcmp(name, "recvfrom") == 0 || strcmp(name, "sendto") == 0)
		tap_ok(strstr(told[i].error, "a sandbox forbids") != NULL,
		       "and is named");
	if (!good || told[i].lost > 0 || told[i].error[0] != '\0')
		tap_note("status 0x%x, %llu turns, %u not had, \"%s\"", status,
		         (unsigned long long)told[i].turns, told[i].lost,
		         told[i].error);
}

int main(void)
{
	static pid_t pid[CHILDREN];
	static int status[CHILDREN];
	double until;
	tap_start(300);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 64M\n"
	                       "max = 256M\n");
	told = mmap(NULL, CHILDREN * sizeof(*told), PROT_READ | PROT_WRITE,
	            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < CHILDREN; i++) {
		pid[i] = is_theirs(i) ? 0 : fork();
		if (is_theirs(i))
			continue;
		if (pid[i] == 0)
			child(&told[i], calls[i / 2].number,
			      i % 2 == 0 ? EPERM : ENOSYS);
	}
	until = now_ms() + SURELY_MS;
	for (; !all_have_used(pid) && now_ms() < until; sleep_ms(5))
		reap(pid, status, WNOHANG);
	/* Questions that wait to be read. */
	fixture_post(&fixture, "/trim", "");
	json_decref(fixture_get(&fixture, "/audit"));
	for (unsigned i = 0; i < CHILDREN; i++)
		atom_store(&told[i].step, 2u);
	reap(pid, status, 0);
	for (unsigned i = 0; i < CHILDREN; i++)
		if (is_theirs(i))
			tap_skip(calls[i / 2].name,
			         "a sanitizer's runtime makes that call, too");
		else
			judge(i, status[i]);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "what they had comes back");
	fixture_audit(&fixture, "after them");
	fixture_close(&fixture);
	return tap_end();
}
