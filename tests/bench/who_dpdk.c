/* SPDX-License-Identifier: MIT */
/*
 * $BENCH_HUGE is a hugetlbfs folder of one's own, for the workload of two
 * processes: the second joins the first under its file prefix.
 */
#include "tests/bench/who.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#define CACHE 512u
#define THREADS 2u
#define LARGE 4096u

static char prefix[64];
static unsigned my_side;

int who_early(const struct work_job *job)
{
	(void)job;
	snprintf(prefix, sizeof(prefix), "--file-prefix=slabd-bench-%d",
	         (int)getpid());
	return 0;
}

int who_open(const struct work_job *job, unsigned side)
{
	const char *folder = getenv("BENCH_HUGE");
	char lcores[32], dir[512];
	char *argv[12];
	int argc = 0, cpu = job->cpu[side] < 0 ? 0 : job->cpu[side];
	my_side = side;
	/* Caches are by lcore, in shared memory: each side has its own. */
	snprintf(lcores, sizeof(lcores), "--lcores=%u@%d", side, cpu);
	argv[argc++] = (char *)"work_dpdk";
	argv[argc++] = lcores;
	argv[argc++] = (char *)"--no-pci";
	argv[argc++] = (char *)"--no-telemetry";
	argv[argc++] = (char *)"--log-level=3";
	argv[argc++] = (char *)"--iova-mode=va";
	if (strcmp(job->workload, "W5") == 0) {
		if (folder == NULL)
			return work_fail("no hugetlbfs for two processes");
		snprintf(dir, sizeof(dir), "--huge-dir=%s", folder);
		argv[argc++] = dir;
		argv[argc++] = prefix;
		argv[argc++] = (char *)(side == 0 ? "--proc-type=primary"
		                                  : "--proc-type=secondary");
	} else {
		argv[argc++] = (char *)"--in-memory";
	}
	argv[argc] = NULL;
	if (rte_eal_init(argc, argv) < 0)
		return work_fail(rte_strerror(rte_errno));
	return 0;
}

struct who_cache *who_make(size_t bytes, uint64_t most)
{
	/* Large objects, of which a cache would hold back too many, have
	 * none. */
	unsigned cache = bytes > LARGE ? 0 : CACHE;
	/* What caches may hold back comes on top; 2^n - 1 fits its ring. */
	uint64_t n = most + THREADS * (cache + cache / 2);
	struct rte_mempool *pool;
	char name[32];
	snprintf(name, sizeof(name), "bench-%zu", bytes);
	n = (UINT64_C(1) << (64 - __builtin_clzll(n))) - 1;
	if (my_side == 1)
		pool = rte_mempool_lookup(name);
	else
		pool = rte_mempool_create(name, (unsigned)n, (unsigned)bytes,
		                          cache, 0, NULL, NULL, NULL, NULL,
		                          SOCKET_ID_ANY, 0);
	if (pool == NULL)
		work_fail(rte_strerror(rte_errno));
	return (struct who_cache *)pool;
}

int who_thread(unsigned ix)
{
	if (ix == 0 || my_side == 1 || rte_lcore_id() != LCORE_ID_ANY)
		return 0;
	return rte_thread_register() == 0 ? 0 : work_fail("no lcore id");
}

void who_close(void)
{
	rte_eal_cleanup();
}
