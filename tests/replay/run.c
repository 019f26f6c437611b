/* SPDX-License-Identifier: MIT */
#include "shm/atom.h"
#include "tests/replay/pattern.h"
#include "tests/replay/run.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A thread tells the run of its live bytes in steps of this many. */
#define LIVE_STEP 16384
#define TOLD_MAX 8u /* mismatches reported one by one */
#define YIELDS_MAX 64u
#define NAP_NS 50000

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void nap(long ns)
{
	struct timespec time = {0, ns};

	nanosleep(&time, NULL);
}

static void note_live(struct run_worker *worker, int64_t bytes)
{
	struct run *run = worker->run;
	int64_t live, peak;

	worker->live_due += bytes;
	if (worker->live_due < LIVE_STEP && worker->live_due > -LIVE_STEP)
		return;
	live = atom_add(&run->live_bytes, worker->live_due) + worker->live_due;
	worker->live_due = 0;
	peak = atom_load(&run->peak_bytes);
	/* pairs: note_live; a maximum that needs no order. */
	while (live > peak && !atom_cas(&run->peak_bytes, &peak, live))
		continue;
}

/* Differs between objects, loops, crews and processes. */
static uint64_t seed_of(const struct run_worker *worker, uint32_t obj)
{
	const struct run *run = worker->run;
	uint64_t crew = (uint64_t)(worker->crew - run->crews);
	uint64_t round = pattern_mix(run->plan.salt + crew, worker->crew->loop);

	return pattern_mix(round, obj);
}

static void report_mismatch(struct run_worker *worker, uint32_t obj,
                            const struct pattern_fault *fault)
{
	struct run *run = worker->run;
	const struct trace_object *object = &run->plan.trace->objects[obj];

	atom_store(&worker->mismatches, worker->mismatches + 1);
	if (atom_add(&run->told, 1) >= TOLD_MAX)
		return;
	pthread_mutex_lock(&run->report);
	fprintf(stderr,
	        "replay: mismatch: object %u of %u bytes, offset %zu: "
	        "expected %016llx, found %016llx (thread %u, loop %llu)\n",
	        obj, object->bytes, fault->off,
	        (unsigned long long)fault->expected,
	        (unsigned long long)fault->found, worker->number,
	        (unsigned long long)worker->crew->loop + 1);
	pthread_mutex_unlock(&run->report);
}

/* An allocation gave NULL: the run ends, and says why. */
static void report_refusal(struct run_worker *worker, uint32_t obj, int error)
{
	struct run *run = worker->run;
	const char *why = backend_why(run->plan.backend);

	atom_store(&worker->refused, worker->refused + 1);
	pthread_mutex_lock(&run->report);
	if (!run->failure[0])
		snprintf(run->failure, sizeof(run->failure),
		         "no memory for object %u of %u bytes: %s%s%s", obj,
		         run->plan.trace->objects[obj].bytes, strerror(error),
		         *why ? ": " : "", why);
	pthread_mutex_unlock(&run->report);
	run_quit(run);
}

static void play_alloc(struct run_worker *worker, uint32_t obj)
{
	const struct run_plan *plan = &worker->run->plan;
	size_t bytes = plan->trace->objects[obj].bytes;
	unsigned class_ix = classes_of(bytes);
	void *at;

	if (class_ix < CLASSES_N) {
		at = backend_alloc(plan->backend, class_ix, bytes);
	} else {
		at = malloc(bytes);
		atom_store(&worker->large, worker->large + 1);
	}
	if (!at) {
		report_refusal(worker, obj, errno);
		return;
	}
	if (plan->check)
		pattern_fill(at, bytes, seed_of(worker, obj));
	note_live(worker, (int64_t)bytes);
	/* pairs: play_free */
	atom_store_release(&worker->crew->slots[obj], at);
}

/* Checks and frees the object in a slot that this thread may empty. */
static void end_object(struct run_worker *worker, uint32_t obj, void *at)
{
	const struct run_plan *plan = &worker->run->plan;
	size_t bytes = plan->trace->objects[obj].bytes;
	unsigned class_ix = classes_of(bytes);
	struct pattern_fault fault;

	if (plan->check &&
	    pattern_check(at, bytes, seed_of(worker, obj), &fault))
		report_mismatch(worker, obj, &fault);
	atom_store(&worker->crew->slots[obj], NULL);
	note_live(worker, -(int64_t)bytes);
	if (class_ix < CLASSES_N)
		backend_free(plan->backend, class_ix, at);
	else
		free(at);
}

static void play_free(struct run_worker *worker, uint32_t obj)
{
	void **slot = &worker->crew->slots[obj];
	void *at;

	/* pairs: play_alloc */
	for (unsigned i = 0; !(at = atom_load_acquire(slot)); i++) {
		if (atom_load(&worker->run->enough))
			return;
		if (i < YIELDS_MAX)
			sched_yield();
		else
			nap(NAP_NS);
	}
	end_object(worker, obj, at);
}

static void play_loop(struct run_worker *worker)
{
	const unsigned *enough = &worker->run->enough;
	uint64_t done = worker->done;

	for (size_t i = 0; i < worker->n_events; i++) {
		const struct trace_event *event = &worker->events[i];

		if (atom_load(enough))
			break;
		if (event->op == TRACE_ALLOC)
			play_alloc(worker, event->obj);
		else
			play_free(worker, event->obj);
		atom_store(&worker->done, ++done);
	}
}

/* Ends the objects that this thread allocated and nobody freed. The meeting
 * before it orders it after every slot's last change. */
static void end_leftovers(struct run_worker *worker)
{
	for (size_t i = 0; i < worker->n_events; i++) {
		const struct trace_event *event = &worker->events[i];
		void *at = atom_load(&worker->crew->slots[event->obj]);

		if (event->op == TRACE_ALLOC && at)
			end_object(worker, event->obj, at);
	}
}

/* One thread of the crew decides for all, before they meet again. */
static void decide(struct run_worker *worker)
{
	const struct run *run = worker->run;
	uint64_t loops = run->plan.loops;

	worker->crew->over = atom_load(&run->enough) ||
	                     (loops && worker->crew->loop + 1 >= loops);
}

/* Returns how long it held, in seconds. */
static double hold(const struct run_worker *worker)
{
	double start = now_s();

	atom_add(&worker->run->n_holding, 1u);
	while (!atom_load(&worker->run->quit))
		nap(20 * 1000 * 1000);
	return now_s() - start;
}

static void tell_end(struct run *run)
{
	if (atom_add(&run->n_running, -1u) == 1 && run->plan.done_signal)
		kill(getpid(), run->plan.done_signal);
}

static void *worker_main(void *arg)
{
	struct run_worker *worker = arg;
	struct run *run = worker->run;
	struct run_crew *crew = worker->crew;
	const struct run_plan *plan = &run->plan;
	double held_s = 0;
	bool over;

	if (plan->n_nodes)
		backend_thread_node(
			plan->backend,
			plan->nodes[worker->number % plan->n_nodes]);
	do {
		play_loop(worker);
		if (pthread_barrier_wait(&crew->meet))
			decide(worker);
		pthread_barrier_wait(&crew->meet);
		over = crew->over;
		if (over && plan->hold)
			held_s = hold(worker);
		end_leftovers(worker);
		if (pthread_barrier_wait(&crew->meet))
			crew->loop++;
		pthread_barrier_wait(&crew->meet);
		atom_store(&worker->loops_done, worker->loops_done + 1);
	} while (!over);
	worker->busy_s = now_s() - run->start_s - held_s;
	tell_end(run);
	return NULL;
}

/* Sorts the events by thread, each thread's in order. 0 or -ENOMEM. */
static int split_events(struct run *run)
{
	const struct trace *trace = run->plan.trace;
	size_t starts[TRACE_THREADS_MAX] = {0};

	run->split = malloc((trace->n_events + 1) * sizeof(*run->split));
	if (!run->split)
		return -ENOMEM;
	for (unsigned i = 1; i < TRACE_THREADS_MAX; i++)
		starts[i] = starts[i - 1] + trace->thread_events[i - 1];
	for (size_t i = 0; i < trace->n_events; i++)
		run->split[starts[trace->events[i].thread]++] =
			trace->events[i];
	return 0;
}

static struct run_worker *add_worker(struct run *run, unsigned crew)
{
	struct run_worker *worker = &run->workers[run->n_workers];

	worker->run = run;
	worker->crew = &run->crews[crew];
	worker->number = run->n_workers++;
	worker->events = run->plan.trace->events;
	worker->n_events = run->plan.trace->n_events;
	return worker;
}

/* A worker for each thread that the trace has. */
static void add_trace_threads(struct run *run, unsigned crew)
{
	const struct trace *trace = run->plan.trace;
	const struct trace_event *events = run->split;

	for (unsigned i = 1; i < TRACE_THREADS_MAX; i++) {
		struct run_worker *worker;

		if (!trace->thread_events[i])
			continue;
		worker = add_worker(run, crew);
		worker->events = events;
		worker->n_events = trace->thread_events[i];
		events += trace->thread_events[i];
	}
}

static void drop(struct run *run)
{
	for (unsigned i = 0; run->crews && i < run->plan.n_crews; i++) {
		if (!run->crews[i].slots)
			continue;
		free(run->crews[i].slots);
		pthread_barrier_destroy(&run->crews[i].meet);
	}
	free(run->crews);
	free(run->workers);
	free(run->split);
	pthread_mutex_destroy(&run->report);
}

static int prepare(struct run *run)
{
	const struct run_plan *plan = &run->plan;
	size_t size = plan->by_thread ? plan->trace->n_threads : 1;
	int error = plan->by_thread ? split_events(run) : 0;

	if (error || !size)
		return error ? error : -EINVAL;
	run->crews = calloc(plan->n_crews, sizeof(*run->crews));
	run->workers = aligned_alloc(128, plan->n_crews * size *
	                                          sizeof(*run->workers));
	if (!run->crews || !run->workers)
		return -ENOMEM;
	memset(run->workers, 0, plan->n_crews * size * sizeof(*run->workers));
	for (unsigned i = 0; i < plan->n_crews; i++) {
		struct run_crew *crew = &run->crews[i];

		crew->slots =
			calloc(plan->trace->n_objects + 1, sizeof(void *));
		if (!crew->slots)
			return -ENOMEM;
		pthread_barrier_init(&crew->meet, NULL, (unsigned)size);
		if (plan->by_thread)
			add_trace_threads(run, i);
		else
			add_worker(run, i);
	}
	return 0;
}

/* A crew that is not whole would wait for ever at its first meeting, so a
 * thread that can't be made ends the process. */
static void start_thread(struct run_worker *worker)
{
	int error = pthread_create(&worker->id, NULL, worker_main, worker);

	if (!error)
		return;
	fprintf(stderr, "replay: thread %u of %u: %s\n", worker->number + 1,
	        worker->run->n_workers, strerror(error));
	exit(RUN_CANNOT);
}

int run_start(struct run *run, const struct run_plan *plan)
{
	int error;

	memset(run, 0, sizeof(*run));
	run->plan = *plan;
	pthread_mutex_init(&run->report, NULL);
	error = prepare(run);
	if (error) {
		drop(run);
		return error;
	}
	run->n_running = run->n_workers;
	run->start_s = now_s();
	for (unsigned i = 0; i < run->n_workers; i++)
		start_thread(&run->workers[i]);
	return 0;
}

void run_enough(struct run *run)
{
	atom_store(&run->enough, 1u);
}

void run_quit(struct run *run)
{
	atom_store(&run->quit, 1u);
	run_enough(run);
}

void run_counts(const struct run *run, struct run_count *count)
{
	*count = (struct run_count){
		.live_bytes = atom_load(&run->live_bytes),
		.peak_bytes = atom_load(&run->peak_bytes),
		.n_running = atom_load(&run->n_running),
		.n_holding = atom_load(&run->n_holding),
	};
	for (unsigned i = 0; i < run->n_workers; i++) {
		const struct run_worker *worker = &run->workers[i];

		count->done += atom_load(&worker->done);
		count->large += atom_load(&worker->large);
		count->mismatches += atom_load(&worker->mismatches);
		count->refused += atom_load(&worker->refused);
	}
}

uint64_t run_loop_events(const struct run *run)
{
	return run->plan.trace->n_events * run->plan.n_crews;
}

void run_join(struct run *run, struct run_count *count)
{
	double busy_s = 0;

	for (unsigned i = 0; i < run->n_workers; i++) {
		pthread_join(run->workers[i].id, NULL);
		if (run->workers[i].busy_s > busy_s)
			busy_s = run->workers[i].busy_s;
	}
	run_counts(run, count);
	count->busy_s = busy_s;
	drop(run);
}
