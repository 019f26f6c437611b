/* SPDX-License-Identifier: MIT */
/*
 * The events of one process, on their way from its ring to its file. Objects are
 * numbered here, in the order in which they come.
 */
#ifndef RECORD_STREAM_H
#define RECORD_STREAM_H

#include "record/live.h"
#include "record/out.h"
#include "record/ring.h"

#include <limits.h>

/* Why no more is recorded. */
enum stream_end { STREAM_GOES_ON, STREAM_LIMIT, STREAM_NUMBERS, STREAM_FAULT };

struct stream {
	struct ring *ring;
	int32_t pid; /* 0: nobody has the ring */
	int pidfd;   /* -1: none, or it has ended */
	uint64_t tail;
	struct live live;
	struct live_object *moved; /* by thread: what its realloc freed last */
	struct out out;
	bool is_open;
	enum stream_end end;
	int fault; /* STREAM_FAULT: negative errno */
	uint64_t limit;
	uint64_t n_events, n_objects, live_bytes;
	uint64_t peak_objects, peak_bytes;
	uint64_t n_unknown; /* frees of what was not seen to be allocated */
	uint64_t n_unseen;  /* objects whose end was not seen */
	uint64_t n_damaged; /* events that are none */
	unsigned n_threads;
	char path[PATH_MAX];
};

/* Opens the file at stream->path. 0 or negative errno. */
int stream_open(struct stream *stream);

/* Takes over one that is open and begun, at stream->path. */
void stream_adopt(struct stream *stream, const struct out *out);

/* Whether an event is there to be taken. */
bool stream_has_any(const struct stream *stream);

/* Records no more: there is no file. Negative errno. */
void stream_give_up(struct stream *stream, int fault);

/* Takes what is in the ring, up to some 64 thousand events; how many. */
unsigned stream_take(struct stream *stream);

/* Writes what was taken. */
void stream_flush(struct stream *stream);

/* Takes all that is left, says what was recorded, and frees the ring for another
 * process. Whether nothing went wrong. */
bool stream_close(struct stream *stream);

#endif
