/* SPDX-License-Identifier: MIT */
#include "record/say.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SAY(...) fprintf(stderr, "slab-record: " __VA_ARGS__)

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* "3.2 MiB" */
static const char *size_text(char *to, size_t room, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double size = (double)bytes / 1024;
	unsigned unit = 0;
	if (bytes < 1024) {
		snprintf(to, room, "%u bytes", (unsigned)bytes);
		return to;
	}
	for (; size >= 1024 && unit < 3; unit++)
		size /= 1024;
	snprintf(to, room, "%.1f %s", size, units[unit]);
	return to;
}

void say_error(const char *what, int r)
{
	SAY("%s: %s\n", what, strerror(-r));
}

void say_stop(const struct stream *stream)
{
	switch (stream->end) {
	case STREAM_LIMIT:
		SAY("%s: has the %" PRIu64 " events of --limit, and gets no "
		    "more; the program goes on\n",
		    stream->path, stream->limit);
		break;
	case STREAM_NUMBERS:
		SAY("%s: has 4294967296 objects, all that a trace can number, "
		    "and gets no more; the program goes on\n",
		    stream->path);
		break;
	case STREAM_FAULT:
		SAY("%s: %s: what was written before is a whole trace; the "
		    "program goes on\n",
		    stream->path, strerror(-stream->fault));
		break;
	case STREAM_GOES_ON:
		break;
	}
}

void say_end(const struct stream *stream)
{
	char size[32];
	SAY("%s: %" PRIu64 " event%s of %u thread%s; at most %" PRIu64
	    " object%s and %s live, %zu object%s at the end\n",
	    stream->path, stream->n_events, plural(stream->n_events),
	    stream->n_threads, plural(stream->n_threads), stream->peak_objects,
	    plural(stream->peak_objects),
	    size_text(size, sizeof(size), stream->peak_bytes), stream->live.n,
	    plural(stream->live.n));
	if (stream->n_unknown > 0)
		SAY("%s: without %" PRIu64 " free%s of what was allocated "
		    "before or past the recorder\n",
		    stream->path, stream->n_unknown, plural(stream->n_unknown));
	if (stream->n_unseen > 0)
		SAY("%s: %" PRIu64 " object%s ended past the recorder, and "
		    "end%s in the trace when the address comes again\n",
		    stream->path, stream->n_unseen, plural(stream->n_unseen),
		    stream->n_unseen == 1 ? "s" : "");
	if (stream->n_damaged > 0)
		SAY("%s: %" PRIu64 " event%s overwritten by the program: "
		    "the trace may lack some\n",
		    stream->path, stream->n_damaged,
		    stream->n_damaged == 1 ? " was" : "s were");
	if (stream->n_events == 0)
		SAY("%s: no event: a program whose allocator is part of it "
		    "is not seen; build it with the C library's\n",
		    stream->path);
}

void say_unrecorded(const char *program)
{
	SAY("%s: nothing is recorded: it did not load the recorder. One that "
	    "is linked statically is to be linked dynamically, one that gains "
	    "rights by being started (setuid, capabilities) is to be started "
	    "as who it becomes\n",
	    program);
}

void say_script(const char *program)
{
	SAY("%s is a script: that is its interpreter alone; name the program "
	    "that it starts, or have --follow record what that is\n",
	    program);
}

void say_refused(unsigned n_processes, unsigned n_rings)
{
	SAY("%u process%s not recorded: %u at a time can be\n", n_processes,
	    n_processes == 1 ? " is" : "es are", n_rings);
}
