/* SPDX-License-Identifier: MIT */
/* All processes that are recorded: the program, and with --follow what it starts. */
#ifndef RECORD_STREAMS_H
#define RECORD_STREAMS_H

#include "record/options.h"
#include "record/stream.h"

#define STREAMS_MAX 64u /* at a time */

struct streams {
	const struct options *options;
	struct ring_file *file;
	int fd; /* of the memfd */
	struct stream *all;
	unsigned n;
	int32_t program;     /* its process */
	char path[PATH_MAX]; /* its file */
	struct out out;
	int fault;      /* 0, or negative errno: it could not be begun */
	bool was_there; /* it had a ring, and its file is that stream's */
	bool is_failed; /* some trace is not what it should be */
};

/* Makes the rings, and opens the program's file. 0, or -1 when that is said. */
int streams_make(struct streams *streams, const struct options *options);

/* The program runs, as that process: its trace begins. */
void streams_begin(struct streams *streams, int32_t program);
/* Or it does not. */
void streams_cancel(struct streams *streams);

/* Takes what has come, and closes the files of those that ended; whether anything
 * had come. */
bool streams_take(struct streams *streams);
void streams_flush(struct streams *streams);

/* All have ended: closes what is open, and says what is not recorded. Whether
 * nothing went wrong. */
bool streams_end(struct streams *streams);

#endif
