/* SPDX-License-Identifier: MIT */
/*
 * host CLIENTS THREADS CACHES: so many processes have the pool open, each with so
 * many threads that keep an object of each of so many caches, as on a host with
 * many workers; all of them sleep. Says "ready", and then for each number in a line
 * of its input so many newcomers one after the other: how long each took to open the
 * pool and a cache and to have an object, in ns, in a line. Ends with its input.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/slabclient.h"
#include "tests/bench/work.h"

#define STACK_BYTES (64u << 10)
#define CACHES_MOST 1024u

static unsigned n_caches;
static slabd_cache *caches[CACHES_MOST];
static pthread_barrier_t held;

static void fail(const char *what)
{
	fprintf(stderr, "host: %s: %s\n", what, slabd_last_error());
	exit(1);
}

static slabd_cache *open_cache(slabd_pool *pool, unsigned i)
{
	char name[32];
	slabd_cache *cache;
	snprintf(name, sizeof(name), "host-%u", i);
	cache = slabd_cache_create(pool, name, 64 + i % 8 * 16, 0, 0);
	if (cache == NULL)
		fail("slabd_cache_create");
	return cache;
}

static void *keep(void *arg)
{
	for (unsigned i = 0; i < n_caches; i++)
		if (slabd_alloc(caches[i]) == NULL)
			fail("slabd_alloc");
	pthread_barrier_wait(&held);
	pause();
	return arg;
}

/* One of them, which says so once it has all. */
static void live(unsigned n_threads, int tell)
{
	pthread_attr_t attr;
	slabd_pool *pool;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pool = slabd_open(NULL, NULL);
	if (pool == NULL)
		fail("slabd_open");
	for (unsigned i = 0; i < n_caches; i++)
		caches[i] = open_cache(pool, i);
	pthread_barrier_init(&held, NULL, n_threads + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (unsigned i = 0; i < n_threads; i++) {
		pthread_t thread;
		if (pthread_create(&thread, &attr, keep, NULL) != 0)
			fail("pthread_create");
	}
	pthread_barrier_wait(&held);
	if (write(tell, "", 1) != 1)
		fail("write");
	for (;;)
		pause();
}

/* Eight begin at a time: what takes long is not slabd's queue. */
static void start(unsigned n, unsigned n_threads)
{
	int told[2];
	char byte;
	if (pipe(told) < 0)
		fail("pipe");
	for (unsigned i = 0; i < n + 8; i++) {
		if (i >= 8 && read(told[0], &byte, 1) != 1)
			fail("a client");
		if (i < n && fork() == 0)
			live(n_threads, told[1]);
	}
}

static void come(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		double began = work_now_ns();
		slabd_pool *pool = slabd_open(NULL, NULL);
		slabd_cache *cache;
		void *object;
		if (pool == NULL)
			fail("slabd_open");
		cache = open_cache(pool, i % n_caches);
		object = slabd_alloc(cache);
		if (object == NULL)
			fail("slabd_alloc");
		printf("%.0f%c", work_now_ns() - began, i + 1 < n ? ' ' : '\n');
		slabd_free(cache, object);
		slabd_close(pool);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[32];
	if (argc != 4) {
		fprintf(stderr, "usage: host CLIENTS THREADS CACHES\n");
		return 2;
	}
	n_caches = (unsigned)atoi(argv[3]);
	if (n_caches < 1 || n_caches > CACHES_MOST)
		return 2;
	start((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
		come((unsigned)atoi(line));
	return 0;
}
