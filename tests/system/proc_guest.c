/* SPDX-License-Identifier: MIT */
/* The library as a guest: its thread, whoever opens the pool, and what it says. */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

static struct fixture fixture;

/* The threads of this process with a name; *tid one of them. */
static unsigned find_named(const char *name, pid_t *tid)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;
	while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
		char path[300];
		char comm[32] = "";
		FILE *file;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
		         entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fgets(comm, sizeof(comm), file) != NULL)
			comm[strcspn(comm, "\n")] = '\0';
		fclose(file);
		if (strcmp(comm, name) != 0)
			continue;
		n++;
		*tid = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (tasks != NULL)
		closedir(tasks);
	return n;
}

/* It names itself as it begins. */
static pid_t helper(void)
{
	double until = now_ms() + SURELY_MS;
	pid_t tid = 0;
	while (find_named("slabd-helper", &tid) != 1 && now_ms() < until)
		sleep_ms(1);
	return tid;
}

static bool has_all(pid_t tid, const cpu_set_t *all)
{
	double until = now_ms() + SURELY_MS;
	cpu_set_t cpus;
	do
		CPU_ZERO(&cpus);
	while (sched_getaffinity(tid, sizeof(cpus), &cpus) == 0 &&
	       !CPU_EQUAL(&cpus, all) && now_ms() < until);
	return CPU_EQUAL(&cpus, all);
}

static bool has_policy(pid_t tid, int policy)
{
	double until = now_ms() + SURELY_MS;
	while (sched_getscheduler(tid) != policy && now_ms() < until)
		sleep_ms(1);
	return sched_getscheduler(tid) == policy;
}

/* Opened by a thread with a processor and a policy of its own. */
static void client(int fd, void *arg)
{
	struct sched_param param = {.sched_priority = 0};
	slabd_pool *pool;
	cpu_set_t all;
	cpu_set_t one;
	pid_t tid;
	(void)fd;
	(void)arg;
	CPU_ZERO(&all);
	CPU_ZERO(&one);
	sched_getaffinity(0, sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (sched_setscheduler(0, SCHED_BATCH, &param) < 0)
		tap_bail("no SCHED_BATCH");
	pool = fixture_pool(&fixture);
	tid = helper();
	tap_ok(tid != 0, "the helper has a name");
	tap_ok(has_all(tid, &all), "all processors that the process may have");
	tap_ok(has_policy(tid, SCHED_OTHER), "and the ordinary policy");
	CPU_ZERO(&all);
	sched_getaffinity(0, sizeof(all), &all);
	tap_ok(CPU_EQUAL(&all, &one) && sched_getscheduler(0) == SCHED_BATCH,
	       "who opened the pool keeps its own");
	tap_is(slabd_close(pool), 0, "close");
	tap_is(find_named("slabd-helper", &tid), 0, "the helper is gone then");
}

/* ---- destructors of keys ------------------------------------------------- */

#define ROUNDS 4 /* of a thread's destructors, in the C library */
#define THREADS 200
#define LATE_MOST 40 /* that may be there when they are dead */

static slabd_cache *used;
static pthread_key_t key;

/* Uses the library, and comes again until the last round of all, before and after
 * the library's own. */
static void late(void *arg)
{
	intptr_t round = (intptr_t)arg;
	void *objects[64];
	size_t n = slabd_alloc_bulk(used, 64, objects);
	slabd_free_bulk(used, n, objects);
	/* A sanitizer's own is over in the last one. */
	if (round < (is_sanitized() ? ROUNDS - 2 : ROUNDS))
		pthread_setspecific(key, (void *)(round + 1));
}

static void *ends_late(void *arg)
{
	pthread_setspecific(key, (void *)1);
	slabd_free(used, slabd_alloc(used));
	return arg;
}

static unsigned long long space(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL || fscanf(file, "%llu", &pages) != 1)
		tap_bail("no /proc/self/statm");
	fclose(file);
	return pages * (unsigned long long)sysconf(_SC_PAGESIZE) >> 20;
}

static long long held(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return (long long)(stats.refilled - stats.flushed);
}

static void ends(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	unsigned long long before;
	pthread_t thread;
	(void)fd;
	(void)arg;
	used = fixture_cache(pool, "late", 64);
	if (pthread_key_create(&key, late) != 0)
		tap_bail("no key");
	pthread_create(&thread, NULL, ends_late, NULL);
	pthread_join(thread, NULL);
	before = space();
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_create(&thread, NULL, ends_late, NULL);
		pthread_join(thread, NULL);
	}
	tap_ok(is_sanitized() || space() - before < LATE_MOST * 10,
	       "address space of threads that end in the last round is had "
	       "back");
	tap_note("%llu MiB of %d threads", space() - before, THREADS);
	tap_ok(held(pool) < LATE_MOST * 64, "and objects: %lld left",
	       held(pool));
	tap_is(slabd_close(pool), 0, "close");
}

/* Who does not wait is told so, and not that slabd was slow. */
static void impatient(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, SLABD_NO_WAIT);
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_cache *cache;
	(void)fd;
	(void)arg;
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "impatient", 65536);
	while (slabd_alloc(cache) != NULL)
		continue;
	tap_ok(strstr(slabd_last_error(), "SLABD_NO_WAIT") != NULL,
	       "who does not wait is told so");
	tap_note("%s", slabd_last_error());
	slabd_close(pool);
}

int main(void)
{
	struct child child;
	tap_start(60);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 64M\n");
	child_start(&child, client, NULL);
	child_end(&child, "the client ends well");
	child_start(&child, ends, NULL);
	child_end(&child, "threads that end late");
	child_start(&child, impatient, NULL);
	child_end(&child, "who does not wait");
	fixture_close(&fixture);
	return tap_end();
}
