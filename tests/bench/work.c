/* SPDX-License-Identifier: MIT */
/* The program of each contestant: see work.h. */
#include "tests/bench/who.h"
#include "tests/bench/work.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void work_pin(int cpu)
{
	cpu_set_t set;
	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

int work_fail(const char *what)
{
	int error = errno;
	fprintf(stderr, "%s: %s (%s)\n", WHO_NAME, what, strerror(error));
	return 1;
}

uint32_t *work_shuffled(uint32_t n, bool one_cycle)
{
	uint32_t *order = (uint32_t *)malloc(n * sizeof(*order));
	uint64_t x = UINT64_C(88172645463325252);
	if (order == NULL)
		abort();
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t other = order[i];
		uint32_t j;
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Sattolo's choice, one below, leaves a single cycle. */
		j = (uint32_t)(x % (one_cycle ? i : i + 1));
		order[i] = order[j];
		order[j] = other;
	}
	return order;
}

static int usage(void)
{
	fprintf(stderr,
	        "usage: work_CONTESTANT --workload NAME [--bytes N] [--live "
	        "N]\n"
	        "    [--caches N] [--cpus A,B] [--trace FILE] [--largest N]\n");
	return 2;
}

static bool take(struct work_job *job, int option, const char *text)
{
	switch (option) {
	case 'w':
		job->workload = text;
		return true;
	case 'b':
		job->bytes = strtoul(text, NULL, 10);
		return job->bytes >= sizeof(uint64_t);
	case 'l':
		job->live = strtoull(text, NULL, 10);
		return job->live > 0;
	case 'c':
		job->caches = strtoull(text, NULL, 10);
		return job->caches > 0;
	case 'p':
		return sscanf(text, "%d,%d", &job->cpu[0], &job->cpu[1]) == 2;
	case 'm':
		job->largest = strtoul(text, NULL, 10);
		return true;
	case 't':
		job->trace = text;
		return true;
	default:
		return false;
	}
}

static bool parse(struct work_job *job, int argc, char **argv)
{
	static const struct option table[] = {
		{"workload", required_argument, NULL, 'w'},
		{"bytes", required_argument, NULL, 'b'},
		{"live", required_argument, NULL, 'l'},
		{"caches", required_argument, NULL, 'c'},
		{"cpus", required_argument, NULL, 'p'},
		{"largest", required_argument, NULL, 'm'},
		{"trace", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int option;
	memset(job, 0, sizeof(*job));
	job->bytes = 64;
	job->cpu[0] = job->cpu[1] = -1;
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		if (!take(job, option, optarg))
			return false;
	return optind == argc && job->workload != NULL;
}

static const struct work_kind *find(const char *name)
{
	static const struct work_kind *const all[] = {
		single_kinds, two_processes_kinds, trace_kinds};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct work_kind *kind = all[i]; kind->name; kind++)
			if (strcmp(kind->name, name) == 0)
				return kind;
	return NULL;
}

static void tell(const struct work_job *job, const struct work_result *result)
{
	double each = result->ops > 0 ? result->ns / (double)result->ops : 0;
	printf("{\"who\":\"%s\",\"workload\":\"%s\",\"bytes\":%zu"
	       ",\"ops\":%llu,\"ns\":%.0f,\"each\":%.4f",
	       WHO_NAME, job->workload, job->bytes,
	       (unsigned long long)result->ops, result->ns, each);
	if (result->has_probe)
		printf(",\"probe\":[%.1f,%.1f]", result->probe[0],
		       result->probe[1]);
	printf("%s}\n", result->more);
	fflush(stdout);
}

/* static: the rest of the line may be long. */
static struct work_result result;

int main(int argc, char **argv)
{
	struct work_job job;
	const struct work_kind *kind;
	char line[64];
	int status = 0;
	if (!parse(&job, argc, argv))
		return usage();
	kind = find(job.workload);
	if (kind == NULL) {
		printf("{\"who\":\"%s\",\"lacks\":\"%s\"}\n", WHO_NAME,
		       job.workload);
		return 0;
	}
	if (kind->start(&job) != 0)
		return 1;
	printf("{\"who\":\"%s\",\"ready\":\"%s\"}\n", WHO_NAME, job.workload);
	fflush(stdout);
	while (status == 0 && fgets(line, sizeof(line), stdin) != NULL) {
		memset(&result, 0, sizeof(result));
		status = kind->sample(&job, strtoull(line, NULL, 10), &result);
		if (status == 0)
			tell(&job, &result);
	}
	kind->stop();
	return status;
}
