/* SPDX-License-Identifier: MIT */
/*
 * The simulator as a test: slabd's policy on small machines of several shapes,
 * under every scenario. And each check is shown to fail: on a policy, or a
 * mechanism, that is broken in just that way. --break NAME puts the broken one
 * in the place of the good one, so that the test fails.
 */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "tests/sim/check_break.h"
#include "tests/sim/other_policies.h"
#include "tests/sim/progress.h"
#include "tests/sim/run.h"

/* Balancing steps that may follow for each list after demand has stopped to
 * change; README.md says why there are any. */
#define SETTLE_STEPS 16u
#define LOCAL_PPM 1000u /* remote while the own node has memory: 0.1 % */

static uint32_t n_done;
static uint32_t n_bad;
static uint64_t seed = 1;                /* SLABD_SEED gives another */
static const struct check_break *broken; /* for the whole program, or NULL */

__attribute__((format(printf, 2, 3))) static bool ok(bool good,
                                                     const char *format, ...)
{
	va_list args;
	printf("%sok %u - ", good ? "" : "not ", ++n_done);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	n_bad += !good;
	return good;
}

static void run(struct result *result, const struct scenario *scenario,
                const struct maker *maker, const struct shape *shape,
                const struct check_break *how)
{
	struct run_options options = {.recount_ticks = 50};
	struct maker own = *maker;
	if (how == NULL && maker->is_ours)
		how = broken;
	if (how != NULL && how->make != NULL)
		own.make = how->make;
	if (how != NULL) {
		options.fault = how->fault;
		options.meddle = how->meddle;
	}
	run_one(result, scenario, &own, shape, &options);
	result->maker = maker;
}

/* ---- what is checked ---------------------------------------------------- */

static bool adds_up(const struct result *result)
{
	return result->bad[0] == 0;
}

static bool holds(const struct result *result)
{
	return result->reversals == result->recalled && result->again == 0;
}

static bool settles(const struct result *result)
{
	uint32_t lists = result->n_nodes * result->n_caches;
	return result->settle_steps <= (uint64_t)SETTLE_STEPS * lists;
}

static bool is_local(const struct result *result)
{
	return result->tally.avoidable <=
	       result->tally.allocs / 1000000 * LOCAL_PPM;
}

static bool never_fails(const struct result *result)
{
	return result->tally.failed == 0 && result->tally.waited == 0;
}

static void check_one(const struct scenario *scenario,
                      const struct shape *shape, const char *what)
{
	static struct result result;
	run(&result, scenario, &makers[0], shape, NULL);
	if (!ok(adds_up(&result), "%s, %s: pages, slabs and objects add up",
	        scenario->name, what))
		printf("# %s\n", result.bad);
	ok(holds(&result),
	   "%s, %s: %llu moved back within hold, %llu as their home was short, "
	   "%llu to and fro",
	   scenario->name, what, (unsigned long long)result.reversals,
	   (unsigned long long)result.recalled,
	   (unsigned long long)result.again);
	if (!scenario->is_restless)
		ok(settles(&result),
		   "%s, %s: %llu steps after demand stopped to change",
		   scenario->name, what,
		   (unsigned long long)result.settle_steps);
	if (scenario->is_enough)
		ok(is_local(&result) && never_fails(&result),
		   "%s, %s: at least 99.9 %% local, none failed: %llu remote "
		   "of %llu",
		   scenario->name, what,
		   (unsigned long long)result.tally.remote,
		   (unsigned long long)result.tally.allocs);
	/* Two nodes' objects need not fit on one. */
	if (strcmp(scenario->name, "drain") == 0 && shape->nodes > 2)
		ok(result.left_pages == 0,
		   "%s, %s: the node is empty: %llu pages left", scenario->name,
		   what, (unsigned long long)result.left_pages);
}

/* Where memory is enough nobody is more local than ours. */
static void check_other_policies(const struct scenario *scenario,
                                 const struct shape *shape)
{
	static struct result ours;
	static struct result theirs;
	run(&ours, scenario, &makers[0], shape, NULL);
	for (uint32_t i = 1; i < MAKERS; i++) {
		run(&theirs, scenario, &makers[i], shape, NULL);
		ok(ours.tally.remote <= theirs.tally.remote && adds_up(&theirs),
		   "%s: %llu remote, and %llu under \"%s\"", scenario->name,
		   (unsigned long long)ours.tally.remote,
		   (unsigned long long)theirs.tally.remote, makers[i].name);
	}
}

static size_t write_all(const struct result *result, char *text, size_t room)
{
	FILE *file = fmemopen(text, room, "w");
	size_t n;
	run_write(result, file);
	fflush(file);
	n = (size_t)ftell(file);
	fclose(file);
	return n;
}

static void check_same(const struct shape *shape)
{
	static char text[2][1 << 20];
	static struct result result;
	const struct scenario *wave = scenario_find("wave");
	struct shape other = *shape;
	size_t n[2];
	for (int i = 0; i < 2; i++) {
		run(&result, wave, &makers[0], shape, NULL);
		n[i] = write_all(&result, text[i], sizeof(text[i]));
	}
	ok(n[0] == n[1] && memcmp(text[0], text[1], n[0]) == 0,
	   "one seed twice: the same %zu bytes", n[0]);
	other.seed++;
	run(&result, wave, &makers[0], &other, NULL);
	n[1] = write_all(&result, text[1], sizeof(text[1]));
	ok(n[0] != n[1] || memcmp(text[0], text[1], n[0]) != 0,
	   "another seed: others");
}

/* ---- that the checks can fail ------------------------------------------- */

static bool (*const checks[])(const struct result *) = {
	[CHECK_ADDS_UP] = adds_up,         [CHECK_HOLDS] = holds,
	[CHECK_SETTLES] = settles,         [CHECK_LOCAL] = is_local,
	[CHECK_NEVER_FAILS] = never_fails,
};

static void check_found(const struct shape *shape)
{
	static struct result result;
	for (uint32_t i = 0; i < check_breaks_n; i++) {
		const struct check_break *how = &check_breaks[i];
		run(&result, scenario_find(how->scenario), &makers[0], shape,
		    how);
		ok(!checks[how->check](&result), "found: %s%s%s", how->title,
		   result.bad[0] != 0 ? ": " : "", result.bad);
	}
}

/* What the program says while it runs. */
static void check_progress(void)
{
	char text[PROGRESS_TEXT];
	progress_text(text, 185 * CLOCK_S);
	ok(strcmp(text, "3:05") == 0, "185 s are 3:05: %s", text);
	progress_text(text, 7325 * CLOCK_S);
	ok(strcmp(text, "2:02:05") == 0, "7325 s are 2:02:05: %s", text);
	ok(progress_left_ns(0.001, CLOCK_S) < 0 &&
	           progress_left_ns(0.25, CLOCK_S) == 3 * CLOCK_S &&
	           progress_left_ns(1, CLOCK_S) == 0,
	   "a quarter in 1 s leaves 3 s");
}

/* ---- main --------------------------------------------------------------- */

static void check_shapes(void)
{
	static const struct {
		const char *what;
		struct shape shape;
	} shapes[] = {
		{"2 nodes",
	         {.nodes = 2, .cpus = 8, .clients = 12, .gib = 4, .ms = 6000}},
		{"4 nodes",
	         {.nodes = 4, .cpus = 32, .clients = 24, .gib = 8, .ms = 6000}},
		{"16 nodes",
	         {.nodes = 16,
	          .cpus = 64,
	          .clients = 64,
	          .gib = 32,
	          .ms = 6000}},
	};
	for (uint32_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (uint32_t s = 0; s < scenarios_n; s++) {
			struct shape shape = shapes[i].shape;
			shape.seed = seed;
			if (!scenarios[s].is_recorded)
				check_one(&scenarios[s], &shape,
				          shapes[i].what);
		}
}

static void check_recorded(const struct shape *shape)
{
	const char *srcdir = getenv("srcdir");
	char folder[4096];
	char why[256];
	struct shape own = *shape;
	struct curves *curves;
	snprintf(folder, sizeof(folder), "%s/tests/data",
	         srcdir != NULL ? srcdir : ".");
	curves = curves_load(folder, why);
	if (curves == NULL) {
		printf("ok %u - recorded # SKIP %s\n", ++n_done, why);
		return;
	}
	own.curves = curves;
	check_one(scenario_find("recorded"), &own, "4 nodes");
	curves_drop(curves);
}

static int usage(FILE *to)
{
	fprintf(to, "usage: check [--break NAME]\n"
	            "with NAME one of:\n");
	for (uint32_t i = 0; i < check_breaks_n; i++)
		fprintf(to, "  %-10s %s\n", check_breaks[i].name,
		        check_breaks[i].title);
	fprintf(to,
	        "\nAfter demand has stopped to change, at most %u balancing\n"
	        "steps may follow for each list (cache and node).\n",
	        SETTLE_STEPS);
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	struct shape shape = {.nodes = 4,
	                      .cpus = 32,
	                      .clients = 24,
	                      .gib = 8,
	                      .seed = 1,
	                      .ms = 6000};
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	for (uint32_t i = 0; argc == 3 && i < check_breaks_n; i++)
		if (strcmp(argv[1], "--break") == 0 &&
		    strcmp(argv[2], check_breaks[i].name) == 0)
			broken = &check_breaks[i];
	if (argc != 1 && broken == NULL)
		return usage(stderr);
	if (getenv("SLABD_SEED") != NULL)
		seed = strtoull(getenv("SLABD_SEED"), NULL, 0);
	shape.seed = seed;
	printf("# SLABD_SEED=%llu\n", (unsigned long long)seed);
	check_shapes();
	check_recorded(&shape);
	check_other_policies(scenario_find("steady"), &shape);
	check_other_policies(scenario_find("cross"), &shape);
	check_same(&shape);
	check_found(&shape);
	check_progress();
	printf("1..%u\n", n_done);
	return n_bad == 0 ? 0 : 1;
}
