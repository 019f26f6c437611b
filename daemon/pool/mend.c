/* SPDX-License-Identifier: MIT */
#include "daemon/pool/mend.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/meta.h"

#define SLICE_NS CLOCK_MS

/* Ranges are of bytes; got: whether there is more. */
static void run_mend(struct work_job *job)
{
	struct pool *pool = job->pool;
	int64_t until_ns = clock_ns() + SLICE_NS;
	struct meta_range range[META_PARTS];
	bool lost;
	int r = 0;
	for (unsigned part = 0; part < META_PARTS; part++)
		range[part] = (struct meta_range){
			job->range[part].first,
			job->range[part].first + job->range[part].n, 0};
	if (pool->mend.list == 0)
		r = meta_mend_some(pool, range, until_ns, &lost);
	if (r == 0)
		r = lists_mend_some(pool, until_ns);
	job->error = r < 0 ? r : 0;
	job->got = r > 0;
}

static void mended(struct work_job *job)
{
	struct pool *pool = job->pool;
	if (job->error < 0)
		log_error("pool %s: there is no memory for them", pool->name);
	pool->mending = job->got > 0;
	pool->holes_more |= pool->mending;
}

bool mend_some(struct pool *pool)
{
	struct meta_range range[META_PARTS];
	struct work_job job = {.pool = pool,
	                       .run = run_mend,
	                       .done = mended,
	                       .row = {WORK_SHARED, WORK_SHARED, WORK_SHARED},
	                       .n_ranges = META_PARTS};
	meta_ranges(pool, range);
	for (unsigned part = 0; part < META_PARTS; part++)
		job.range[part] = (struct work_range){
			range[part].from, range[part].ready - range[part].from};
	pool->mending = true;
	pool->holes_more = false;
	if (work_do(&job) != 0 || !pool->holes_more)
		return false;
	pool->holes_more = false;
	return true;
}
