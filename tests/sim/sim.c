/* SPDX-License-Identifier: MIT */
/* The simulator's program: see README.md beside. ./dev sim runs it. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sim/other_policies.h"
#include "tests/sim/progress.h"
#include "tests/sim/run.h"

#define RUNS_MAX 64u

struct options {
	struct shape shape;
	const struct scenario *scenario; /* NULL: all */
	const struct maker *maker;       /* NULL: all */
	const char *out;
	const char *traces;
	uint64_t jobs;
	bool quick;
};

static const struct shape usual = {.nodes = 4,
                                   .cpus = 64,
                                   .clients = 96,
                                   .gib = 64,
                                   .seed = 1,
                                   .ms = 20000};
static const struct shape quick = {.nodes = 4,
                                   .cpus = 32,
                                   .clients = 48,
                                   .gib = 16,
                                   .seed = 1,
                                   .ms = 10000};

/* One scenario under one policy, in a process of its own. */
struct job {
	const struct scenario *scenario;
	const struct maker *maker;
	pid_t pid;
	FILE *results, *cpu;
};

static const char usage[] =
	"usage: sim [--quick] [--nodes N] [--cpus N] [--clients N] [--gib N] "
	"[--seed S]\n"
	"           [--scenario NAME] [--policy NAME] [--seconds S] [--jobs "
	"N]\n"
	"           [--traces DIR] [--out DIR]\n"
	"\n"
	"Runs slabd's policy, and others beside it, on machines that are not\n"
	"there. DIR gets results.jsonl, a line for each scenario and policy, "
	"and\n"
	"cpu.jsonl, what planning took.\n"
	"\n"
	"  --quick          a smaller machine and less time, as by --cpus 32\n"
	"                   --clients 48 --gib 16 --seconds 10: about a "
	"minute\n"
	"                   on two CPUs, where all takes about 20\n"
	"  --nodes N        2 to 16 (4)\n"
	"  --cpus N         as many as nodes to 512 (64)\n"
	"  --clients N      as many as nodes to 2000 (96)\n"
	"  --gib N          memory, GiB: as many as nodes to 2048 (64)\n"
	"  --seed S         of all chance: same seed, same results.jsonl (1)\n"
	"  --scenario NAME  that one alone: steady burst wave short skew "
	"cross\n"
	"                   drain far pressed recorded\n"
	"  --policy NAME    that one alone: ours nothing slub nearest\n"
	"  --seconds S      of simulated time, 2 to 600 (20); demand changes\n"
	"                   during the first six tenths\n"
	"  --jobs N         runs at one time, 1 to 64 (2)\n"
	"  --traces DIR     with *.trace.zst, for `recorded`\n"
	"  --out DIR        which is made (build/sim)\n"
	"\n"
	"The largest machine: --nodes 16 --cpus 512 --clients 2000 --gib 2048\n"
	"--seconds 6, two minutes on two CPUs.\n"
	"\n"
	"tests/sim/check holds slabd's policy to: nothing is lost, nothing "
	"goes\n"
	"to and fro, at most 16 balancing steps for each list (cache and "
	"node)\n"
	"after demand has stopped to change, 99.9 % local where a node has\n"
	"memory.\n"
	"\n"
	"Exit status: 0 all ran and added up, 1 not, 2 usage.\n";

static _Noreturn void refuse(const char *what, const char *value,
                             const char *remedy)
{
	fprintf(stderr, "sim: %s %s: %s\n", what, value, remedy);
	exit(2);
}

static uint64_t number(const char *name, const char *text, uint64_t low,
                       uint64_t high)
{
	char remedy[120];
	char *end;
	unsigned long long value;
	snprintf(remedy, sizeof(remedy), "a whole number from %llu to %llu",
	         (unsigned long long)low, (unsigned long long)high);
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || errno != 0 ||
	    value < low || value > high)
		refuse(name, text, remedy);
	return value;
}

static const struct scenario *scenario_named(const char *name)
{
	const struct scenario *found = scenario_find(name);
	if (found == NULL)
		refuse("--scenario", name,
		       "one of steady burst wave short skew cross drain far "
		       "pressed recorded");
	return found;
}

static const struct maker *maker_named(const char *name)
{
	const struct maker *found = other_policies_find(name);
	if (found == NULL)
		refuse("--policy", name, "one of ours nothing slub nearest");
	return found;
}

static const struct option longs[] = {
	{"quick", no_argument, NULL, 'q'},
	{"nodes", required_argument, NULL, 'n'},
	{"cpus", required_argument, NULL, 'c'},
	{"clients", required_argument, NULL, 'k'},
	{"gib", required_argument, NULL, 'g'},
	{"seed", required_argument, NULL, 's'},
	{"scenario", required_argument, NULL, 'x'},
	{"policy", required_argument, NULL, 'p'},
	{"seconds", required_argument, NULL, 't'},
	{"jobs", required_argument, NULL, 'j'},
	{"traces", required_argument, NULL, 'r'},
	{"out", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{0}};

static void read_option(struct options *o, int option, const char *text)
{
	struct shape *shape = &o->shape;
	switch (option) {
	case 'q':
		o->quick = true;
		break;
	case 'n':
		shape->nodes = (uint32_t)number("--nodes", text, 2, 16);
		break;
	case 'c':
		shape->cpus = (uint32_t)number("--cpus", text, 2, 512);
		break;
	case 'k':
		shape->clients = (uint32_t)number("--clients", text, 2, 2000);
		break;
	case 'g':
		shape->gib = number("--gib", text, 2, 2048);
		break;
	case 's':
		shape->seed = number("--seed", text, 0, UINT64_MAX);
		break;
	case 'x':
		o->scenario = scenario_named(text);
		break;
	case 'p':
		o->maker = maker_named(text);
		break;
	case 't':
		shape->ms = (uint32_t)number("--seconds", text, 2, 600) * 1000;
		break;
	case 'j':
		o->jobs = number("--jobs", text, 1, 64);
		break;
	case 'r':
		o->traces = text;
		break;
	case 'o':
		o->out = text;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs("sim: see --help\n", stderr);
		exit(2);
	}
}

static void check_options(const struct options *o)
{
	const struct shape *shape = &o->shape;
	char given[32];
	snprintf(given, sizeof(given), "%u", shape->nodes);
	if (shape->nodes > shape->cpus)
		refuse("--nodes", given, "more than --cpus: give more of them");
	if (shape->nodes > shape->clients)
		refuse("--nodes", given,
		       "more than --clients: give more of them");
	if (shape->nodes > shape->gib)
		refuse("--nodes", given,
		       "each has a GiB at least: give more --gib");
}

static void read_all(struct options *o, int argc, char **argv)
{
	int option;
	optind = 1;
	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		read_option(o, option, optarg);
}

static struct options read_options(int argc, char **argv)
{
	struct options o = {.shape = usual, .out = "build/sim", .jobs = 2};
	read_all(&o, argc, argv);
	/* Whatever is given beside --quick stays, wherever it stands. */
	if (o.quick) {
		o.shape = quick;
		read_all(&o, argc, argv);
	}
	if (optind < argc)
		refuse("unknown argument", argv[optind], "see --help");
	check_options(&o);
	return o;
}

/* ---- jobs --------------------------------------------------------------- */

static FILE *scratch(void)
{
	FILE *file = tmpfile();
	if (file != NULL)
		return file;
	fprintf(stderr,
	        "sim: no temporary file: %s: set TMPDIR to a folder "
	        "with room\n",
	        strerror(errno));
	exit(1);
}

static void start(struct job *job, const struct shape *shape, uint32_t *done_ms)
{
	struct run_options options = {.done_ms = done_ms};
	static struct result result;
	job->results = scratch();
	job->cpu = scratch();
	fflush(NULL);
	job->pid = fork();
	if (job->pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_one(&result, job->scenario, job->maker, shape, &options);
	run_write(&result, job->results);
	run_write_cpu(&result, job->cpu);
	fflush(job->results);
	fflush(job->cpu);
	if (result.bad[0] != 0)
		fprintf(stderr, "sim: %s, %s: %s\n", job->scenario->name,
		        job->maker->name, result.bad);
	_exit(result.bad[0] == 0 ? 0 : 1);
}

/* Waits for one of them to end. Returns whether it ended well. */
static bool reap(const struct job *jobs, uint32_t n)
{
	int status;
	pid_t pid = progress_wait(&status);
	for (uint32_t i = 0; i < n; i++)
		if (jobs[i].pid == pid)
			progress_end(i, jobs[i].scenario->name,
			             jobs[i].maker->name, status == 0);
	return status == 0;
}

/* How many times as long a run takes as under another policy: SLUB's steps are
 * many, as they cost nothing. */
static uint32_t weight_of(const struct job *job)
{
	if (!job->maker->is_slub)
		return 1;
	return job->scenario->is_recorded ? 200 : 20;
}

static int longer_first(const void *a, const void *b)
{
	const struct job *const *left = a;
	const struct job *const *right = b;
	uint32_t wl = weight_of(*left);
	uint32_t wr = weight_of(*right);
	if (wl != wr)
		return wl < wr ? 1 : -1;
	return *left < *right ? -1 : *left > *right;
}

static void start_next(struct job *jobs, struct job *next,
                       const struct options *o)
{
	uint32_t *done_ms =
		progress_start((uint32_t)(next - jobs), weight_of(next));
	start(next, &o->shape, done_ms);
	if (next->pid >= 0)
		return;
	fprintf(stderr, "sim: no process: %s: give fewer --jobs\n",
	        strerror(errno));
	exit(1);
}

/* Those that take long begin first, so that no one is left at the end. */
static bool run_jobs(struct job *jobs, uint32_t n, const struct options *o)
{
	struct job *order[RUNS_MAX];
	bool good = true;
	uint32_t running = 0;
	uint32_t weights = 0;
	for (uint32_t i = 0; i < n; i++) {
		order[i] = &jobs[i];
		weights += weight_of(&jobs[i]);
	}
	qsort(order, n, sizeof(order[0]), longer_first);
	progress_begin(n, o->shape.ms, weights);
	for (uint32_t i = 0; i < n; i++) {
		if (running == o->jobs) {
			good &= reap(jobs, n);
			running--;
		}
		start_next(jobs, order[i], o);
		running++;
	}
	while (running-- > 0)
		good &= reap(jobs, n);
	return good;
}

static void copy(FILE *from, FILE *to)
{
	char bytes[65536];
	size_t n;
	rewind(from);
	while ((n = fread(bytes, 1, sizeof(bytes), from)) > 0)
		fwrite(bytes, 1, n, to);
	fclose(from);
}

static FILE *open_out(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	if (file != NULL)
		return file;
	fprintf(stderr, "sim: %s: %s: give another folder with --out\n", path,
	        strerror(errno));
	exit(1);
}

static uint32_t list_jobs(struct job *jobs, const struct options *o)
{
	uint32_t n = 0;
	for (uint32_t s = 0; s < scenarios_n; s++) {
		if (o->scenario != NULL ? o->scenario != &scenarios[s]
		                        : scenarios[s].is_recorded &&
		                                  o->shape.curves == NULL)
			continue;
		for (uint32_t r = 0; r < MAKERS; r++)
			if (o->maker == NULL || o->maker == &makers[r])
				jobs[n++] =
					(struct job){.scenario = &scenarios[s],
				                     .maker = &makers[r]};
	}
	return n;
}

/* Recorded demand, unless it is not wanted. */
static struct curves *load_traces(const struct options *o)
{
	char why[256] = "give --traces DIR";
	struct curves *curves = NULL;
	if (o->scenario != NULL && !o->scenario->is_recorded)
		return NULL;
	if (o->traces != NULL)
		curves = curves_load(o->traces, why);
	if (curves == NULL && o->scenario != NULL)
		refuse("--scenario", "recorded", why);
	if (curves == NULL)
		fprintf(stderr, "sim: without recorded demand: %s\n", why);
	return curves;
}

int main(int argc, char **argv)
{
	static struct job jobs[RUNS_MAX];
	static char name[] = "sim"; /* as getopt's own words have it */
	struct options o;
	struct curves *curves;
	FILE *results, *cpu;
	uint32_t n;
	bool good;
	argv[0] = name;
	o = read_options(argc, argv);
	curves = load_traces(&o);
	o.shape.curves = curves;
	mkdir(o.out, 0777);
	results = open_out(o.out, "results.jsonl");
	cpu = open_out(o.out, "cpu.jsonl");
	n = list_jobs(jobs, &o);
	good = run_jobs(jobs, n, &o);
	for (uint32_t i = 0; i < n; i++) {
		copy(jobs[i].results, results);
		copy(jobs[i].cpu, cpu);
	}
	curves_drop(curves);
	good &= fclose(results) == 0;
	good &= fclose(cpu) == 0;
	return good ? 0 : 1;
}
