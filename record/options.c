/* SPDX-License-Identifier: MIT */
#include "record/options.h"

#include "record/fate.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: slab-record [OPTIONS] [--] PROGRAM [ARGUMENTS]\n"
	"\n"
	"Runs PROGRAM, and writes each of its calls of malloc, free and the "
	"like\n"
	"to a file, for slabctl advise --trace.\n"
	"\n"
	"  -o, --output FILE    the file (PROGRAM.trace.zst); compressed if "
	"its name\n"
	"                       ends in .zst; one that is there is "
	"overwritten\n"
	"  -n, --limit N        no more than N events; PROGRAM goes on\n"
	"  -f, --follow         what PROGRAM forks and executes, too, each "
	"process in a\n"
	"                       file of its own, with its number in the name\n"
	"      --library FILE   preload this, in place of " RECORD_LIBRARY "\n"
	"      --help           this text\n"
	"      --version        the version\n"
	"\n"
	"Exit status: PROGRAM's; 128 and the signal's number if one ended it; "
	"125 if\n"
	"slab-record fails, 126 if PROGRAM can't be run, 127 if it is not "
	"found.\n";

static const struct option longs[] = {{"output", required_argument, NULL, 'o'},
                                      {"limit", required_argument, NULL, 'n'},
                                      {"follow", no_argument, NULL, 'f'},
                                      {"library", required_argument, NULL, 'l'},
                                      {"help", no_argument, NULL, 'h'},
                                      {"version", no_argument, NULL, 'v'},
                                      {0}};

static int wrong(int *status, const char *what, const char *word)
{
	fprintf(stderr, "slab-record: %s%s%s: see slab-record --help\n", what,
	        word != NULL ? ": " : "", word != NULL ? word : "");
	*status = FATE_FAILED;
	return 1;
}

static int shown(int *status, const char *text)
{
	*status = 0;
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		*status = FATE_FAILED;
	return 1;
}

static bool parse_limit(const char *text, uint64_t *limit)
{
	char *end;
	errno = 0;
	*limit = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
	       *limit > 0;
}

static int take(struct options *options, int option, int *status)
{
	switch (option) {
	case 'o':
		options->file = optarg;
		if (strcmp(optarg, "-") == 0 || optarg[0] == '\0')
			return wrong(status, "--output names a file", NULL);
		return 0;
	case 'n':
		if (!parse_limit(optarg, &options->limit))
			return wrong(status, "--limit is a count from 1 on",
			             optarg);
		return 0;
	case 'f':
		options->follow = true;
		return 0;
	case 'l':
		options->preload = optarg;
		return 0;
	case 'h':
		return shown(status, usage);
	case 'v':
		return shown(status, "slab-record " PACKAGE_VERSION "\n");
	default:
		*status = FATE_FAILED;
		fputs("slab-record: see slab-record --help\n", stderr);
		return 1;
	}
}

int options_parse(struct options *options, int argc, char **argv, int *status)
{
	int option;
	*options = (struct options){0};
	/* What comes behind the program's name is its own. */
	while ((option = getopt_long(argc, argv, "+o:n:f", longs, NULL)) != -1)
		if (take(options, option, status))
			return 1;
	if (optind == argc)
		return wrong(status, "no PROGRAM to run", NULL);
	options->program = argv + optind;
	return 0;
}
