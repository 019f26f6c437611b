/* SPDX-License-Identifier: MIT */
/*
 * An arena beside malloc: 200,000 objects of 96 bytes, which are all done with at
 * the same time. malloc's are freed one by one; the arena's by one call, after
 * which the next round has the same memory.
 *
 *     cc -O2 arena.c $(pkg-config --cflags --libs slabclient) -o arena
 *     ./arena [OBJECTS [ROUNDS]]
 */
#include <slabclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct event {
	unsigned long id;
	char text[88];
};

/* Of each round, in ns: until all were made, and until all were freed. */
struct spent {
	double *made;
	double *freed;
};

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *of, size_t n)
{
	qsort(of, n, sizeof(*of), by_size);
	return of[n / 2];
}

static int by_arena(slabd_arena *arena, size_t n, double *made, double *freed)
{
	double began = now();
	for (size_t i = 0; i < n; i++) {
		struct event *event = slabd_arena_alloc(arena, sizeof(*event), 0);
		if (event == NULL)
			return -1;
		event->id = i;
	}
	*made = now() - began;
	slabd_arena_reset(arena);
	*freed = now() - began - *made;
	return 0;
}

static int by_malloc(struct event **events, size_t n, double *made,
                     double *freed)
{
	double began = now();
	for (size_t i = 0; i < n; i++) {
		events[i] = malloc(sizeof(*events[i]));
		if (events[i] == NULL)
			abort();
		events[i]->id = i;
	}
	*made = now() - began;
	for (size_t i = 0; i < n; i++)
		free(events[i]);
	*freed = now() - began - *made;
	return 0;
}

/* The ns of a round, that is both. */
static double show(const char *name, size_t n, const struct spent *spent,
                   size_t rounds)
{
	double made = median(spent->made, rounds);
	double freed = median(spent->freed, rounds);
	printf("%-7s %zu objects of %zu bytes: %.1f ns each, then freed in "
	       "%.1f us\n", name, n, sizeof(struct event), made / (double)n,
	       freed / 1e3);
	return made + freed;
}

/* The two take turns; medians are shown. */
static int contest(slabd_arena *arena, struct event **events, size_t n,
                   size_t rounds)
{
	double *ns = calloc(4 * rounds, sizeof(*ns));
	struct spent ours = {ns, ns + rounds};
	struct spent theirs = {ns + 2 * rounds, ns + 3 * rounds};
	double spent;
	int r = ns == NULL ? -1 : 0;
	for (size_t i = 0; i < rounds && r == 0; i++) {
		r = by_arena(arena, n, ours.made + i, ours.freed + i);
		if (r == 0)
			r = by_malloc(events, n, theirs.made + i,
			              theirs.freed + i);
	}
	if (r == 0) {
		spent = show("arena", n, &ours, rounds);
		printf("the arena is %.1f times as fast\n",
		       show("malloc", n, &theirs, rounds) / spent);
	}
	free(ns);
	return r;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : 200000;
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 21;
	struct event **events;
	slabd_pool *pool;
	slabd_arena *arena = NULL;
	int r = -1;
	if (n == 0 || rounds == 0) {
		fprintf(stderr, "usage: arena [OBJECTS [ROUNDS]]\n");
		return 2;
	}
	events = calloc(n, sizeof(*events));
	if (events == NULL)
		abort();
	pool = slabd_open(NULL, NULL);
	if (pool != NULL)
		arena = slabd_arena_create(pool, NULL, "events");
	if (arena != NULL)
		r = contest(arena, events, n, rounds);
	if (r < 0)
		fprintf(stderr, "arena: %s\n", slabd_last_error());
	if (pool != NULL)
		slabd_close(pool);
	free(events);
	return r < 0;
}
