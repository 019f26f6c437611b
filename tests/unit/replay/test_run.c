/* SPDX-License-Identifier: MIT */
/*
 * The replay's threads over a backend that misbehaves on demand: objects handed
 * out twice, and memory that runs out.
 */
#include "shm/atom.h"
#include "tests/replay/run.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define OBJECTS 1000u
#define THREADS 4u

/* What the backend below does; reset in each test's own process. */
static struct {
	unsigned calls, live;
	unsigned null_at;  /* this call gives NULL; 0: none */
	unsigned twice_at; /* this call gives the object of the one before */
	void *last, *doubled;
} fake;

int backend_open(struct backend *backend, const char *pool, int node)
{
	(void)backend, (void)pool, (void)node;
	return 0;
}

int backend_add_class(struct backend *backend, unsigned class_ix)
{
	(void)backend, (void)class_ix;
	return 0;
}

int backend_thread_node(struct backend *backend, int node)
{
	(void)backend, (void)node;
	return 0;
}

const char *backend_why(const struct backend *backend)
{
	(void)backend;
	return "the fake is empty";
}

int backend_close(struct backend *backend)
{
	(void)backend;
	return 0;
}

void *backend_alloc(struct backend *backend, unsigned class_ix, size_t bytes)
{
	unsigned call = atom_add(&fake.calls, 1u) + 1;
	void *obj;

	(void)backend, (void)bytes;
	if (call == fake.null_at) {
		errno = ENOMEM;
		return NULL;
	}
	atom_add(&fake.live, 1u);
	if (call == fake.twice_at)
		return fake.doubled = fake.last;
	obj = malloc(classes_bytes(class_ix));
	atom_store(&fake.last, obj);
	return obj;
}

void backend_free(struct backend *backend, unsigned class_ix, void *obj)
{
	(void)backend, (void)class_ix;
	atom_add(&fake.live, -1u);
	if (obj == fake.doubled)
		fake.doubled = NULL;
	else
		free(obj);
}

/* Thread 1 allocates all objects, the others free all but the last ten, in
 * turn: each free waits for another thread. */
static struct trace_event events[2 * OBJECTS];
static struct trace_object objects[OBJECTS];
static struct trace trace = {.events = events, .objects = objects};

static void make_trace(void)
{
	memset(trace.thread_events, 0, sizeof(trace.thread_events));
	trace.n_events = 0;
	for (uint32_t i = 0; i < OBJECTS; i++) {
		uint8_t thread = (uint8_t)(2 + i % (THREADS - 1));

		objects[i] = (struct trace_object){8 + i, 1, 1};
		events[trace.n_events++] =
			(struct trace_event){i, TRACE_ALLOC, 1};
		trace.thread_events[1]++;
		if (i >= OBJECTS - 10)
			continue;
		events[trace.n_events++] =
			(struct trace_event){i, TRACE_FREE, thread};
		trace.thread_events[thread]++;
	}
	trace.n_objects = OBJECTS;
	trace.n_threads = THREADS;
}

TestSuite(run, .init = make_trace, .timeout = 300);

static struct run run;
static struct run_count count;
static struct backend backend;

static struct run_plan plan_of(bool by_thread, unsigned n_crews)
{
	return (struct run_plan){.trace = &trace,
	                         .backend = &backend,
	                         .n_crews = n_crews,
	                         .by_thread = by_thread,
	                         .check = true,
	                         .loops = 3};
}

static void play(const struct run_plan *plan)
{
	cr_assert_eq(run_start(&run, plan), 0);
	run_join(&run, &count);
	cr_assert_eq(fake.live, 0u, "%u objects were never freed", fake.live);
}

Test(run, trace_threads_play_every_event)
{
	struct run_plan plan = plan_of(true, 1);

	play(&plan);
	cr_assert_eq(run.n_workers, THREADS);
	cr_assert_eq(count.done, 3 * trace.n_events);
	cr_assert_eq(count.mismatches, 0u);
	cr_assert_eq(fake.calls, 3 * OBJECTS);
	cr_assert_gt(count.peak_bytes, 0);
}

Test(run, crews_play_side_by_side)
{
	struct run_plan plan = plan_of(false, 3);

	play(&plan);
	cr_assert_eq(run.n_workers, 3u);
	cr_assert_eq(count.done, 9 * trace.n_events);
	cr_assert_eq(count.mismatches, 0u);
}

Test(run, object_with_two_owners_is_a_mismatch)
{
	struct run_plan plan = plan_of(false, 1);

	/* The last ten stay live: the two owners overlap. */
	fake.twice_at = OBJECTS - 3;
	play(&plan);
	cr_assert_eq(count.mismatches, 1u);
	cr_assert_eq(count.done, 3 * trace.n_events);
}

Test(run, no_check_sees_no_mismatch)
{
	struct run_plan plan = plan_of(false, 1);

	fake.twice_at = OBJECTS - 3;
	plan.check = false;
	play(&plan);
	cr_assert_eq(count.mismatches, 0u);
}

Test(run, null_ends_the_run_and_says_why)
{
	struct run_plan plan = plan_of(true, 1);

	fake.null_at = 500;
	play(&plan);
	cr_assert_eq(count.refused, 1u);
	cr_assert_lt(count.done, trace.n_events);
	cr_assert_not_null(strstr(run.failure, "object 499 of 507 bytes"), "%s",
	                   run.failure);
	cr_assert_not_null(strstr(run.failure, "the fake is empty"));
}

Test(run, holds_until_told)
{
	struct run_plan plan = plan_of(false, 2);

	plan.hold = true;
	plan.loops = 1;
	cr_assert_eq(run_start(&run, &plan), 0);
	do
		run_counts(&run, &count);
	while (count.n_holding < 2);
	cr_assert_eq(atom_load(&fake.live), 20u);
	cr_assert_eq(count.n_running, 2u);
	run_quit(&run);
	run_join(&run, &count);
	cr_assert_eq(fake.live, 0u);
}

Test(run, endless_until_enough)
{
	struct run_plan plan = plan_of(true, 1);

	plan.loops = 0;
	cr_assert_eq(run_start(&run, &plan), 0);
	do
		run_counts(&run, &count);
	while (count.done < 5 * trace.n_events);
	run_enough(&run);
	run_join(&run, &count);
	cr_assert_eq(fake.live, 0u);
	cr_assert_eq(count.mismatches, 0u);
}
