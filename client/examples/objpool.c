/* SPDX-License-Identifier: MIT */
/*
 * An object pool beside a fresh object each time: requests with a buffer of 4 KiB.
 * Each thread gets and puts its own, without an atomic; the pool keeps a request's
 * buffer with it, and ends those that were idle through a whole period.
 *
 *     cc -O2 objpool.c $(pkg-config --cflags --libs slabclient) -o objpool
 *     ./objpool [REQUESTS [THREADS]]
 */
#include <pthread.h>
#include <slabclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUFFER 4096
#define THREADS_MAX 64

struct request {
	char *buffer;
	size_t used;
	unsigned long id;
};

/* What each thread does, and the ns that it took. */
struct work {
	slabd_objpool *requests;
	unsigned long n;
	unsigned long sum;
	double kept;
	double fresh;
	int failed;
};

/* ---- the pool's ------------------------------------------------------------ */

/* Once; the buffer is there, and zeroed, for as long as the request lives. */
static int init(void *object, void *arg)
{
	struct request *request = object;
	(void)arg;
	request->buffer = calloc(1, BUFFER);
	return request->buffer != NULL ? 0 : -1;
}

/* At each put. */
static void reset(void *object, void *arg)
{
	struct request *request = object;
	(void)arg;
	memset(request->buffer, 0, request->used);
	request->used = 0;
}

/* Once, when it was idle for long, or the pool ends. */
static void fini(void *object, void *arg)
{
	(void)arg;
	free(((struct request *)object)->buffer);
}

/* ---- what a request is for ------------------------------------------------- */

static unsigned long serve(struct request *request, unsigned long id)
{
	request->id = id;
	request->used = 64;
	memset(request->buffer, (int)id | 1, request->used);
	return (unsigned char)request->buffer[id % request->used];
}

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static int use_kept(struct work *work)
{
	double began = now();
	for (unsigned long i = 0; i < work->n; i++) {
		struct request *request = slabd_objpool_get(work->requests);
		if (request == NULL)
			return -1;
		work->sum += serve(request, i);
		slabd_objpool_put(work->requests, request);
	}
	work->kept = now() - began;
	return 0;
}

static int use_fresh(struct work *work)
{
	double began = now();
	for (unsigned long i = 0; i < work->n; i++) {
		struct request *request = calloc(1, sizeof(*request));
		if (request == NULL || init(request, NULL) < 0)
			return -1;
		work->sum += serve(request, i);
		fini(request, NULL);
		free(request);
	}
	work->fresh = now() - began;
	return 0;
}

static void *run(void *arg)
{
	struct work *work = arg;
	work->failed = use_kept(work) < 0 || use_fresh(work) < 0;
	if (work->failed)
		fprintf(stderr, "objpool: %s\n", slabd_last_error());
	return NULL;
}

/* 0, or how many of the threads failed. */
static int contest(slabd_objpool *requests, unsigned long n, unsigned threads)
{
	static struct work works[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	double kept = 0;
	double fresh = 0;
	int failed = 0;
	for (unsigned i = 0; i < threads; i++) {
		works[i] = (struct work){.requests = requests, .n = n};
		if (pthread_create(&thread[i], NULL, run, &works[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		failed += works[i].failed;
		kept += works[i].kept;
		fresh += works[i].fresh;
	}
	printf("kept    %.1f ns a request, with its buffer of %d bytes\n",
	       kept / (double)n / threads, BUFFER);
	printf("fresh   %.1f ns\n", fresh / (double)n / threads);
	printf("the pool is %.1f times as fast\n", fresh / kept);
	return failed;
}

int main(int argc, char **argv)
{
	const struct slabd_objpool_ops ops = {
		.init = init, .reset = reset, .fini = fini, .max = 1000};
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	unsigned long threads = argc > 2 ? strtoul(argv[2], NULL, 0) : 2;
	struct slabd_objpool_counts counts;
	slabd_objpool *requests = NULL;
	slabd_pool *pool;
	int failed;
	if (n == 0 || threads == 0 || threads > THREADS_MAX) {
		fprintf(stderr, "usage: objpool [REQUESTS [THREADS]]\n");
		return 2;
	}
	pool = slabd_open(NULL, NULL);
	if (pool != NULL)
		requests = slabd_objpool_create(pool, "requests",
		                                sizeof(struct request), &ops);
	if (requests == NULL) {
		fprintf(stderr, "objpool: %s\n", slabd_last_error());
		return 1;
	}
	failed = contest(requests, n, (unsigned)threads);
	if (slabd_objpool_get_counts(requests, &counts) == 0)
		printf("gets that an idle one served: %llu; made: %llu\n",
		       (unsigned long long)counts.hits,
		       (unsigned long long)counts.made);
	slabd_objpool_destroy(requests);
	slabd_close(pool);
	return failed != 0;
}
