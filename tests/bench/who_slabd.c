/* SPDX-License-Identifier: MIT */
#include "tests/bench/who.h"

#include <stdio.h>
#include <sys/mman.h>

#define IN_FLIGHT 4096u /* objects: as many as the ring of the others has */

slabd_pool *who_pool;
unsigned who_other;

/* Where the second process leaves its id for the first. */
static volatile unsigned *ids;

int who_early(const struct work_job *job)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	(void)job;
	if (page == MAP_FAILED)
		return work_fail("mmap");
	ids = (volatile unsigned *)page;
	return 0;
}

int who_open(const struct work_job *job, unsigned side)
{
	(void)job;
	who_pool = slabd_open(NULL, NULL);
	if (who_pool == NULL)
		return work_fail(slabd_last_error());
	ids[side] = slabd_client_id(who_pool);
	return 0;
}

struct who_cache *who_make(size_t bytes, uint64_t most)
{
	char name[32];
	slabd_cache *cache;
	(void)most;
	snprintf(name, sizeof(name), "bench-%zu", bytes);
	cache = slabd_cache_create(who_pool, name, bytes, 0, 0);
	if (cache == NULL)
		return work_fail(slabd_last_error()), NULL;
	return who_of(cache);
}

#ifdef WHO_CHANNEL
slabd_channel *who_channel;

/* As soon as both sides are there. */
int who_thread(unsigned ix)
{
	(void)ix;
	who_channel = slabd_channel_open(who_pool, "bench",
	                                 IN_FLIGHT / WHO_BULK_N);
	return who_channel != NULL ? 0 : work_fail(slabd_last_error());
}
#else
int who_thread(unsigned ix)
{
	(void)ix;
	who_other = ids[1];
	return 0;
}
#endif

void who_close(void)
{
	slabd_close(who_pool);
}
