/* SPDX-License-Identifier: MIT */
/*
 * Recorded allocation traces. A file is 8 bytes magic and 12-byte records,
 * little-endian, as they are or compressed by zstd, in one frame or several:
 *
 *   op u8 (1 allocate, 2 free) | thread u8, from 1 | zero u16 |
 *   size u32 | object u32
 *
 * The n-th allocation of a trace is object n, counted from 0; a free names the
 * allocation that it ends. What is loaded keeps those rules, so whoever
 * replays it need not look again.
 */
#ifndef DAEMON_ADVICE_TRACE_H
#define DAEMON_ADVICE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/advice/progress.h"
#include "daemon/advice/unpack.h"

#define TRACE_THREADS_MAX 256u
#define TRACE_EVENTS_MAX (1u << 28) /* some 5 GiB here */

enum trace_op { TRACE_ALLOC = 1, TRACE_FREE = 2 };

struct trace_event {
	uint32_t obj;
	uint8_t op;     /* enum trace_op */
	uint8_t thread; /* who calls, from 1 */
};

struct trace_object {
	uint32_t bytes; /* asked for */
	uint8_t thread; /* who allocated it, from 1 */
	uint8_t freed;  /* 1: the trace ends its life */
};

struct trace {
	struct trace_event *events;
	struct trace_object *objects;
	size_t n_events, n_objects;
	unsigned n_threads; /* different thread indexes */
	size_t thread_events[TRACE_THREADS_MAX];
	size_t events_bytes, objects_bytes; /* of their mappings */
	struct unpack unpack;               /* kept to the end, see grown() */
};

/* Why a file is no trace: one line that names the file and the record, and what
 * helps. */
struct trace_fault {
	char text[512];
	char todo[128];
};

/* Reads a whole file. 0, or negative errno with the fault: -EINVAL for a file
 * that is no valid trace. The caller ends the trace with trace_drop. */
int trace_load(struct trace *trace, const char *path,
               const struct progress *progress, struct trace_fault *fault);

void trace_drop(struct trace *trace);

#endif
