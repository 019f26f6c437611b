/* SPDX-License-Identifier: MIT */
#include "daemon/advice/play.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/slabclient.h"

#define ROUNDS 3
#define WAIT_MS 5000
#define LOOKS 64u /* at the heap, besides those at a new peak */

/* An event with all that it needs beside it, so that both ways read the same. */
struct step {
	uint32_t obj, bytes;
	uint16_t cache; /* CHOOSE_MAX: malloc's */
	uint16_t is_alloc;
};

struct player {
	struct step *steps;
	size_t n_steps;
	void **objs;
	size_t n_objs;
	slabd_cache *caches[CHOOSE_MAX];
	struct play *play;
};

/* Not by malloc, whose heap is looked at. */
static void *map(size_t n, size_t bytes)
{
	void *at = mmap(NULL, (n + 1) * bytes, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void fail(struct player *p, const char *what, const char *why)
{
	snprintf(p->play->what, sizeof(p->play->what), "%s: %s", what, why);
}

/* profile NULL: all is malloc's. 0 or -ENOMEM. */
static int prepare(struct player *p, const struct trace *trace,
                   const struct profile *profile, const struct choose *choose)
{
	p->n_steps = trace->n_events;
	p->n_objs = trace->n_objects;
	p->steps = map(p->n_steps, sizeof(*p->steps));
	p->objs = map(p->n_objs, sizeof(*p->objs));
	if (!p->steps || !p->objs)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct trace_event *event = &trace->events[i];
		uint32_t bytes = trace->objects[event->obj].bytes;
		unsigned ix = profile ? profile_size_of(profile, bytes)
		                      : PROFILE_NONE;

		p->steps[i] = (struct step){
			.obj = event->obj,
			.bytes = bytes > 0 ? bytes : 1,
			.cache = ix == PROFILE_NONE
		                         ? CHOOSE_MAX
		                         : (uint16_t)choose_of(choose, ix),
			.is_alloc = event->op == TRACE_ALLOC,
		};
	}
	return 0;
}

static inline void *get(const struct player *p, const struct step *step)
{
	if (step->cache < CHOOSE_MAX)
		return slabd_alloc(p->caches[step->cache]);
	return malloc(step->bytes);
}

static inline void put(const struct player *p, const struct step *step, void *at)
{
	if (step->cache < CHOOSE_MAX)
		slabd_free(p->caches[step->cache], at);
	else
		free(at);
}

static int refused(struct player *p, const struct step *step)
{
	char what[64];
	const char *why = step->cache < CHOOSE_MAX ? slabd_last_error()
	                                           : strerror(errno);

	snprintf(what, sizeof(what), "no memory for %u bytes", step->bytes);
	fail(p, what, why);
	return -1;
}

/* One event; 0 or -1. */
static inline int step_once(struct player *p, const struct step *step)
{
	void *at;

	if (!step->is_alloc) {
		put(p, step, p->objs[step->obj]);
		p->objs[step->obj] = NULL;
		return 0;
	}
	at = get(p, step);
	if (!at)
		return refused(p, step);
	*(volatile char *)at = 1;
	p->objs[step->obj] = at;
	return 0;
}

static void end_live(struct player *p)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct step *step = &p->steps[i];

		if (!step->is_alloc || !p->objs[step->obj])
			continue;
		put(p, step, p->objs[step->obj]);
		p->objs[step->obj] = NULL;
	}
}

static int play_round(struct player *p)
{
	int64_t began = now_ns();
	double ns;

	for (size_t i = 0; i < p->n_steps; i++)
		if (step_once(p, &p->steps[i]) < 0)
			return -1;
	ns = (double)(now_ns() - began) / (double)p->n_steps;
	if (p->play->event_ns == 0 || ns < p->play->event_ns)
		p->play->event_ns = ns;
	end_live(p);
	return 0;
}

static int play_rounds(struct player *p)
{
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		r = play_round(p);
	p->play->is_done = r == 0;
	return r;
}

/* What malloc has of the kernel, and what of that is in use. */
struct heap {
	uint64_t has, uses;
};

static struct heap heap_now(void)
{
	struct mallinfo2 info = mallinfo2();

	return (struct heap){info.arena + info.hblkhd,
	                     info.uordblks + info.hblkhd};
}

/* By how much it grew. What a small program needs fits into what was there. */
static uint64_t heap_grown(struct heap from, struct heap to)
{
	uint64_t has = to.has > from.has ? to.has - from.has : 0;
	uint64_t uses = to.uses > from.uses ? to.uses - from.uses : 0;

	return has > uses ? has : uses;
}

/* A first round, in which the heap is looked at as it grows. */
static int play_looking(struct player *p)
{
	struct heap before = heap_now();
	uint64_t live = 0, seen = 0;
	size_t rest = p->n_steps / LOOKS + 1;

	for (size_t i = 0; i < p->n_steps; i++) {
		const struct step *step = &p->steps[i];
		uint64_t now;

		if (step_once(p, step) < 0)
			return -1;
		live += step->is_alloc ? step->bytes : -(uint64_t)step->bytes;
		if (i % rest != 0 && live <= seen + seen / 256)
			continue;
		seen = live > seen ? live : seen;
		now = heap_grown(before, heap_now());
		if (now > p->play->heap_bytes)
			p->play->heap_bytes = now;
	}
	end_live(p);
	return 0;
}

static void by_malloc(struct player *p)
{
	if (play_looking(p) == 0)
		play_rounds(p);
}

static int open_caches(struct player *p, slabd_pool *pool,
                       const struct choose *choose)
{
	char name[SLABD_NAME_MAX + 1];

	for (unsigned i = 0; i < choose->n_caches; i++) {
		snprintf(name, sizeof(name), PLAY_NAME "-%u",
		         choose->caches[i].bytes);
		p->caches[i] = slabd_cache_create(
			pool, name, choose->caches[i].bytes, 0, 0);
		if (!p->caches[i]) {
			fail(p, name, slabd_last_error());
			return -1;
		}
	}
	return 0;
}

static void by_slabd(struct player *p, const struct choose *choose,
                     const char *name)
{
	const struct slabd_options options = {.wait_ms = WAIT_MS,
	                                      .name = "slabctl advise"};
	slabd_pool *pool = slabd_open(name, &options);

	if (!pool) {
		fail(p, "no pool", slabd_last_error());
		return;
	}
	/* A first round fills what later ones find, as in a program that runs. */
	if (open_caches(p, pool, choose) == 0)
		play_rounds(p);
	slabd_close(pool);
}

/* What the child writes is all or nothing. */
static void collect(struct play *play, int fd, pid_t pid)
{
	struct play got;
	int status = 0;
	ssize_t n;

	do
		n = read(fd, &got, sizeof(got));
	while (n < 0 && errno == EINTR);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (n == (ssize_t)sizeof(got)) {
		*play = got;
		play->what[sizeof(play->what) - 1] = '\0';
		return;
	}
	snprintf(play->what, sizeof(play->what),
	         WIFSIGNALED(status) ? "its process was killed by signal %d"
	                             : "its process ended with status %d",
	         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* pool: by malloc where choose is NULL. */
static void child(struct player *p, const struct trace *trace,
                  const struct profile *profile, const struct choose *choose,
                  const char *pool)
{
	if (prepare(p, trace, profile, choose) < 0)
		fail(p, "no room to play it", strerror(ENOMEM));
	else if (choose)
		by_slabd(p, choose, pool);
	else
		by_malloc(p);
}

static int play_apart(struct play *play, const struct trace *trace,
                      const struct profile *profile,
                      const struct choose *choose, const char *pool)
{
	struct player player = {.play = play};
	pid_t pid, parent = getpid();
	int fds[2];

	memset(play, 0, sizeof(*play));
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			child(&player, trace, profile, choose, pool);
		_exit(write(fds[1], play, sizeof(*play)) !=
		      (ssize_t)sizeof(*play));
	}
	close(fds[1]);
	if (pid < 0) {
		int error = errno;

		close(fds[0]);
		return -error;
	}
	collect(play, fds[0], pid);
	return 0;
}

int play_malloc(struct play *play, const struct trace *trace)
{
	return play_apart(play, trace, NULL, NULL, NULL);
}

int play_slabd(struct play *play, const struct trace *trace,
               const struct profile *profile, const struct choose *choose,
               const char *pool)
{
	return play_apart(play, trace, profile, choose, pool);
}
