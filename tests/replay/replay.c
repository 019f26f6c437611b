/* SPDX-License-Identifier: MIT */
/*
 * replay: plays a recorded allocation trace through libslabclient or malloc,
 * with the trace's own sizes, threads and lifetimes, and checks every byte of
 * every object before it frees it.
 *
 * Exit status: 0 done or told to stop, 1 an object was not as it was left, or
 * slabd refused a free, 2 bad arguments or no valid trace, 3 slabd or the
 * system has not what the run needs.
 */
#include "tests/replay/cut.h"
#include "tests/replay/options.h"
#include "tests/replay/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define EXIT_MISMATCH 1
#define EXIT_TRACE 2
#define TICK_NS 200000000

/* SIGUSR1 comes from the last thread. All are blocked in every thread, so that
 * main alone takes them, and before slabd_open, so that its helper has them
 * blocked too. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* slabctl clients shows a process by its name: that of the trace, up to the
 * first dot, tells the workers apart. */
static void take_name(const char *trace)
{
	char name[16];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(trace, "."), trace);
	prctl(PR_SET_NAME, name);
}

/* Says what was tried and why it can't be; returns the exit status. */
static int cannot(const char *what, int error)
{
	const char *why = slabd_last_error();

	fprintf(stderr, "replay: %s: %s%s%s\n", what, strerror(-error),
	        *why ? ": " : "", why);
	return RUN_CANNOT;
}

static int open_caches(struct backend *backend, const struct trace *trace)
{
	for (size_t i = 0; i < trace->n_objects; i++) {
		unsigned class_ix = classes_of(trace->objects[i].bytes);
		int error;

		if (class_ix >= CLASSES_N)
			continue;
		error = backend_add_class(backend, class_ix);
		if (error)
			return cannot("opening a cache", error);
	}
	return 0;
}

static int check_nodes(struct backend *backend, const struct options *options)
{
	char what[64];
	int error;

	for (unsigned i = 0; i < options->n_nodes; i++) {
		error = backend_thread_node(backend, options->nodes[i]);
		snprintf(what, sizeof(what), "node %d", options->nodes[i]);
		if (error)
			return cannot(what, error);
	}
	return options->n_nodes ? backend_thread_node(backend, -1) : 0;
}

static int open_backend(struct backend *backend, const struct options *options,
                        const struct trace *trace)
{
	int status, error;

	memset(backend, 0, sizeof(*backend));
	if (options->use_malloc)
		return 0;
	error = backend_open(backend, options->pool, options->node);
	if (error)
		return cannot("opening the pool", error);
	status = check_nodes(backend, options);
	if (!status)
		status = open_caches(backend, trace);
	if (status)
		backend_close(backend);
	return status;
}

/* Main's part of the run: signals, the clock and the status line. */
static void watch(struct run *run, const struct report *report,
                  const struct options *options, const sigset_t *set)
{
	const struct timespec tick = {0, TICK_NS};
	struct run_count count;
	double ticks = 0;

	do {
		int signal = sigtimedwait(set, NULL, &tick);

		ticks += signal < 0 ? TICK_NS * 1e-9 : 0;
		if (signal == SIGTERM || signal == SIGINT)
			run_quit(run);
		if (options->seconds > 0 && ticks >= options->seconds)
			run_enough(run);
		run_counts(run, &count);
		if (count.n_running)
			report_progress(report, &count, false);
	} while (count.n_running);
}

static int status_of(const struct run *run, const struct run_count *count,
                     const struct slabd_stats *stats)
{
	if (run->failure[0])
		fprintf(stderr, "replay: %s\n", run->failure);
	if (count->mismatches || stats->refused) {
		fprintf(stderr, "replay: %llu mismatches, %llu frees refused\n",
		        (unsigned long long)count->mismatches,
		        (unsigned long long)stats->refused);
		return EXIT_MISMATCH;
	}
	return run->failure[0] ? RUN_CANNOT : EXIT_SUCCESS;
}

/* The threads are gone; what they left in the depot goes home, so that frees
 * that slabd refuses are counted before the client ends. */
static int finish(struct backend *backend, struct slabd_stats *stats)
{
	int error = 0;

	memset(stats, 0, sizeof(*stats));
	if (backend->pool) {
		slabd_flush(backend->pool);
		if (slabd_get_stats(backend->pool, stats))
			error = -errno;
	}
	if (error) {
		cannot("reading the counts", error);
		backend_close(backend);
		return RUN_CANNOT;
	}
	error = backend_close(backend);
	return error ? cannot("closing the pool", error) : 0;
}

static void plan_run(struct run_plan *plan, const struct options *options,
                     const struct trace *trace, struct backend *backend)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*plan = (struct run_plan){
		.trace = trace,
		.backend = backend,
		.n_crews = options->by_thread ? 1 : options->n_threads,
		.by_thread = options->by_thread,
		.check = !options->no_check,
		.hold = options->hold,
		.loops = options->loops,
		.nodes = options->nodes,
		.n_nodes = options->n_nodes,
		.salt = ((uint64_t)getpid() << 32) ^ (uint64_t)now.tv_nsec,
		.done_signal = SIGUSR1,
	};
}

static int play(const struct options *options, const struct trace *trace,
                struct report *report, const sigset_t *set)
{
	struct report_memory memory;
	struct slabd_stats stats;
	struct run_count count;
	struct backend backend;
	struct run_plan plan;
	struct run run;
	int error, status = open_backend(&backend, options, trace);

	if (status)
		return status;
	if (backend.pool)
		report->client_id = slabd_client_id(backend.pool);
	plan_run(&plan, options, trace, &backend);
	report->total = plan.loops * plan.n_crews * trace->n_events;
	report_start(report, &memory);
	error = run_start(&run, &plan);
	if (error) {
		backend_close(&backend);
		return cannot("starting the threads", error);
	}
	watch(&run, report, options, set);
	run_join(&run, &count);
	report_peaks(&memory);
	status = finish(&backend, &stats);
	report_progress(report, &count, true);
	report_result(report, &run, &count, &memory, &stats);
	error = status_of(&run, &count, &stats);
	return error ? error : status;
}

static int cut(const struct options *options, const struct trace *trace)
{
	int error = cut_save(trace, options->cut_events, options->cut_path);

	if (!error)
		return EXIT_SUCCESS;
	fprintf(stderr, "replay: %s: %s\n", options->cut_path,
	        strerror(-error));
	return EXIT_TRACE;
}

static int with_trace(const struct options *options, const struct trace *trace,
                      const sigset_t *set)
{
	const char *slash = strrchr(options->trace, '/');
	struct report report = {
		.trace = slash ? slash + 1 : options->trace,
		.backend = options->use_malloc ? "malloc" : "slabd",
		.line = options->progress,
		.json = options->json,
	};
	int status;

	if (options->cut_path)
		return cut(options, trace);
	take_name(report.trace);
	if (!trace->n_events) {
		fprintf(stderr, "replay: %s: no records\n", options->trace);
		return EXIT_TRACE;
	}
	if (options->progress_file) {
		report.watch = fopen(options->progress_file, "ae");
		if (!report.watch)
			return cannot(options->progress_file, -errno);
	}
	status = play(options, trace, &report, set);
	if (report.watch)
		fclose(report.watch);
	return status;
}

int main(int argc, char **argv)
{
	struct trace_fault fault;
	struct options options;
	struct trace trace;
	sigset_t set;
	int status = options_parse(&options, argc, argv);

	if (status)
		return status < 0 ? EXIT_SUCCESS : status;
	block_signals(&set);
	if (trace_load(&trace, options.trace, NULL, &fault)) {
		fprintf(stderr, "replay: %s\n", fault.text);
		return EXIT_TRACE;
	}
	status = with_trace(&options, &trace, &set);
	trace_drop(&trace);
	return status;
}
