/* SPDX-License-Identifier: MIT */
/*
 * crowd CLIENTS OBJECTS: so many clients, on all CPUs in turn, take so many
 * objects each; one more opens the pool, takes an object and closes it, again
 * and again. Says "ready", and at a line on standard input kills the crowd at
 * once. The one who opens goes on for as many times as there were dead.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/guest/fixture.h"

#define SIZE 256
#define WAIT_MS 20000

/* What the one who opens tells, in shared memory. */
struct told {
	uint32_t opened;
	uint32_t failed;
	uint32_t stop;
	char why[256];
};

static slabd_pool *open_pool(void)
{
	struct slabd_options options = {.wait_ms = WAIT_MS,
	                                .flags = SLABD_NO_HELPER};
	return slabd_open(NULL, &options);
}

/* ---- the crowd ------------------------------------------------------------ */

/* Takes its objects, tells how many, and lives until it is killed. */
static int take(int cpu, unsigned n, int tell)
{
	slabd_pool *pool;
	slabd_cache *cache = NULL;
	unsigned got = 0;
	fixture_pin(cpu);
	pool = open_pool();
	if (pool != NULL)
		cache = slabd_cache_create(pool, "crowd", SIZE, 0, 0);
	while (cache != NULL && got < n && slabd_alloc(cache) != NULL)
		got++;
	if (got < n)
		printf("# one of the crowd: %s\n", slabd_last_error());
	fflush(stdout);
	if (write(tell, &got, sizeof(got)) != sizeof(got))
		return 1;
	for (;;)
		pause();
}

/* How many objects they have. */
static unsigned gather(pid_t *pids, unsigned n, unsigned each)
{
	int cpus[FIXTURE_CPUS_MAX];
	int n_cpus = (int)fixture_cpus(cpus);
	unsigned sum = 0;
	int ends[2];
	if (pipe(ends) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned got = 0;
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(take(cpus[(int)i % n_cpus], each, ends[1]));
		if (pids[i] < 0 ||
		    read(ends[0], &got, sizeof(got)) != sizeof(got))
			return 0;
		sum += got;
	}
	return sum;
}

/* ---- who opens meanwhile -------------------------------------------------- */

static void come_and_go(struct told *told)
{
	slabd_pool *pool = open_pool();
	slabd_cache *cache = NULL;
	if (pool != NULL)
		cache = slabd_cache_create(pool, "passing", SIZE, 0, 0);
	if ((cache == NULL || slabd_alloc(cache) == NULL ||
	     slabd_close(pool) < 0) &&
	    told->failed++ == 0)
		strncpy(told->why, slabd_last_error(), sizeof(told->why) - 1);
	atom_add(&told->opened, 1u);
}

/* Until it has opened so many times more, or is dead itself. */
static void await(pid_t passing, const struct told *told, unsigned more)
{
	uint32_t until = atom_load(&told->opened) + more;
	while (atom_load(&told->opened) < until &&
	       waitpid(passing, NULL, WNOHANG) == 0)
		usleep(10000);
}

int main(int argc, char **argv)
{
	unsigned n = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	unsigned each = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	pid_t *pids = calloc(n + 1, sizeof(*pids));
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t passing;
	unsigned killed = 0;
	char line[8];
	if (n == 0 || pids == NULL || told == MAP_FAILED)
		return 2;
	fixture_ok(gather(pids, n, each) == n * each,
	           "%u clients have %u objects each", n, each);
	passing = fork();
	if (passing == 0) {
		while (!atom_load(&told->stop))
			come_and_go(told);
		_exit(0);
	}
	await(passing, told, 2);
	printf("ready\n");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 1;
	for (unsigned i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (unsigned i = 0; i < n; i++)
		killed += waitpid(pids[i], NULL, 0) == pids[i];
	await(passing, told, n);
	atom_store(&told->stop, 1u);
	waitpid(passing, NULL, 0);
	fixture_ok(killed == n, "all of them are killed");
	fixture_ok(told->opened > n && told->failed == 0,
	           "%u times opened and closed meanwhile, %u failed: %s",
	           told->opened, told->failed, told->why);
	return fixture_status();
}
