/* SPDX-License-Identifier: MIT */
/* Threads of a client that allocate, look, free and flush all along. */
#ifndef TESTS_LIB_CHURN_H
#define TESTS_LIB_CHURN_H

#include <pthread.h>

#include "tests/lib/harness.h"

#define CHURN_MAX 8u

struct churn {
	slabd_pool *pool;
	slabd_cache *cache;
	unsigned n;
	pthread_t threads[CHURN_MAX];
	uint32_t stop;
	uint32_t wrong; /* objects that had changed in their hands */
	uint32_t next;
};

/* Starts n threads on a cache whose objects have eight bytes at least. */
void churn_start(struct churn *churn, slabd_pool *pool, slabd_cache *cache,
                 unsigned n);

/* Ends them, all that they had freed; how often an object had changed. */
uint32_t churn_end(struct churn *churn);

/* Takes n objects, or as many as there are without a wait, and frees them. */
void churn_once(slabd_cache *cache, size_t n);

#endif
