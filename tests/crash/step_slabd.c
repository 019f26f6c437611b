/* SPDX-License-Identifier: MIT */
/*
 * slabd killed before and after every system call, and after every store to
 * the control file, the shared one and the journal: while it starts, takes
 * over, lets a client in, makes a cache, carves, empties slabs, lends, gives
 * pages back, reaps. Another takes over what the manager keeps, every second
 * time after one that was killed itself on the way, and the accounts are exact.
 *
 * $SLABD_STEP=all does every point; else a stride with a random first. An
 * argument names a scenario to be done alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rng.h"
#include "tests/lib/scenario.h"

#define KILLS 3        /* of a scenario, in each of three ways */
#define STRESSED 11    /* times as many */
#define CUTS_WITHIN 16 /* stores of a take-over, about */
#define NEVER UINT64_MAX

static struct rng rng;
static bool every;
static unsigned kills_max = KILLS;

static struct tally {
	uint64_t seen; /* points, the last time */
	unsigned kills;
	unsigned twice; /* the next one was killed too */
	unsigned bad;
} tally;

static void start_again(const char *what)
{
	if (rng_next(&rng) % 2 == 0 &&
	    scenario_start_cut(1 + rng_next(&rng) % CUTS_WITHIN))
		tally.twice++;
	scenario_start_again(what);
}

/* One kill and one restart. False when the scenario was over before the
 * point. */
static bool once(const struct scenario *scenario, uint64_t at)
{
	char what[80];
	enum ptrace_fault_end end;
	scenario_renew(scenario);
	end = scenario_do(scenario, at);
	snprintf(what, sizeof(what), "%s, point %llu", scenario->name,
	         (unsigned long long)at);
	if (end == PTRACE_FAULT_ENDED)
		tap_bail("%s: slabd ends by itself: status 0x%x", what,
		         scenario_fault.status);
	tally.seen = scenario_fault.seen;
	tally.kills += end == PTRACE_FAULT_MET;
	if (scenario_fixture.pid == 0) {
		start_again(what);
		tally.bad += !scenario_exact(scenario, what);
	}
	if (scenario->is_start)
		scenario_stop();
	return end == PTRACE_FAULT_MET;
}

/* What was begun before, memory made ahead of need, is in the first. */
static uint64_t points_of(const struct scenario *scenario)
{
	once(scenario, NEVER);
	once(scenario, NEVER);
	return tally.seen;
}

static void all_points(const struct scenario *scenario,
                       enum ptrace_fault_act act)
{
	static const char *const names[] = {
		[PTRACE_FAULT_KILL_BEFORE] = "before system calls",
		[PTRACE_FAULT_KILL_AFTER] = "after system calls",
		[PTRACE_FAULT_KILL_STORE] = "after stores",
	};
	static uint64_t points; /* system calls, before and after, are as many */
	double since = now_ms();
	uint64_t stride;
	uint64_t at;
	bool met = true;
	scenario_fault.act = act;
	tally = (struct tally){0};
	if (act != PTRACE_FAULT_KILL_AFTER)
		points = points_of(scenario);
	stride = every || points < kills_max ? 1 : points / kills_max;
	tally = (struct tally){0};
	/* Not every run has as many points as the first; but one, at least. */
	for (at = 1 + rng_next(&rng) % stride; at <= points || (every && met);
	     at += stride)
		met = once(scenario, at);
	if (tally.kills == 0)
		once(scenario, 1);
	tap_ok(tally.bad == 0 && tally.kills > 0,
	       "%s: %u kills %s, of %llu, %u twice: %u not exact, %.1f s",
	       scenario->name, tally.kills, names[act],
	       (unsigned long long)points, tally.twice, tally.bad,
	       (now_ms() - since) / 1e3);
}

static void kill_all_over(const struct scenario *scenario)
{
	scenario_prepare(scenario);
	all_points(scenario, PTRACE_FAULT_KILL_BEFORE);
	all_points(scenario, PTRACE_FAULT_KILL_AFTER);
	all_points(scenario, PTRACE_FAULT_KILL_STORE);
	scenario_finish(scenario);
}

int main(int argc, char **argv)
{
	const char *lacks = ptrace_fault_lacks();
	if (tap_rounds(8) > 8)
		kills_max *= STRESSED;
	every = wants_all();
	tap_start(every ? 3000 : 800);
	if (lacks != NULL) {
		tap_skip(lacks, "slabd killed at each system call");
		return tap_end();
	}
	rng = rng_start("step_slabd");
	scenario_open();
	for (unsigned i = 0; i < DEEDS; i++)
		if (argc < 2 || strcmp(argv[1], scenarios[i].name) == 0)
			kill_all_over(&scenarios[i]);
	scenario_close();
	return tap_end();
}
