/* SPDX-License-Identifier: MIT */
/* The replay worker's command line. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_NODES_MAX 64u

struct options {
	const char *pool; /* NULL: the default one */
	const char *trace;
	const char *progress_file;
	const char *cut_path; /* write a cut there and replay nothing */
	size_t cut_events;
	bool use_malloc, by_thread, no_check, progress, json, hold, spread;
	unsigned n_threads;
	uint64_t loops; /* 0: until seconds are over */
	double seconds; /* 0: until the loops are done */
	int node;       /* -1: where the threads run */
	int nodes[OPTIONS_NODES_MAX];
	unsigned n_nodes;
};

/* 0; an exit status after an error, said on stderr; -1 after --help. */
int options_parse(struct options *options, int argc, char **argv);

#endif
