/* SPDX-License-Identifier: MIT */
/*
 * Arenas beside others' pools: W6 (80 objects of 96 B, a word written in each, then
 * all gone at once), and 200,000 objects of 96 B at a time. Contestants take turns,
 * what counts is the median of same-round ratios; a line of JSON for each row.
 *
 *   bump    the least that there is: an address that moves on, inline, in one block
 *   nginx   pools as nginx has them: a call, blocks in a list, reset block by block
 *   apr     Apache's, where its library is: a call, a clear
 *   malloc  the C library's, each object freed by itself
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/harness.h"

#define SIZE 96u
#define REQUEST 80u
#define MANY 200000u
#define ROUNDS 41u
#define NGINX_BLOCK 16384u

typedef uint64_t number;

static struct fixture fixture;

static number clock_now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (number)at.tv_sec * 1000000000u + (number)at.tv_nsec;
}

/* ---- bump ----------------------------------------------------------------- */

static struct {
	char *at;
	char *end;
	char *start;
} bump;

static inline void *bump_alloc(size_t size)
{
	char *at = bump.at;
	if ((size_t)(bump.end - at) < size)
		return NULL;
	bump.at = at + ((size + 15) & ~(size_t)15);
	return at;
}

static void bump_reset(void)
{
	bump.at = bump.start;
}

/* ---- nginx ---------------------------------------------------------------- */

struct block {
	char *last;
	char *end;
	struct block *next;
	number failed;
};

static struct {
	struct block *first;
	struct block *current;
} nginx;

static struct block *new_block(void)
{
	struct block *block = aligned_alloc(16, NGINX_BLOCK);
	if (block == NULL)
		abort();
	*block = (struct block){(char *)(block + 1),
	                        (char *)block + NGINX_BLOCK, NULL, 0};
	return block;
}

static void *nginx_grow(size_t size)
{
	struct block *block = new_block();
	struct block *at = nginx.current;
	char *m = block->last;
	block->last = m + size;
	for (; at->next != NULL; at = at->next)
		if (at->failed++ > 4)
			nginx.current = at->next;
	at->next = block;
	return m;
}

__attribute__((noinline)) static void *nginx_alloc(size_t size)
{
	for (struct block *at = nginx.current; at != NULL; at = at->next) {
		char *m = (char *)(((uintptr_t)at->last + 15) &
		                   ~(uintptr_t)15);
		if (m < at->end && (size_t)(at->end - m) >= size) {
			at->last = m + size;
			return m;
		}
	}
	return nginx_grow(size);
}

__attribute__((noinline)) static void nginx_reset(void)
{
	for (struct block *at = nginx.first; at != NULL; at = at->next) {
		at->last = (char *)(at + 1);
		at->failed = 0;
	}
	nginx.current = nginx.first;
}

/* ---- apr ------------------------------------------------------------------ */

static void *(*apr_alloc)(void *pool, size_t size);
static void (*apr_clear)(void *pool);
static void *apr_pool;

/* The functions, by their names; ISO C has no way from dlsym to one. */
static void find(void *lib, const char *name, void *function)
{
	void *at = dlsym(lib, name);
	memcpy(function, &at, sizeof(at));
}

static bool apr_start(void)
{
	void *lib = dlopen("libapr-1.so.0", RTLD_NOW);
	int (*start)(void);
	int (*create)(void **, void *, void *, void *);
	if (lib == NULL)
		return false;
	find(lib, "apr_initialize", &start);
	find(lib, "apr_pool_create_ex", &create);
	find(lib, "apr_palloc", &apr_alloc);
	find(lib, "apr_pool_clear", &apr_clear);
	return start() == 0 && create(&apr_pool, NULL, NULL, NULL) == 0;
}

/* ---- samples -------------------------------------------------------------- */

static slabd_arena *arena;
static void *all[MANY];

#define SAMPLE(name, alloc, reset)                                             \
	__attribute__((noinline)) static void name(number n)                   \
	{                                                                      \
		slabd_arena *mine = arena;                                     \
		(void)mine;                                                    \
		for (number i = 0; i < n; i++)                                 \
			*(number *)(alloc) = i;                                \
		reset;                                                         \
	}
SAMPLE(use_bump, bump_alloc(SIZE), bump_reset())
SAMPLE(use_arena, slabd_arena_alloc(mine, SIZE, 0), slabd_arena_reset(mine))
SAMPLE(use_nginx, nginx_alloc(SIZE), nginx_reset())
SAMPLE(use_apr, apr_alloc(apr_pool, SIZE), apr_clear(apr_pool))

__attribute__((noinline)) static void use_malloc(number n)
{
	for (number i = 0; i < n; i++) {
		all[i] = malloc(SIZE);
		*(number *)all[i] = i;
	}
	for (number i = 0; i < n; i++)
		free(all[i]);
}

struct contestant {
	const char *name;
	void (*use)(number n);
	double ns[ROUNDS]; /* an object */
};

static struct contestant contestants[] = {
	{"arena", use_arena, {0}}, {"bump", use_bump, {0}},
	{"nginx", use_nginx, {0}}, {"malloc", use_malloc, {0}},
	{"apr", use_apr, {0}},
};
static unsigned n_contestants = sizeof(contestants) / sizeof(*contestants);

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const double *from)
{
	double sorted[ROUNDS];
	memcpy(sorted, from, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), by_size);
	return sorted[ROUNDS / 2];
}

static double sample(const struct contestant *one, number n, number times)
{
	number began = clock_now();
	for (number i = 0; i < times; i++)
		one->use(n);
	return (double)(clock_now() - began) / (double)(n * times);
}

/* nginx's looks at each of its blocks where there are many, each time. */
static bool takes_part(const struct contestant *one, number n)
{
	return n != MANY || one->use != use_nginx;
}

/* The first rounds warm up, and are overwritten. */
static void contest(const char *row, number n, number times)
{
	for (unsigned round = 0; round < ROUNDS + 3; round++)
		for (unsigned i = 0; i < n_contestants; i++) {
			struct contestant *one =
				&contestants[(i + round) % n_contestants];
			if (!takes_part(one, n))
				continue;
			one->ns[round % ROUNDS] = sample(one, n, times);
		}
	for (unsigned i = 0; i < n_contestants; i++) {
		double ratio[ROUNDS];
		if (!takes_part(&contestants[i], n))
			continue;
		for (unsigned round = 0; round < ROUNDS; round++)
			ratio[round] = contestants[0].ns[round] /
			               contestants[i].ns[round];
		printf("{\"row\": \"%s\", \"who\": \"%s\", \"ns\": %.3f, "
		       "\"ratio\": %.3f}\n",
		       row, contestants[i].name, median(contestants[i].ns),
		       median(ratio));
	}
}

/* Of that many objects: all gone. */
static void resets(void)
{
	double us[ROUNDS];
	for (unsigned round = 0; round < ROUNDS; round++) {
		number began;
		for (number i = 0; i < MANY; i++)
			*(number *)slabd_arena_alloc(arena, SIZE, 0) = i;
		began = clock_now();
		slabd_arena_reset(arena);
		us[round] = (double)(clock_now() - began) / 1e3;
	}
	printf("{\"row\": \"reset of 200000\", \"who\": \"arena\", "
	       "\"us\": %.3f}\n", median(us));
}

/* A request of 80 objects goes to another client, which takes it; what is between
 * is not counted. */
static void hand_over(slabd_pool *from, slabd_pool *to)
{
	unsigned id = slabd_client_id(to);
	double us[ROUNDS];
	for (unsigned round = 0; round < ROUNDS; round++) {
		number spent = 0;
		for (unsigned k = 0; k < 1000; k++) {
			slabd_arena *sent = slabd_arena_create(from, NULL, NULL);
			number began;
			for (number i = 0; i < REQUEST; i++)
				*(number *)slabd_arena_alloc(sent, SIZE, 0) = i;
			began = clock_now();
			sent = slabd_arena_take(to, slabd_arena_give(sent, id));
			spent += clock_now() - began;
			slabd_arena_destroy(sent);
		}
		us[round] = (double)spent / 1e6;
	}
	printf("{\"row\": \"80 objects given and taken\", "
	       "\"who\": \"arena\", \"us\": %.3f}\n", median(us));
}

int main(void)
{
	slabd_pool *pool;
	slabd_pool *other;
	tap_start(600);
	fixture_open(&fixture, "[pool default]\nstart = 256M\nmax = 512M\n");
	pool = fixture_pool(&fixture);
	arena = slabd_arena_create(pool, NULL, "bench");
	bump.start = malloc((size_t)MANY * SIZE + 64);
	bump.at = bump.start;
	bump.end = bump.start + (size_t)MANY * SIZE + 64;
	nginx.first = nginx.current = new_block();
	if (!apr_start())
		n_contestants--;
	contest("W6", REQUEST, 5000);
	contest("200000", MANY, 1);
	resets();
	other = fixture_pool(&fixture);
	hand_over(pool, other);
	slabd_close(other);
	slabd_close(pool);
	free(bump.start);
	fixture_close(&fixture);
	return tap_end();
}
