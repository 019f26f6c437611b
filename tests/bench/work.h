/* SPDX-License-Identifier: MIT */
/*
 * One workload source, one program for each contestant. A program sets one
 * workload up, says so in a line of JSON, and then runs a sample of N for each
 * line "N" on standard input, each with a line of JSON as its result. It ends
 * with its input. So contestants can be started once and take turns.
 *
 * Sources that include this are C11 and C++20 at once: one contestant is C++.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WORK_SIDES 2u

struct work_job {
	const char *workload;
	const char *trace;       /* replay: the file */
	size_t largest; /* replay: leave out what is larger; 0: nothing */
	size_t bytes;            /* of one object */
	uint64_t live;           /* objects live at one time; 0: the usual */
	uint64_t caches;         /* that a pair goes round; 0: one */
	int cpu[WORK_SIDES];     /* where the sides run; -1: anywhere */
};

struct work_result {
	uint64_t ops;     /* pairs, objects, requests, events */
	double ns;        /* from the first to the last of them */
	double probe[2];  /* round trip of a cache line before and after, ns */
	bool has_probe;
	char more[2048];  /* further members of the JSON object, or "" */
};

struct work_kind {
	const char *name;
	/* 0, or 1 after a message on stderr. */
	int (*start)(const struct work_job *job);
	int (*sample)(const struct work_job *job, uint64_t n,
	              struct work_result *result);
	void (*stop)(void);
};

extern const struct work_kind single_kinds[];
extern const struct work_kind two_processes_kinds[];
extern const struct work_kind trace_kinds[];

/* Pins the calling thread; -1 leaves it. */
void work_pin(int cpu);

/* 1 after "who: what" on stderr. */
int work_fail(const char *what);

/* A permutation of 0 to n - 1, the same each time; the caller frees it. */
uint32_t *work_shuffled(uint32_t n, bool one_cycle);

static inline double work_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The compiler must take the object for used, and memory for changed. */
#define WORK_USED(p) __asm__ volatile("" : : "r"(p) : "memory")

#endif
