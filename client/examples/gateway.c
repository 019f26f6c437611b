/* SPDX-License-Identifier: MIT */
/*
 * Runs the gateway of gateway.h, one way after the other, and says what it cost.
 *
 * The CPU time is what the four processes had of the kernel. The share of it in
 * allocation and hand-over is that of some turns, one in 61: by the thread's own clock,
 * at each change from work with orders to what makes and passes them, the kernel's part
 * with it.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"

/* Nothing is published for so long: it never will. */
#define GIVE_UP_S 60.0

struct options {
	const struct way *ways[2];
	uint64_t orders;
	size_t batch; /* 0: the way's own */
	unsigned kills;
	unsigned seed;
};

/* One way's. */
struct cost {
	double seconds;
	double cpu; /* s, of all stages */
	double passing; /* of 1 */
	unsigned kills;
	uint64_t lost;
	uint64_t marked;
	uint64_t unmarked;
};

/* The processes of a run. */
struct crew {
	struct run *run;
	const struct way *way;
	pid_t pid[STAGES];
	double cpu;
	unsigned kills;
};

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void sleep_us(unsigned us)
{
	const struct timespec at = {0, us * 1000l};
	nanosleep(&at, NULL);
}

/* ---- processes ----------------------------------------------------------- */

static void start(struct crew *crew, enum stage stage, int again)
{
	pid_t pid = fork();
	if (pid < 0)
		gateway_die("fork", strerror(errno));
	if (pid == 0) {
		gateway_stage(crew->run, crew->way, stage, again);
		_exit(0);
	}
	crew->pid[stage] = pid;
}

static double seconds(struct timeval at)
{
	return (double)at.tv_sec + (double)at.tv_usec / 1e6;
}

/* Waits for a stage's end: its status. */
static int await(struct crew *crew, enum stage stage)
{
	struct rusage usage;
	int status = -1;
	if (wait4(crew->pid[stage], &status, 0, &usage) < 0)
		gateway_die("wait4", strerror(errno));
	crew->cpu += seconds(usage.ru_utime) + seconds(usage.ru_stime);
	crew->pid[stage] = 0;
	return status;
}

static void end_all(struct crew *crew, int signal)
{
	crew->run->stop = 1;
	for (unsigned i = 0; i < STAGES; i++) {
		if (crew->pid[i] == 0)
			continue;
		if (signal != 0)
			kill(crew->pid[i], signal);
		if (await(crew, (enum stage)i) != 0 && signal == 0)
			gateway_die("a stage", "it failed");
	}
}

/* Of who fails by itself, the others end, too. */
static void look_after(struct crew *crew)
{
	for (unsigned i = 0; i < STAGES; i++) {
		siginfo_t info;
		info.si_pid = 0;
		if (crew->pid[i] == 0 ||
		    waitid(P_PID, (id_t)crew->pid[i], &info,
		           WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0)
			continue;
		if (await(crew, (enum stage)i) == 0)
			continue;
		end_all(crew, SIGKILL);
		gateway_die("a stage", "it ended early");
	}
}

/* Any of them, in the middle of whatever it does. */
static void kill_one(struct crew *crew)
{
	enum stage stage = (enum stage)(rand() % STAGES);
	sleep_us((unsigned)rand() % 1000);
	if (crew->pid[stage] == 0)
		return;
	kill(crew->pid[stage], SIGKILL);
	await(crew, stage);
	start(crew, stage, 1);
	crew->kills++;
}

/* ---- a run --------------------------------------------------------------- */

static void wait_until_done(struct crew *crew, const struct options *options)
{
	struct run *run = crew->run;
	uint64_t each = run->orders / (options->kills + 1);
	uint64_t before = 0;
	unsigned tries = 0;
	double moved = now();
	for (;;) {
		uint64_t published =
			__atomic_load_n(&run->published, __ATOMIC_RELAXED);
		if (published >= run->orders || now() - moved > GIVE_UP_S)
			return;
		if (published != before)
			moved = now();
		before = published;
		if (tries < options->kills && published >= each * (tries + 1)) {
			kill_one(crew);
			tries++;
		}
		look_after(crew);
		sleep_us(1000);
	}
}

static void count(const struct run *run, struct cost *cost)
{
	double all = 0;
	double passing = 0;
	for (uint64_t id = 1; id <= run->orders; id++) {
		cost->lost += run->seen[id] == 0;
		cost->marked += (run->seen[id] & SEEN_AGAIN) != 0;
		cost->unmarked += (run->seen[id] & SEEN_TWICE) != 0;
	}
	for (unsigned i = 0; i < STAGES; i++) {
		passing += (double)run->spent_ns[i][PASSING];
		all += (double)(run->spent_ns[i][PASSING] +
		                run->spent_ns[i][WORKING]);
	}
	cost->passing = all > 0 ? passing / all : 0;
}

static struct cost run_way(const struct way *way, const struct options *options)
{
	size_t bytes = sizeof(struct run) + options->orders + 1;
	struct run *run = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct crew crew = {.run = run, .way = way};
	struct cost cost = {0};
	double began;
	if (run == MAP_FAILED)
		gateway_die("mmap", strerror(errno));
	run->orders = options->orders;
	run->batch = options->batch != 0 ? options->batch : way->batch;
	if (way->prepare != NULL)
		way->prepare();
	for (unsigned i = 0; i < STAGES; i++)
		start(&crew, (enum stage)i, 0);
	while (__atomic_load_n(&run->ready, __ATOMIC_SEQ_CST) !=
	       (1u << STAGES) - 1) {
		look_after(&crew);
		sleep_us(1000);
	}
	began = now();
	run->go = 1;
	wait_until_done(&crew, options);
	cost.seconds = now() - began;
	end_all(&crew, run->published < run->orders ? SIGKILL : 0);
	cost.cpu = crew.cpu;
	cost.kills = crew.kills;
	count(run, &cost);
	munmap(run, bytes);
	return cost;
}

/* ---- what it says -------------------------------------------------------- */

static int show(const struct way *way, const struct options *options,
                const struct cost *cost)
{
	double n = (double)options->orders;
	printf("%s: %.0f orders/s, %.2f us of CPU an order, %.1f %% of it in "
	       "allocation and hand-over\n", way->name, n / cost->seconds,
	       cost->cpu / n * 1e6, cost->passing * 100);
	printf("%s: %u kills: %llu lost, %llu twice and marked, %llu twice "
	       "unmarked\n", way->name, cost->kills,
	       (unsigned long long)cost->lost,
	       (unsigned long long)cost->marked,
	       (unsigned long long)cost->unmarked);
	fflush(stdout);
	return cost->lost + cost->unmarked > 0;
}

static void usage(FILE *to)
{
	fprintf(to, "usage: gateway [--orders N] [--with slabd|malloc] "
	        "[--batch N] [--kills N] [--seed N]\n"
	        "  --orders N   how many pass through it (2000000)\n"
	        "  --with WAY   that way alone; both by default\n"
	        "  --batch N    so many pass at a time, at most 128 (slabd: 128, "
	        "malloc: 1)\n"
	        "  --kills N    so often one of the four is killed, and started "
	        "anew (0)\n"
	        "  --seed N     which, and when (1)\n");
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"orders", required_argument, NULL, 'n'},
		{"with", required_argument, NULL, 'w'},
		{"batch", required_argument, NULL, 'b'},
		{"kills", required_argument, NULL, 'k'},
		{"seed", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int c;
	while ((c = getopt_long(argc, argv, "n:w:b:k:s:h", known, NULL)) != -1) {
		if (c == 'n' && strtoull(optarg, NULL, 0) > 0) {
			options->orders = strtoull(optarg, NULL, 0);
		} else if (c == 'b' && strtoul(optarg, NULL, 0) <= BATCH) {
			options->batch = strtoul(optarg, NULL, 0);
		} else if (c == 'k') {
			options->kills = (unsigned)strtoul(optarg, NULL, 0);
		} else if (c == 's') {
			options->seed = (unsigned)strtoul(optarg, NULL, 0);
		} else if (c == 'w' && strcmp(optarg, "slabd") == 0) {
			options->ways[1] = NULL;
		} else if (c == 'w' && strcmp(optarg, "malloc") == 0) {
			options->ways[0] = NULL;
		} else {
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options options = {{&gateway_slabd, &gateway_malloc}, 2000000, 0, 0, 1};
	struct cost cost[2];
	int bad = 0;
	parse(argc, argv, &options);
	for (unsigned i = 0; i < 2; i++) {
		if (options.ways[i] == NULL)
			continue;
		srand(options.seed);
		cost[i] = run_way(options.ways[i], &options);
		bad |= show(options.ways[i], &options, &cost[i]);
	}
	if (options.ways[0] != NULL && options.ways[1] != NULL)
		printf("slabd has %.2f times the orders/s, for %.2f times the "
		       "CPU\n", cost[1].seconds / cost[0].seconds,
		       cost[0].cpu / cost[1].cpu);
	return bad;
}
