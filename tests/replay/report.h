/* SPDX-License-Identifier: MIT */
/*
 * What a replay says of itself: a status line for people, lines of JSON for a
 * program that watches, and the result.
 */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include "tests/replay/run.h"

#include <stdbool.h>
#include <stdio.h>

struct report {
	const char *trace;   /* the file's name without its folder */
	const char *backend; /* "slabd" or "malloc" */
	unsigned client_id;  /* 0 with malloc */
	uint64_t total;      /* events to do; 0: until told */
	bool line;           /* a status line on stderr */
	bool json;           /* the result as one line of JSON */
	FILE *watch;         /* lines of JSON as it goes; NULL: none */
	double start_s, start_cpu_s;
};

/* What the process had of memory, from the kernel. */
struct report_memory {
	uint64_t rss_start_bytes; /* before the first event */
	uint64_t rss_peak_bytes;
	uint64_t hugetlb_bytes; /* on top: the kernel leaves them out of RSS */
};

/* Starts the clocks and forgets the RSS peak of loading, if it may. */
void report_start(struct report *report, struct report_memory *memory);

/* Says how far the run is; last: no more follows. */
void report_progress(const struct report *report, const struct run_count *count,
                     bool last);

/* Reads the peaks; to be called while the pool is still mapped. */
void report_peaks(struct report_memory *memory);

void report_result(const struct report *report, const struct run *run,
                   const struct run_count *count,
                   const struct report_memory *memory,
                   const struct slabd_stats *stats);

#endif
