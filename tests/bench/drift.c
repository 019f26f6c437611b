/* SPDX-License-Identifier: MIT */
/*
 * Measures for drift.py, at a slabd of four nodes.
 *
 *   drift run POLICY FREES [CONTROL]   so many objects are freed on another
 *       node than they were allocated on, in phases; prints a line of JSON for
 *       each phase and each look at the lists. CONTROL is slabd's own control
 *       file, which policies that move slabs write to as slabd does.
 *   drift cost                         what going home costs
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/types.h"
#include "tests/bench/drift.h"

#define LOOK_NS 5000000

struct phase {
	const char *name;
	int from, to; /* -1: all to all */
};

static const struct phase phases[] = {
	{"0 to 1", 0, 1},       {"1 to 0", 1, 0},       {"0 to 1 again", 0, 1},
	{"1 to 0 again", 1, 0}, {"all to all", -1, -1},
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

static struct drift *drift;
static pid_t workers[DRIFT_NODES];
static slabd_pool *pool;
static uint32_t cache_id;

/* ---- workers ------------------------------------------------------------ */

static void make_shared(const struct drift_policy *policy, const char *control)
{
	pthread_barrierattr_t shared;
	drift = mmap(NULL, sizeof(*drift), PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (drift == MAP_FAILED)
		exit(drift_fail("memory", strerror(errno)));
	drift->policy = policy;
	drift->control = control;
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&drift->meet, &shared, DRIFT_NODES + 1);
}

/* Before this process is a client itself. */
static void start_workers(void)
{
	pid_t parent = getpid();
	for (uint32_t i = 0; i < DRIFT_NODES; i++) {
		workers[i] = fork();
		if (workers[i] < 0)
			exit(drift_fail("fork", strerror(errno)));
		if (workers[i] > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		drift_work(drift, i);
	}
}

/* A worker that ended has said why. */
static void check_workers(void)
{
	for (int i = 0; i < DRIFT_NODES; i++)
		if (waitpid(workers[i], NULL, WNOHANG) == workers[i])
			exit(drift_fail("worker", "ended too early"));
}

static void end_workers(void)
{
	drift->quota = 0;
	pthread_barrier_wait(&drift->meet);
	for (int i = 0; i < DRIFT_NODES; i++) {
		int status = 1;
		waitpid(workers[i], &status, 0);
		if (status != 0)
			exit(drift_fail("worker", "failed at its end"));
	}
}

/* ---- phases ------------------------------------------------------------- */

static void look(struct drift_lists *lists, const char *name)
{
	unsigned long long freed = 0;
	unsigned long long afar = 0;
	for (int i = 0; i < DRIFT_NODES; i++) {
		freed += atom_load(&drift->side[i].freed);
		afar += atom_load(&drift->side[i].afar);
	}
	drift_lists_read(lists, &pool->view, cache_id);
	printf("{\"look\":\"%s\",\"at\":%llu,\"afar\":%llu", name, freed, afar);
	drift_lists_print(lists);
	printf("}\n");
}

/* What all workers counted so far. */
static struct drift_side sums(void)
{
	struct drift_side sum = {0};
	for (int i = 0; i < DRIFT_NODES; i++) {
		const struct drift_side *side = &drift->side[i];
		sum.afar += side->afar;
		sum.starved += side->starved;
		sum.stats.refilled += side->stats.refilled;
		sum.stats.flushed += side->stats.flushed;
		sum.stats.flushes += side->stats.flushes;
		sum.stats.remote_allocs += side->stats.remote_allocs;
		sum.stats.remote_frees += side->stats.remote_frees;
		sum.stats.rings += side->stats.rings;
		sum.stats.waits += side->stats.waits;
		sum.stats.refused += side->stats.refused;
	}
	return sum;
}

/* From the first that began to the last that ended, of those at work. */
static double took_ns(void)
{
	double began = drift->side[0].began_ns;
	double ended = 0;
	for (int i = 0; i < DRIFT_NODES; i++) {
		const struct drift_side *side = &drift->side[i];
		began = side->began_ns < began ? side->began_ns : began;
		ended = side->ended_ns > ended ? side->ended_ns : ended;
	}
	return ended - began;
}

static void print_phase(const struct phase *phase, uint64_t n,
                        const struct drift_side *was)
{
	struct drift_side is = sums();
	printf("{\"phase\":\"%s\",\"frees\":%llu,\"ns\":%.0f", phase->name,
	       (unsigned long long)n, took_ns());
#define PRINT(name, field)                                                     \
	printf(",\"" name "\":%llu",                                           \
	       (unsigned long long)(is.field - was->field))
	PRINT("afar", afar);
	PRINT("starved", starved);
	PRINT("refilled", stats.refilled);
	PRINT("flushed", stats.flushed);
	PRINT("flushes", stats.flushes);
	PRINT("remote_allocs", stats.remote_allocs);
	PRINT("remote_frees", stats.remote_frees);
	PRINT("rings", stats.rings);
	PRINT("waits", stats.waits);
	PRINT("refused", stats.refused);
#undef PRINT
	printf("}\n");
	fflush(stdout);
}

static uint64_t set_phase(const struct phase *phase, uint64_t frees)
{
	bool all = phase->from < 0;
	uint64_t pairs = all ? DRIFT_NODES * (DRIFT_NODES - 1) : 1;
	for (int i = 0; i < DRIFT_NODES; i++)
		for (int k = 0; k < DRIFT_NODES; k++)
			drift->sends[i][k] =
				all ? i != k
				    : i == phase->from && k == phase->to;
	drift->quota = (frees + pairs - 1) / pairs;
	drift->done = 0;
	return drift->quota * pairs;
}

static void run_phase(const struct phase *phase, uint64_t frees)
{
	struct drift_side was = sums();
	struct drift_lists lists;
	struct timespec pause = {.tv_nsec = LOOK_NS};
	uint64_t n = set_phase(phase, frees);
	pthread_barrier_wait(&drift->meet);
	/* pairs: drift_work */
	while (atom_load_acquire(&drift->done) < DRIFT_NODES) {
		nanosleep(&pause, NULL);
		look(&lists, "");
		check_workers();
	}
	look(&lists, phase->name);
	print_phase(phase, n, &was);
}

static int run(const char *name, const char *frees, const char *control)
{
	const struct drift_policy *policy = drift_policy_of(name);
	uint64_t each = strtoull(frees, NULL, 10) / PHASES;
	slabd_cache *cache;
	struct drift_lists lists;
	if (policy == NULL)
		return drift_fail(name, "no such policy");
	if (each == 0 || (policy->keep > 0 && control == NULL))
		return drift_fail(frees, "objects are to be freed, and who "
		                         "moves slabs needs CONTROL");
	make_shared(policy, control);
	start_workers();
	pool = drift_open(-1, &cache);
	cache_id = cache_of(cache)->id;
	if (pool->view.geo.n_nodes != DRIFT_NODES)
		return drift_fail("slabd", "it has not four nodes");
	look(&lists, "start");
	for (size_t i = 0; i < PHASES; i++)
		run_phase(&phases[i], each);
	end_workers();
	look(&lists, "end");
	return slabd_close(pool) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "cost") == 0)
		return drift_cost();
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "run") == 0)
		return run(argv[2], argv[3], argv[4]);
	fprintf(stderr,
	        "usage: drift run POLICY FREES [CONTROL] | drift cost\n");
	return 2;
}
