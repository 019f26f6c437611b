/* SPDX-License-Identifier: MIT */
/* slab-record's command line. */
#ifndef RECORD_OPTIONS_H
#define RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *file; /* NULL: by the program's name */
	const char *
		preload; /* to preload; NULL: the installed, or that of the build */
	uint64_t limit; /* events of a file; 0: none */
	bool follow;
	char **program; /* its arguments, with NULL at the end */
};

/* 0: go on; 1: all is said and done, exit status *status. */
int options_parse(struct options *options, int argc, char **argv, int *status);

#endif
