/* SPDX-License-Identifier: MIT */
#include "tests/bench/work.h"

#include "tests/bench/tail.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_READS 10001

double tail_rate(void)
{
	double began = work_now_ns(), ended;
	uint64_t ticks = tail_now();
	do
		ended = work_now_ns();
	while (ended - began < 5e6);
	return (double)(tail_now() - ticks) / (ended - began);
}

/* The smallest value of a bucket. */
static uint64_t floor_of(unsigned ix)
{
	unsigned log = ix / TAIL_SUB;
	if (log == 0)
		return ix;
	return (uint64_t)(TAIL_SUB + ix % TAIL_SUB) << (log - 1);
}

static uint64_t quantile(const struct tail *tail, double share)
{
	uint64_t due = (uint64_t)((double)tail->n * share);
	uint64_t seen = 0;
	for (unsigned ix = 0; ix < TAIL_BUCKETS; ix++) {
		seen += tail->bucket[ix];
		if (seen > due)
			return floor_of(ix);
	}
	return tail->most;
}

/* What two reads of the clock in a row cost. */
static uint64_t clock_cost(void)
{
	static struct tail reads;
	memset(&reads, 0, sizeof(reads));
	for (int i = 0; i < CLOCK_READS; i++) {
		uint64_t began = tail_now();
		tail_add(&reads, tail_now() - began);
	}
	return quantile(&reads, 0.5);
}

uint64_t tail_step(void)
{
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < CLOCK_READS; i++) {
		uint64_t began = tail_now(), ended;
		uint64_t first = tail_now() - began;
		/* Two spans that differ, differ by a step or more. */
		began = tail_now();
		ended = tail_now() - began;
		if (ended > first && ended - first < least)
			least = ended - first;
	}
	return least == UINT64_MAX ? 0 : least;
}

int tail_tell(struct tail *tail, const char *name, double rate, char *out,
              size_t size)
{
	static const double shares[] = {0.5, 0.99, 0.999};
	uint64_t cost = clock_cost();
	double ns[4];
	int length;
	for (int i = 0; i < 4; i++) {
		uint64_t ticks = i < 3 ? quantile(tail, shares[i]) : tail->most;
		ns[i] = (double)(ticks > cost ? ticks - cost : 0) / rate;
	}
	length = snprintf(out, size,
	                  ",\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f"
	                  ",\"max\":%.1f,\"n\":%llu}",
	                  name, ns[0], ns[1], ns[2], ns[3],
	                  (unsigned long long)tail->n);
	memset(tail, 0, sizeof(*tail));
	return length;
}
