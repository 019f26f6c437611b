/* SPDX-License-Identifier: MIT */
/*
 * Prints the events of a trace that the replay's reader takes, a line each:
 * "a THREAD BYTES OBJECT" or "f THREAD OBJECT"; with an argument more, those
 * between the marks of tests/system/recorded.c alone.
 */
#include "daemon/advice/trace.h"

#include <stdbool.h>
#include <stdio.h>

#define BEGIN_BYTES 77001u
#define END_BYTES 77002u

int main(int argc, char **argv)
{
	static struct trace trace;
	struct trace_fault fault;
	bool shows = argc == 2;
	if (argc < 2 || trace_load(&trace, argv[1], NULL, &fault) < 0) {
		fprintf(stderr, "%s\n", argc < 2 ? "no trace" : fault.text);
		return 1;
	}
	for (size_t i = 0; i < trace.n_events; i++) {
		const struct trace_event *event = &trace.events[i];
		uint32_t bytes = trace.objects[event->obj].bytes;
		if (argc > 2 && (bytes == BEGIN_BYTES || bytes == END_BYTES))
			shows = bytes == BEGIN_BYTES;
		else if (shows && event->op == TRACE_ALLOC)
			printf("a %u %u %u\n", event->thread, bytes,
			       event->obj);
		else if (shows)
			printf("f %u %u\n", event->thread, event->obj);
	}
	trace_drop(&trace);
	return 0;
}
