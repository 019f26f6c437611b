/* SPDX-License-Identifier: MIT */
/*
 * What could keep slabd's loop busy, one situation after the other: what each
 * does is right in counts and states, and in stress no turn of the loop lasts
 * longer than it may, by slabd's own histogram.
 *
 *   proc_silence [--show] [NAME...]      those alone; --show: turns are told alone
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/situation.h"

#define P999_US 20000u
#define LONGEST_US 50000u

static bool is_chosen(const char *name, char **names)
{
	for (unsigned i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return names[0] == NULL;
}

static void judge(const struct situation *situation,
                  const struct situation_run *run, bool judged)
{
	uint64_t p999_us = turn_quantile_us(&run->turns, 999000);
	int64_t longest_us = run->turns.longest_ns / 1000;
	tap_note("%s: %llu turns, p50 %llu, p99 %llu, p99.9 %llu, longest %lld "
	         "us (%s); %s",
	         situation->name, (unsigned long long)run->turns.count,
	         (unsigned long long)turn_quantile_us(&run->turns, 500000),
	         (unsigned long long)turn_quantile_us(&run->turns, 990000),
	         (unsigned long long)p999_us, (long long)longest_us, run->what,
	         run->note);
	tap_ok(run->turns.count > 0, "%s: slabd counted its turns",
	       situation->name);
	if (!judged)
		return;
	tap_ok(p999_us <= P999_US, "%s: 999 of 1000 turns take 20 ms at most",
	       situation->name);
	tap_ok(longest_us <= LONGEST_US, "%s: none takes more than 50 ms",
	       situation->name);
}

int main(int argc, char **argv)
{
	bool shown = argc > 1 && strcmp(argv[1], "--show") == 0;
	bool stress = getenv("SLABD_STRESS") != NULL;
	enum situation_scale scale = stress ? SITUATION_LONG : SITUATION_SHORT;
	struct situation_run run;
	tap_start(stress ? 1800 : 600);
	for (const struct situation *at = situations; at->name != NULL; at++) {
		if (!is_chosen(at->name, argv + 1 + shown))
			continue;
		situation_run(at, scale, &run);
		if (run.skipped == NULL)
			judge(at, &run, stress && !shown && !is_sanitized());
	}
	return tap_end();
}
