/* SPDX-License-Identifier: MIT */
/* Workloads of one thread: W1, W2, W2 in bulk, W2b, W6, W7, and pairs that go
 * round many caches or many live objects. */
#include "tests/bench/keep.h"
#include "tests/bench/who.h"
#include "tests/bench/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define W2_LIVE 256u
#define W2B_LIVE 100000u
#define W6_LIVE 80u
#define W6_BYTES 96u

static struct who_cache **caches;
static uint64_t n_caches, n_live;
static void **live;
static uint32_t *order;

/* ---- what is measured --------------------------------------------------- */

typedef void (*single_loop)(struct who_cache *, uint64_t);

__attribute__((noinline)) static void w1(struct who_cache *cache, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		void *object = who_alloc(cache);
		WORK_USED(object);
		who_free(cache, object);
	}
}

__attribute__((noinline)) static void w2(struct who_cache *cache, uint64_t n)
{
	void **objects = live;
	for (uint64_t i = 0; i < n; i += W2_LIVE) {
		for (unsigned k = 0; k < W2_LIVE; k++)
			objects[k] = who_alloc(cache);
		for (unsigned k = 0; k < W2_LIVE; k++)
			who_free(cache, objects[k]);
	}
}

#ifdef WHO_BULK
__attribute__((noinline)) static void w2_bulk(struct who_cache *cache,
                                              uint64_t n)
{
	void **objects = live;
	for (uint64_t i = 0; i < n; i += W2_LIVE) {
		for (unsigned k = 0; k < W2_LIVE; k += WHO_BULK_N)
			if (who_alloc_bulk(cache, WHO_BULK_N, objects + k) !=
			    WHO_BULK_N)
				abort();
		for (unsigned k = 0; k < W2_LIVE; k += WHO_BULK_N)
			who_free_bulk(cache, WHO_BULK_N, objects + k);
	}
}

__attribute__((noinline)) static void w8(struct who_cache *cache, uint64_t n)
{
	keep_turns(cache, n, n_live, WHO_BULK_N, live);
}

__attribute__((noinline)) static void w8_one(struct who_cache *cache,
                                             uint64_t n)
{
	keep_turns(cache, n, n_live, 1, live);
}
#endif

/* Objects written, and freed in shuffled order. */
__attribute__((noinline)) static void w2b(struct who_cache *cache, uint64_t n)
{
	void **objects = live;
	const uint32_t *at = order;
	uint64_t most = n_live;
	for (uint64_t i = 0; i < n; i += most) {
		for (uint64_t k = 0; k < most; k++) {
			objects[k] = who_alloc(cache);
			*(uint64_t *)objects[k] = k;
		}
		for (uint64_t k = 0; k < most; k++)
			who_free(cache, objects[at[k]]);
	}
}

/* A request: its objects one by one, each written, then all gone. */
__attribute__((noinline)) static void w6(struct who_cache *cache, uint64_t n)
{
	void **objects = live;
	for (uint64_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < W6_LIVE; k++) {
			objects[k] = who_alloc(cache);
			*(uint64_t *)objects[k] = k;
		}
		for (unsigned k = 0; k < W6_LIVE; k++)
			who_free(cache, objects[k]);
	}
}

/* Each object names the next; a load must end before the next can begin. */
__attribute__((noinline)) static void w7(struct who_cache *cache, uint64_t n)
{
	static void **at;
	(void)cache;
	if (at == NULL)
		at = (void **)live[0];
	for (uint64_t i = 0; i < n; i++)
		at = (void **)*at;
	WORK_USED(at);
}

/* A pair in each cache in turn. */
__attribute__((noinline)) static void w1_caches(struct who_cache *unused,
                                                uint64_t n)
{
	uint64_t k = 0;
	(void)unused;
	for (uint64_t i = 0; i < n; i++) {
		void *object = who_alloc(caches[k]);
		WORK_USED(object);
		who_free(caches[k], object);
		k = k + 1 == n_caches ? 0 : k + 1;
	}
}

/* Keeps n_live objects and replaces them at random. */
__attribute__((noinline)) static void churn(struct who_cache *cache, uint64_t n)
{
	static uint64_t x = UINT64_C(88172645463325252);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t k;
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		k = (uint64_t)(((unsigned __int128)x * n_live) >> 64);
		who_free(cache, live[k]);
		live[k] = who_alloc(cache);
		*(uint64_t *)live[k] = k;
	}
}

/* ---- around it ---------------------------------------------------------- */

static int start_with(const struct work_job *job, size_t bytes, uint64_t most)
{
	n_caches = job->caches > 0 ? job->caches : 1;
	n_live = most;
	caches = (struct who_cache **)calloc(n_caches, sizeof(*caches));
	live = (void **)calloc(most, sizeof(*live));
	if (caches == NULL || live == NULL)
		return work_fail("no memory");
	if (who_early(job) != 0 || who_open(job, 0) != 0)
		return 1;
	/* Sizes that differ make caches that differ. */
	for (uint64_t i = 0; i < n_caches; i++) {
		caches[i] = who_make(bytes + i * 8, most);
		if (caches[i] == NULL)
			return 1;
	}
	work_pin(job->cpu[0]);
	return who_thread(0);
}

static int start_w2(const struct work_job *job)
{
	return start_with(job, job->bytes, W2_LIVE);
}

#ifdef WHO_BULK
static int start_w8(const struct work_job *job)
{
	return start_with(job, job->bytes, keep_of(job));
}
#endif

static int start_w2b(const struct work_job *job)
{
	uint64_t most = job->live > 0 ? job->live : W2B_LIVE;
	order = work_shuffled((uint32_t)most, false);
	return start_with(job, job->bytes, most);
}

static int start_w6(const struct work_job *job)
{
	return start_with(job, W6_BYTES, W6_LIVE);
}

static int fill_live(void)
{
	for (uint64_t i = 0; i < n_live; i++) {
		live[i] = who_alloc(caches[0]);
		if (live[i] == NULL)
			return work_fail("out of memory");
		*(uint64_t *)live[i] = i;
	}
	return 0;
}

static int start_churn(const struct work_job *job)
{
	uint64_t most = job->live > 0 ? job->live : W2B_LIVE;
	if (start_with(job, job->bytes, most) != 0)
		return 1;
	return fill_live();
}

static int start_w7(const struct work_job *job)
{
	uint64_t most = job->live > 0 ? job->live : W2B_LIVE;
	if (start_with(job, job->bytes, most) != 0 || fill_live() != 0)
		return 1;
	order = work_shuffled((uint32_t)most, true);
	for (uint64_t i = 0; i < most; i++)
		*(void **)live[i] = live[order[i]];
	free(order);
	return 0;
}

static uint64_t whole(uint64_t n, uint64_t step)
{
	return (n + step - 1) / step * step;
}

static int timed(single_loop loop, uint64_t n, struct work_result *result)
{
	double began = work_now_ns();
	loop(caches[0], n);
	result->ns = work_now_ns() - began;
	result->ops = n;
	return 0;
}

#define SAMPLE(name, step)                                                     \
	static int sample_##name(const struct work_job *job, uint64_t n,       \
	                         struct work_result *result)                   \
	{                                                                      \
		(void)job;                                                     \
		return timed(name, whole(n, step), result);                    \
	}
SAMPLE(w1, 1)
SAMPLE(w2, W2_LIVE)
#ifdef WHO_BULK
SAMPLE(w2_bulk, W2_LIVE)
SAMPLE(w8, n_live)
SAMPLE(w8_one, n_live)
#endif
SAMPLE(w2b, n_live)
SAMPLE(w6, 1)
SAMPLE(w7, 1)
SAMPLE(w1_caches, 1)
SAMPLE(churn, 1)

const struct work_kind single_kinds[] = {
	{"W1", start_w2, sample_w1, who_close},
	{"W2", start_w2, sample_w2, who_close},
#ifdef WHO_BULK
	{"W2bulk", start_w2, sample_w2_bulk, who_close},
	{"W8", start_w8, sample_w8, who_close},
	{"W8one", start_w8, sample_w8_one, who_close},
#endif
	{"W2b", start_w2b, sample_w2b, who_close},
	{"W6", start_w6, sample_w6, who_close},
	{"W7", start_w7, sample_w7, who_close},
	{"caches", start_w2, sample_w1_caches, who_close},
	{"churn", start_churn, sample_churn, who_close},
	{NULL, NULL, NULL, NULL},
};
