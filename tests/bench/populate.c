/* SPDX-License-Identifier: MIT */
/*
 * How long backing_open takes to have memory ready, against a bare
 * mmap(MAP_POPULATE) of as many hugepages. Both find the pages reserved; they
 * take turns, so that neither has the warmer machine.
 *
 *   populate [MiB [ROUNDS]]      default 1024 MiB, 9 rounds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "numa/backing.h"
#include "numa/huge.h"

#define ROUNDS_MAX 99

static struct topo topo;
static struct backing backing;

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double bare_ms(uint64_t bytes)
{
	double began = now_ms();
	double ms;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB |
	                        MAP_POPULATE | 21 << MAP_HUGE_SHIFT,
	                -1, 0);
	ms = now_ms() - began;
	if (at == MAP_FAILED)
		return -1;
	munmap(at, bytes);
	return ms;
}

static double ours_ms(uint64_t bytes)
{
	uint64_t sizes[TOPO_NODES_MAX] = {bytes};
	struct backing_request request = {
		.topo = &topo,
		.name = "bench",
		.first = BACKING_2M,
		.file_bytes = sizes,
		.start_bytes = sizes,
	};
	double began = now_ms();
	int r = backing_open(&backing, &request);
	double ms = now_ms() - began;
	if (r < 0)
		return -1;
	if (backing.n_steps > 0) {
		fprintf(stderr, "%s\n", backing.steps[0].reason);
		ms = -1;
	}
	backing_close(&backing);
	return ms;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *ms, unsigned n)
{
	qsort(ms, n, sizeof(*ms), by_size);
	return ms[n / 2];
}

static int run(uint64_t bytes, unsigned rounds)
{
	double bare[ROUNDS_MAX];
	double ours[ROUNDS_MAX];
	/* The first touch of a virtual machine's memory is its host's cost. */
	if (bare_ms(bytes) < 0 || ours_ms(bytes) < 0)
		return 1;
	for (unsigned i = 0; i < rounds; i++) {
		bool first = i % 2 == 0;
		if (first)
			bare[i] = bare_ms(bytes);
		ours[i] = ours_ms(bytes);
		if (!first)
			bare[i] = bare_ms(bytes);
		if (bare[i] < 0 || ours[i] < 0)
			return 1;
		printf("round %u: mmap(MAP_POPULATE) %.1f ms, backing_open "
		       "%.1f ms\n",
		       i + 1, bare[i], ours[i]);
	}
	double bare_mid = median(bare, rounds);
	double ours_mid = median(ours, rounds);
	printf("median of %u rounds, %llu MiB on 2 MiB pages: "
	       "mmap(MAP_POPULATE) %.1f ms, backing_open %.1f ms, ratio "
	       "%.3f\n",
	       rounds, (unsigned long long)(bytes >> 20), bare_mid, ours_mid,
	       ours_mid / bare_mid);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t bytes = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1024) << 20;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 9;
	uint64_t got = 0;
	uint64_t gone;
	int r;
	if (bytes < 2 << 20 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: populate [MiB [ROUNDS]]\n");
		return 2;
	}
	if (topo_load(&topo, NULL) < 0) {
		fprintf(stderr, "%s\n", topo.error);
		return 1;
	}
	r = huge_reserve(NULL, topo.node[0].os_id, 21, bytes >> 21, &got);
	if (r < 0 || got < bytes >> 21)
		fprintf(stderr, "only %llu of %llu hugepages to be had\n",
		        (unsigned long long)got,
		        (unsigned long long)(bytes >> 21));
	else
		r = run(bytes, rounds);
	huge_release(NULL, topo.node[0].os_id, 21, got, &gone);
	return r < 0 || got < bytes >> 21 ? 1 : r;
}
