/* SPDX-License-Identifier: MIT */
/*
 * slab-record: runs a program with libslabrecord.so preloaded, takes what its
 * calls of the allocator leave in a ring, and writes the trace.
 */
#include "record/fate.h"
#include "record/launch.h"
#include "record/options.h"
#include "record/say.h"
#include "record/streams.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* A ring that fills in less than the longest nap keeps the program waiting for
 * the rest of it; at 20 million events in a second that would be so. */
#define NAP_MAX_MS 32u
#define FLUSH_NS 1000000000

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void record(struct streams *streams, struct launch *launch)
{
	int64_t flushed_ns = now_ns();
	unsigned nap_ms = 1;
	while (!launch->has_ended) {
		bool any = streams_take(streams);
		nap_ms = any                   ? 1
		         : nap_ms < NAP_MAX_MS ? nap_ms * 2
		                               : NAP_MAX_MS;
		launch_nap(launch, any ? 0 : nap_ms);
		if (now_ns() - flushed_ns < FLUSH_NS)
			continue;
		streams_flush(streams);
		flushed_ns = now_ns();
	}
}

/* Where nothing is installed, the library lies where the build made it. */
static const char *find_library(void)
{
	static char beside[PATH_MAX];
	static const char made[] = "/.libs/libslabrecord.so";
	char *slash;
	ssize_t n;
	if (access(RECORD_LIBRARY, F_OK) == 0)
		return RECORD_LIBRARY;
	n = readlink("/proc/self/exe", beside, sizeof(beside) - sizeof(made));
	slash = n > 0 ? memrchr(beside, '/', (size_t)n) : NULL;
	if (slash == NULL)
		return RECORD_LIBRARY;
	memcpy(slash, made, sizeof(made));
	return access(beside, F_OK) == 0 ? beside : RECORD_LIBRARY;
}

/* What LD_PRELOAD can name, and is there. */
static bool is_usable(const char *library)
{
	if (strpbrk(library, ": ") != NULL || library[0] != '/') {
		fprintf(stderr,
		        "slab-record: %s: a library to preload has a path from "
		        "/ on, without spaces and colons\n",
		        library);
		return false;
	}
	if (access(library, R_OK) < 0) {
		fprintf(stderr,
		        "slab-record: %s: %s: install it, or name it by "
		        "--library\n",
		        library, strerror(errno));
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options options;
	struct streams streams;
	struct launch launch = {0};
	bool is_whole;
	int status;
	if (options_parse(&options, argc, argv, &status))
		return status;
	if (options.preload == NULL)
		options.preload = find_library();
	launch_signals();
	if (!is_usable(options.preload) || streams_make(&streams, &options) < 0)
		return FATE_FAILED;
	status = launch_start(&launch, &options, streams.file, streams.fd);
	if (status != 0) {
		streams_cancel(&streams);
		return status;
	}
	streams_begin(&streams, launch.pid);
	record(&streams, &launch);
	is_whole = streams_end(&streams);
	if (launch.is_script && !options.follow)
		say_script(options.program[0]);
	return is_whole || launch.status != 0 ? launch.status : FATE_FAILED;
}
