/* SPDX-License-Identifier: MIT */
/*
 * crowd CLIENTS MIB: so many clients fill a pool with 64-byte objects, MIB in
 * all. Prints how long a client with 100 objects takes to close beside them;
 * then kills them all, and prints how long it takes until all is free, and the
 * longest that slabd let somebody wait who asked it for something meanwhile: a
 * client that opens the pool, takes an object and closes it; a document of the
 * admin socket.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/types.h"
#include "shm/tags.h"

#define OBJECT 64u
#define CLOSES 21

enum { OPEN, CLOSE, ADMIN, ASKS };

/* What the askers tell, in shared memory. */
struct told {
	double worst_ms[ASKS];
	unsigned long asked[ASKS];
	unsigned long failed[ASKS];
	bool stop;
};

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int fail(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, slabd_last_error());
	return 1;
}

static slabd_cache *open_cache(slabd_pool **pool)
{
	*pool = slabd_open(NULL, NULL);
	return *pool == NULL ? NULL
	                     : slabd_cache_create(*pool, "crowd", OBJECT, 0, 0);
}

/* ---- the crowd ----------------------------------------------------------- */

/* Takes its share, says so, and lives until it is killed. */
static int take_share(unsigned long n, int tell)
{
	slabd_pool *pool;
	slabd_cache *cache = open_cache(&pool);
	unsigned long got = 0;
	if (cache == NULL)
		return fail("a client");
	while (got < n && slabd_alloc(cache) != NULL)
		got++;
	if (write(tell, &got, sizeof(got)) != sizeof(got))
		return 1;
	for (;;)
		pause();
}

/* Returns how many objects they have. */
static unsigned long gather(pid_t *pids, unsigned n, unsigned long each)
{
	unsigned long sum = 0;
	int ends[2];
	if (pipe(ends) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned long got;
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(take_share(each, ends[1]));
		if (pids[i] < 0 ||
		    read(ends[0], &got, sizeof(got)) != sizeof(got))
			return 0;
		sum += got;
	}
	return sum;
}

/* ---- who asks ------------------------------------------------------------ */

static bool ask_admin(void)
{
	static const char ask[] = "GET /log HTTP/1.0\r\n\r\n";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char answer[4096];
	ssize_t got = 1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strncpy(at.sun_path, getenv("SLABD_CONTROL"), sizeof(at.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    write(fd, ask, strlen(ask)) < 0)
		got = -1;
	while (got > 0)
		got = read(fd, answer, sizeof(answer));
	close(fd);
	return got == 0;
}

static void note(volatile struct told *told, unsigned what, double began,
                 bool good)
{
	double ms = now_ms() - began;
	told->failed[what] += !good;
	told->asked[what]++;
	if (ms > told->worst_ms[what])
		told->worst_ms[what] = ms;
}

static int come_and_go(volatile struct told *told)
{
	while (!told->stop) {
		double began = now_ms();
		slabd_pool *pool = slabd_open(NULL, NULL);
		slabd_cache *cache = NULL;
		note(told, OPEN, began, pool != NULL);
		if (pool == NULL)
			continue;
		cache = slabd_cache_create(pool, "crowd", OBJECT, 0, 0);
		if (cache != NULL)
			slabd_alloc(cache);
		began = now_ms();
		note(told, CLOSE, began, slabd_close(pool) == 0);
		usleep(1000);
	}
	return 0;
}

static int look_on(volatile struct told *told)
{
	while (!told->stop) {
		double began = now_ms();
		note(told, ADMIN, began, ask_admin());
		usleep(1000);
	}
	return 0;
}

static void show(const struct told *told, const char *when)
{
	static const char *const names[] = {"open", "close", "admin"};
	printf("longest wait %s:", when);
	for (unsigned i = 0; i < ASKS; i++)
		printf(" %s %.2f ms of %lu (%lu failed)", names[i],
		       told->worst_ms[i], told->asked[i], told->failed[i]);
	printf("\n");
}

/* ---- measured ------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

static int time_closes(void)
{
	double ms[CLOSES];
	for (unsigned i = 0; i < CLOSES; i++) {
		slabd_pool *pool;
		slabd_cache *cache = open_cache(&pool);
		if (cache == NULL)
			return fail("a client that closes");
		for (unsigned k = 0; k < 100; k++)
			if (slabd_alloc(cache) == NULL)
				return fail("100 objects");
		ms[i] = now_ms();
		slabd_close(pool);
		ms[i] = now_ms() - ms[i];
	}
	qsort(ms, CLOSES, sizeof(ms[0]), by_value);
	printf("close with 100 objects: median %.3f ms, worst %.3f ms of %u\n",
	       ms[CLOSES / 2], ms[CLOSES - 1], CLOSES);
	return 0;
}

static unsigned long count_used(const struct view *view)
{
	unsigned long used = 0;
	for (uint64_t unit = 0; unit < view->geo.n_units; unit++) {
		uint64_t word = atom_load(&view->words[unit]);
		const struct layout_cache *row =
			view_cache(view, WORD_CACHE(word));
		if (row != NULL && WORD_BACK(word) == 0)
			used += row->n_objs -
			        tags_count_free(slab_tags(view, (uint32_t)unit),
			                        row->n_objs);
	}
	return used;
}

static int time_deaths(const pid_t *pids, unsigned n, unsigned long sum)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	slabd_pool *pool = slabd_open(NULL, NULL);
	pid_t askers[2];
	double began;
	double killed;
	if (pool == NULL || told == MAP_FAILED)
		return fail("who counts");
	for (unsigned i = 0; i < 2; i++) {
		askers[i] = fork();
		if (askers[i] == 0)
			_exit(i == 0 ? come_and_go(told) : look_on(told));
	}
	usleep(300000);
	show(told, "before");
	memset(told, 0, sizeof(*told));
	began = now_ms();
	for (unsigned i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	killed = now_ms();
	for (unsigned i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
	printf("killed in %.0f ms, gone after %.0f ms\n", killed - began,
	       now_ms() - began);
	while (count_used(&pool->view) > 0)
		usleep(10000);
	printf("all %lu objects are back after %.0f ms\n", sum,
	       now_ms() - began);
	usleep(1500000);
	told->stop = true;
	for (unsigned i = 0; i < 2; i++)
		waitpid(askers[i], NULL, 0);
	show(told, "since");
	return slabd_close(pool);
}

int main(int argc, char **argv)
{
	unsigned n = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	unsigned long mib = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	pid_t *pids = calloc(n + 1, sizeof(*pids));
	unsigned long sum;
	if (n == 0 || mib == 0 || pids == NULL ||
	    getenv("SLABD_CONTROL") == NULL) {
		fprintf(stderr, "usage: crowd CLIENTS MIB, with SLABD_SOCKET "
		                "and SLABD_CONTROL set\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	sum = gather(pids, n, mib * 1024 * 1024 / OBJECT / n);
	printf("%u clients have %lu objects of %u bytes\n", n, sum, OBJECT);
	return sum == 0 ? 1 : time_closes() || time_deaths(pids, n, sum);
}
