/* SPDX-License-Identifier: MIT */
/* Random numbers of a test (splitmix64): the seed is printed, and SLABD_SEED
 * gives it. */
#ifndef TESTS_LIB_RNG_H
#define TESTS_LIB_RNG_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline uint32_t rng_below(struct rng *rng, uint64_t n)
{
	return (uint32_t)(rng_next(rng) % n);
}

static inline struct rng rng_start(const char *what)
{
	const char *given = getenv("SLABD_SEED");
	uint64_t seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	if (given != NULL)
		seed = strtoull(given, NULL, 0);
	fprintf(stderr, "%s: SLABD_SEED=%llu\n", what,
	        (unsigned long long)seed);
	return (struct rng){.state = seed};
}

/* Another, for a thread or a child of the same test. */
static inline struct rng rng_split(struct rng *rng)
{
	return (struct rng){.state = rng_next(rng)};
}

#endif
