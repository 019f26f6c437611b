/* SPDX-License-Identifier: MIT */
#include "tests/bench/who.h"

int who_early(const struct work_job *job)
{
	(void)job;
	return 0;
}

int who_open(const struct work_job *job, unsigned side)
{
	(void)job;
	return side == 0 ? 0 : work_fail("malloc has one process");
}

struct who_cache *who_make(size_t bytes, uint64_t most)
{
	struct who_cache *cache = malloc(sizeof(*cache));
	(void)most;
	if (cache != NULL)
		cache->bytes = bytes;
	return cache;
}

int who_thread(unsigned ix)
{
	(void)ix;
	return 0;
}

const char *who_name(void)
{
	const char *name = getenv("BENCH_NAME");
	return name != NULL ? name : "glibc";
}

void who_close(void)
{
}
