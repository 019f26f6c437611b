/* SPDX-License-Identifier: MIT */
/*
 * Threads that replay a trace.
 *
 * A crew is the threads that share one set of objects: one thread that plays
 * the whole trace, or one for each thread of the trace. In the second case
 * the threads keep their own order, and a free waits until the allocation that
 * it ends is done; nothing else orders them. The trace itself is an order that
 * meets every wait, so no two threads can wait for one another.
 *
 * At the end of a loop each thread checks and frees what it allocated and the
 * trace left live; then the crew goes on together.
 */
#ifndef REPLAY_RUN_H
#define REPLAY_RUN_H

#include "tests/replay/backend.h"
#include "daemon/advice/trace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit status where slabd or the system has not what a run needs. */
#define RUN_CANNOT 3

struct run_plan {
	const struct trace *trace;
	struct backend *backend;
	unsigned n_crews; /* whole replays side by side */
	bool by_thread;   /* a thread for each thread of the trace */
	bool check;       /* write and check patterns */
	bool hold;        /* keep the live objects until run_quit */
	uint64_t loops;   /* 0: until run_enough */
	const int *nodes; /* threads are forced onto these in turn */
	unsigned n_nodes; /* 0: threads run where they run */
	uint64_t salt;    /* keeps patterns apart between processes */
	int done_signal;  /* sent to the process by the last thread; 0: none */
};

/* One thread; a cache line apart from the others. */
struct run_worker {
	struct run *run;
	struct run_crew *crew;
	pthread_t id;
	unsigned number;
	const struct trace_event *events;
	size_t n_events;
	int64_t live_due; /* bytes not yet told to the run */
	/* Written by this thread, peeked by run_count for people: relaxed. */
	uint64_t done;       /* events */
	uint64_t loops_done; /* whole loops */
	uint64_t large;      /* objects over the largest class, from malloc */
	uint64_t mismatches;
	uint64_t refused; /* allocations that gave NULL */
	double busy_s;    /* from the start to the end, holding left out */
} __attribute__((aligned(128)));

/* Threads that share objects. */
struct run_crew {
	/* One slot an object. NULL -> pointer by the thread that allocates it
	 * (put), pointer -> NULL by the one that frees it. get pairs with that
	 * put in play_free: the pattern is whole. */
	void **slots;
	pthread_barrier_t meet;
	uint64_t loop;
	bool over; /* decided by one thread between two meetings */
};

struct run {
	struct run_plan plan;
	struct run_worker *workers;
	struct run_crew *crews;
	unsigned n_workers;
	struct trace_event *split; /* events sorted by thread */
	double start_s;
	pthread_mutex_t report;
	char failure[512]; /* the first allocation that gave NULL */
	/* Flags that threads peek at and any of them pokes, 0 -> 1 only. */
	unsigned enough; /* start no further event */
	unsigned quit;   /* nor hold */
	/* Sums over all threads, relaxed adds. */
	unsigned n_running, n_holding;
	int64_t live_bytes, peak_bytes; /* in steps of 16 KiB a thread */
	uint64_t told;                  /* mismatches written to stderr */
};

struct run_count {
	uint64_t done, large, mismatches, refused;
	int64_t live_bytes, peak_bytes;
	unsigned n_running, n_holding;
	double busy_s; /* of the thread that took longest; 0 while it runs */
};

/* Starts the threads. The plan is copied, what it points to is not. 0 or
 * negative errno; the caller ends with run_join where it was 0. */
int run_start(struct run *run, const struct run_plan *plan);

/* Ends the loops; threads still check and free what they hold. */
void run_enough(struct run *run);

/* As run_enough, and ends the hold. */
void run_quit(struct run *run);

/* What the threads have done so far. */
void run_counts(const struct run *run, struct run_count *count);

/* Events of one loop over all crews. */
uint64_t run_loop_events(const struct run *run);

/* Waits for the threads and gives their memory back; fills in the last
 * counts. */
void run_join(struct run *run, struct run_count *count);

#endif
