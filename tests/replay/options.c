/* SPDX-License-Identifier: MIT */
#include "tests/replay/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define THREADS_MAX 1024

static const char help[] =
	"Usage: replay [OPTION]... TRACE\n"
	"       replay --cut N TRACE OUT\n"
	"Replays a recorded allocation trace through slabd, or malloc, and\n"
	"checks every byte of every object before it frees it.\n"
	"\n"
	"  --pool NAME        the pool (default: the one named default)\n"
	"  --malloc           malloc and free in place of slabd\n"
	"  --threads N        N threads, each replays the whole trace (1)\n"
	"  --threads trace    one thread for each thread of the trace\n"
	"  --loops N          replay N times (1; with --seconds: no end)\n"
	"  --seconds S        stop after S seconds\n"
	"  --node N           every thread counts as on node N\n"
	"  --spread           threads count as on nodes in turn, of --nodes\n"
	"  --nodes A,B,...    the kernel's node ids (default: 0)\n"
	"  --no-check         write no pattern into objects and check none\n"
	"  --hold             keep what is live at the end until SIGTERM\n"
	"  --progress         a status line on stderr\n"
	"  --progress-file F  append lines of JSON to F, five a second\n"
	"  --json             the result as one line of JSON\n"
	"  --cut N            write the first N records as a trace, to OUT\n"
	"\n"
	"Exit status: 0 done, or ended by SIGTERM; 1 an object was not as it\n"
	"was left; 2 bad arguments or trace; 3 no slabd or no memory.\n";

enum option_id {
	OPT_POOL = 1,
	OPT_MALLOC,
	OPT_THREADS,
	OPT_LOOPS,
	OPT_SECONDS,
	OPT_NODE,
	OPT_SPREAD,
	OPT_NODES,
	OPT_NO_CHECK,
	OPT_HOLD,
	OPT_PROGRESS,
	OPT_PROGRESS_FILE,
	OPT_JSON,
	OPT_CUT,
	OPT_HELP,
};

static const struct option table[] = {
	{"pool", required_argument, NULL, OPT_POOL},
	{"malloc", no_argument, NULL, OPT_MALLOC},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"loops", required_argument, NULL, OPT_LOOPS},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"node", required_argument, NULL, OPT_NODE},
	{"spread", no_argument, NULL, OPT_SPREAD},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"no-check", no_argument, NULL, OPT_NO_CHECK},
	{"hold", no_argument, NULL, OPT_HOLD},
	{"progress", no_argument, NULL, OPT_PROGRESS},
	{"progress-file", required_argument, NULL, OPT_PROGRESS_FILE},
	{"json", no_argument, NULL, OPT_JSON},
	{"cut", required_argument, NULL, OPT_CUT},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int usage(const char *what, const char *text, const char *allowed)
{
	fprintf(stderr, "replay: %s \"%s\": %s\n", what, text, allowed);
	return EXIT_USAGE;
}

/* A whole number between low and high, and nothing behind it. */
static int parse_number(const char *what, const char *text, long low, long high,
                        long *out)
{
	char allowed[64], *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	if (end != text && !*end && !errno && *out >= low && *out <= high)
		return 0;
	snprintf(allowed, sizeof(allowed), "a whole number, %ld to %ld", low,
	         high);
	return usage(what, text, allowed);
}

static int parse_threads(struct options *options, const char *text)
{
	long n;

	options->by_thread = !strcmp(text, "trace");
	if (options->by_thread)
		return 0;
	if (parse_number("--threads", text, 1, THREADS_MAX, &n)) {
		fputs("replay: or \"trace\": those of the trace\n", stderr);
		return EXIT_USAGE;
	}
	options->n_threads = (unsigned)n;
	return 0;
}

static int parse_seconds(struct options *options, const char *text)
{
	char *end;

	options->seconds = strtod(text, &end);
	if (end != text && !*end && options->seconds > 0 &&
	    options->seconds < 1e6)
		return 0;
	return usage("--seconds", text, "seconds, more than 0");
}

static int parse_nodes(struct options *options, char *text)
{
	char *rest = NULL;
	long node;

	for (char *part = strtok_r(text, ",", &rest); part;
	     part = strtok_r(NULL, ",", &rest)) {
		if (options->n_nodes == OPTIONS_NODES_MAX)
			return usage("--nodes", part, "too many nodes");
		if (parse_number("--nodes", part, 0, INT_MAX, &node))
			return EXIT_USAGE;
		options->nodes[options->n_nodes++] = (int)node;
	}
	return 0;
}

/* Options whose argument is a number. */
static int take_number(struct options *options, int option, const char *text)
{
	long n;

	switch (option) {
	case OPT_LOOPS:
		if (parse_number("--loops", text, 1, INT_MAX, &n))
			return EXIT_USAGE;
		options->loops = (uint64_t)n;
		return 0;
	case OPT_NODE:
		if (parse_number("--node", text, 0, INT_MAX, &n))
			return EXIT_USAGE;
		options->node = (int)n;
		return 0;
	case OPT_CUT:
		if (parse_number("--cut", text, 1, INT_MAX, &n))
			return EXIT_USAGE;
		options->cut_events = (size_t)n;
		return 0;
	case OPT_SECONDS:
		return parse_seconds(options, text);
	case OPT_THREADS:
		return parse_threads(options, text);
	default:
		return EXIT_USAGE;
	}
}

static int take(struct options *options, int option, char *text)
{
	switch (option) {
	case OPT_POOL:
		options->pool = text;
		return 0;
	case OPT_PROGRESS_FILE:
		options->progress_file = text;
		return 0;
	case OPT_NODES:
		return parse_nodes(options, text);
	case OPT_MALLOC:
		options->use_malloc = true;
		return 0;
	case OPT_SPREAD:
		options->spread = true;
		return 0;
	case OPT_NO_CHECK:
		options->no_check = true;
		return 0;
	case OPT_HOLD:
		options->hold = true;
		return 0;
	case OPT_PROGRESS:
		options->progress = true;
		return 0;
	case OPT_JSON:
		options->json = true;
		return 0;
	case OPT_HELP:
		fputs(help, stdout);
		return -1;
	default:
		return take_number(options, option, text);
	}
}

/* What only all options together can tell. */
static int settle(struct options *options, int argc, char **argv)
{
	int wanted = options->cut_events ? 2 : 1;

	if (argc - optind != wanted) {
		fprintf(stderr, "replay: %s; see replay --help\n",
		        wanted == 2 ? "--cut takes a trace and where to write"
		                    : "one trace, please");
		return EXIT_USAGE;
	}
	options->trace = argv[optind];
	options->cut_path = wanted == 2 ? argv[optind + 1] : NULL;
	if (options->spread && options->node >= 0)
		return usage("--spread", "--node", "one of the two");
	if (options->n_nodes && !options->spread)
		return usage("--nodes", "", "goes with --spread");
	if (options->spread && !options->n_nodes)
		options->n_nodes = 1;
	if (!options->loops && !(options->seconds > 0))
		options->loops = 1;
	return 0;
}

int options_parse(struct options *options, int argc, char **argv)
{
	int option, status;

	*options = (struct options){.node = -1, .n_threads = 1};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (option == '?')
			return EXIT_USAGE;
		status = take(options, option, optarg);
		if (status)
			return status;
	}
	return settle(options, argc, argv);
}
