/* SPDX-License-Identifier: MIT */
/*
 * silence --list, or silence quick|full NAME: one situation that could keep
 * slabd's loop busy (tests/lib/situation.h), and slabd's own histogram of turns
 * after it, as a line of JSON among lines of TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/situation.h"

#define LIMIT_S 1200u

static json_t *quantile_ms(const struct turns *turns, uint64_t ppm)
{
	return json_real((double)turn_quantile_us(turns, ppm) / 1e3);
}

static void show(const struct situation *situation,
                 const struct situation_run *run)
{
	const struct turns *turns = &run->turns;
	json_t *doc = json_pack(
		"{s:s, s:s, s:I, s:o, s:o, s:o, s:f, s:s, s:f, s:s, s:s}",
		"name", situation->name, "says", situation->says, "turns",
		(json_int_t)turns->count, "p50_ms", quantile_ms(turns, 500000),
		"p99_ms", quantile_ms(turns, 990000), "p999_ms",
		quantile_ms(turns, 999000), "longest_ms",
		(double)turns->longest_ns / 1e6, "what", run->what, "silent_ms",
		(double)turns->silent_ns / 1e6, "note", run->note, "skipped",
		run->skipped != NULL ? run->skipped : "");
	fflush(stdout);
	json_dumpf(doc, stdout, JSON_COMPACT);
	puts("");
	json_decref(doc);
}

int main(int argc, char **argv)
{
	bool listed = argc == 2 && strcmp(argv[1], "--list") == 0;
	bool quick = argc == 3 && strcmp(argv[1], "quick") == 0;
	struct situation_run run;
	if (!listed && !quick && (argc != 3 || strcmp(argv[1], "full") != 0)) {
		fprintf(stderr, "usage: silence --list | quick|full NAME\n");
		return 2;
	}
	if (!listed)
		tap_start(LIMIT_S);
	for (const struct situation *at = situations; at->name != NULL; at++) {
		if (listed)
			puts(at->name);
		if (listed || strcmp(argv[2], at->name) != 0)
			continue;
		situation_run(at, quick ? SITUATION_LONG : SITUATION_FULL,
		              &run);
		show(at, &run);
	}
	return listed ? 0 : tap_end();
}
