/* SPDX-License-Identifier: MIT */
/*
 * A recorded trace, in its order on one thread; and single operations timed
 * one by one, in a trace and in W2b. An object is written once in each of its
 * pages, so that memory asked for is memory used.
 */
#include "tests/bench/work.h"

#include "tests/bench/tail.h"
#include "tests/bench/who.h"

#include "tests/replay/classes.h"
#include "daemon/advice/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_PAGE 4096u
#define W2B_LIVE 100000u
#define STEPS_MAX ((size_t)1 << 24)

/* One event, with all that can be known before. */
struct step {
	uint32_t obj;
	uint32_t bytes;
	struct who_cache *cache; /* NULL: larger than any class, by malloc */
	bool is_free;
};

static struct shared {
	size_t n_steps, n_objects;
} *shared;
static struct step *steps;
static void **slots;
static size_t n_steps, n_large;
static uint64_t asked_peak, rss_start, shmem_start;
static struct tail allocs, frees;
static double rate;

/* ---- what is measured --------------------------------------------------- */

static inline void touch(char *at, size_t bytes)
{
	for (size_t off = 0; off < bytes; off += SMALL_PAGE)
		at[off] = 1;
}

static inline void *get(const struct step *step)
{
#ifdef WHO_SIZED
	return who_alloc_sized(step->bytes);
#else
	return step->cache == NULL ? malloc(step->bytes)
	                           : who_alloc(step->cache);
#endif
}

static inline void put(const struct step *step, void *object)
{
#ifndef WHO_SIZED
	if (step->cache == NULL) {
		free(object);
		return;
	}
#endif
	who_free(step->cache, object);
}

__attribute__((noinline)) static bool play(void)
{
	for (const struct step *step = steps; step < steps + n_steps; step++) {
		void **slot = &slots[step->obj];
		if (step->is_free) {
			put(step, *slot);
			continue;
		}
		*slot = get(step);
		if (*slot == NULL)
			return false;
		touch((char *)*slot, step->bytes);
	}
	return true;
}

__attribute__((noinline)) static bool play_timed(void)
{
	for (const struct step *step = steps; step < steps + n_steps; step++) {
		void **slot = &slots[step->obj];
		uint64_t began = tail_now();
		if (step->is_free) {
			put(step, *slot);
			tail_add(&frees, tail_now() - began);
			continue;
		}
		*slot = get(step);
		tail_add(&allocs, tail_now() - began);
		if (*slot == NULL)
			return false;
		touch((char *)*slot, step->bytes);
	}
	return true;
}

/* ---- the trace ---------------------------------------------------------- */

static struct step *add(uint32_t obj, uint32_t bytes, bool is_free)
{
	struct step *step = &steps[n_steps++];
	step->obj = obj;
	step->bytes = bytes > 0 ? bytes : 1;
	step->is_free = is_free;
	return step;
}

/* The trace's events, and then the end of what it leaves live. */
static void copy_steps(const struct trace *trace, size_t largest)
{
	for (size_t i = 0; i < trace->n_events; i++) {
		uint32_t obj = trace->events[i].obj;
		if (trace->objects[obj].bytes <= largest)
			add(obj, trace->objects[obj].bytes,
			    trace->events[i].op == TRACE_FREE);
	}
	for (uint32_t obj = 0; obj < trace->n_objects; obj++) {
		const struct trace_object *object = &trace->objects[obj];
		if (!object->freed && object->bytes <= largest)
			add(obj, object->bytes, true);
	}
}

/* Makes a cache for each class in use, as large as its peak. */
static int add_caches(void)
{
	struct who_cache *caches[CLASSES_N] = {0};
	uint64_t now[CLASSES_N + 1] = {0}, most[CLASSES_N + 1] = {0};
	uint64_t asked = 0;
	for (size_t i = 0; i < n_steps; i++) {
		unsigned ix = classes_of(steps[i].bytes);
		now[ix] += steps[i].is_free ? -(uint64_t)1 : 1;
		asked += steps[i].is_free ? -(uint64_t)steps[i].bytes
		                          : steps[i].bytes;
		most[ix] = now[ix] > most[ix] ? now[ix] : most[ix];
		asked_peak = asked > asked_peak ? asked : asked_peak;
	}
	for (unsigned ix = 0; ix < CLASSES_N; ix++) {
		if (most[ix] == 0)
			continue;
		caches[ix] = who_make(classes_bytes(ix), most[ix]);
		if (caches[ix] == NULL)
			return 1;
	}
	for (size_t i = 0; i < n_steps; i++) {
		unsigned ix = classes_of(steps[i].bytes);
		n_large += ix == CLASSES_N;
		steps[i].cache = ix < CLASSES_N ? caches[ix] : NULL;
	}
	return 0;
}

/* One "Name:  N kB" line of /proc/self/status, in bytes; 0 where missing. */
static uint64_t status_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(name);
	unsigned long long kib = 0;
	char line[256];
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			sscanf(line + length + 1, "%llu", &kib);
	fclose(file);
	return kib * 1024;
}

/* Starts the peak of resident memory anew. */
static void forget_peak(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "we");
	if (file != NULL) {
		fputs("5", file);
		fclose(file);
	}
	rss_start = status_bytes("VmRSS");
	shmem_start = status_bytes("RssShmem");
}

static void *map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* Leaves the steps in shared memory. */
static int load(const char *path, size_t largest)
{
	struct trace_fault fault;
	struct trace trace;
	if (path == NULL || trace_load(&trace, path, NULL, &fault) != 0) {
		fprintf(stderr, "%s\n", path == NULL ? "no trace" : fault.text);
		return 1;
	}
	if (trace.n_events + trace.n_objects > STEPS_MAX)
		return work_fail("the trace is too long");
	copy_steps(&trace, largest > 0 ? largest : SIZE_MAX);
	shared->n_steps = n_steps;
	shared->n_objects = trace.n_objects;
	return 0;
}

/* Has a child load the trace, so that what loading leaves behind in malloc is
 * not there for the replay to live on. */
static int load_apart(const char *path, size_t largest)
{
	int status;
	pid_t child;
	steps = (struct step *)map(STEPS_MAX * sizeof(*steps));
	shared = (struct shared *)map(sizeof(*shared));
	if (steps == NULL || shared == NULL)
		return work_fail("no memory");
	child = fork();
	if (child < 0)
		return work_fail("fork");
	if (child == 0)
		_exit(load(path, largest));
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	n_steps = shared->n_steps;
	slots = (void **)map((shared->n_objects + 1) * sizeof(*slots));
	if (slots == NULL)
		return work_fail("no memory");
	/* All there before the peak of memory begins to count. */
	memset(slots, 1, (shared->n_objects + 1) * sizeof(*slots));
	return 0;
}

static int start_trace(const struct work_job *job)
{
	if (load_apart(job->trace, job->largest) != 0 || who_early(job) != 0 ||
	    who_open(job, 0) != 0 || add_caches() != 0)
		return 1;
	work_pin(job->cpu[0]);
	if (who_thread(0) != 0)
		return 1;
	rate = tail_rate();
	forget_peak();
	return 0;
}

static void tell_memory(struct work_result *result)
{
	snprintf(result->more, sizeof(result->more),
	         ",\"asked_peak\":%llu,\"rss_start\":%llu,\"rss_peak\":%llu"
	         ",\"shmem\":%llu,\"large\":%zu",
	         (unsigned long long)asked_peak, (unsigned long long)rss_start,
	         (unsigned long long)status_bytes("VmHWM"),
	         (unsigned long long)(status_bytes("RssShmem") - shmem_start),
	         n_large);
}

static int sample_trace(const struct work_job *job, uint64_t n,
                        struct work_result *result)
{
	double began = work_now_ns();
	(void)job;
	n = (n + n_steps - 1) / n_steps;
	for (uint64_t i = 0; i < n; i++)
		if (!play())
			return work_fail("out of memory");
	result->ns = work_now_ns() - began;
	result->ops = n * n_steps;
	tell_memory(result);
	return 0;
}

/* ---- single operations -------------------------------------------------- */

static void tell_tails(struct work_result *result)
{
	size_t size = sizeof(result->more);
	int length = tail_tell(&allocs, "alloc", rate, result->more, size);
	length += tail_tell(&frees, "free", rate, result->more + length,
	                    size - (size_t)length);
	snprintf(result->more + length, size - (size_t)length,
	         ",\"step\":%.1f", (double)tail_step() / rate);
}

static int sample_tail_trace(const struct work_job *job, uint64_t n,
                             struct work_result *result)
{
	double began = work_now_ns();
	(void)job;
	n = (n + n_steps - 1) / n_steps;
	for (uint64_t i = 0; i < n; i++)
		if (!play_timed())
			return work_fail("out of memory");
	result->ns = work_now_ns() - began;
	result->ops = n * n_steps;
	tell_tails(result);
	return 0;
}

static struct who_cache *w2b_cache;
static uint32_t *w2b_order;

static int start_tail_w2b(const struct work_job *job)
{
	w2b_order = work_shuffled(W2B_LIVE, false);
	slots = (void **)calloc(W2B_LIVE, sizeof(*slots));
	if (slots == NULL)
		return work_fail("no memory");
	if (who_early(job) != 0 || who_open(job, 0) != 0)
		return 1;
	w2b_cache = who_make(job->bytes, W2B_LIVE);
	work_pin(job->cpu[0]);
	rate = tail_rate();
	return w2b_cache == NULL || who_thread(0) != 0;
}

static bool w2b_timed(void)
{
	for (uint32_t k = 0; k < W2B_LIVE; k++) {
		uint64_t began = tail_now();
		slots[k] = who_alloc(w2b_cache);
		tail_add(&allocs, tail_now() - began);
		if (slots[k] == NULL)
			return false;
		*(uint64_t *)slots[k] = k;
	}
	for (uint32_t k = 0; k < W2B_LIVE; k++) {
		void *object = slots[w2b_order[k]];
		uint64_t began = tail_now();
		who_free(w2b_cache, object);
		tail_add(&frees, tail_now() - began);
	}
	return true;
}

static int sample_tail_w2b(const struct work_job *job, uint64_t n,
                           struct work_result *result)
{
	double began = work_now_ns();
	(void)job;
	n = (n + W2B_LIVE - 1) / W2B_LIVE;
	for (uint64_t i = 0; i < n; i++)
		if (!w2b_timed())
			return work_fail("out of memory");
	result->ns = work_now_ns() - began;
	result->ops = n * W2B_LIVE;
	tell_tails(result);
	return 0;
}

const struct work_kind trace_kinds[] = {
	{"trace", start_trace, sample_trace, who_close},
	{"tail-trace", start_trace, sample_tail_trace, who_close},
	{"tail-W2b", start_tail_w2b, sample_tail_w2b, who_close},
	{NULL, NULL, NULL, NULL},
};
