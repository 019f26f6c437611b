/* SPDX-License-Identifier: MIT */
#include "daemon/pool/late.h"

#include "daemon/pool/work.h"

/* bytes: the pages of the node. */
static void settle(struct work_job *job)
{
	backing_set_resident(job->books, job->row[0], job->bytes);
}

static void give(struct work_job *job)
{
	(void)backing_give_late(job->books, job->row[0]);
}

static void done(struct work_job *job)
{
	(void)job;
}

static void begin(struct pool *pool, uint32_t node,
                  void (*run)(struct work_job *job))
{
	const struct work_job job = {.pool = pool,
	                             .run = run,
	                             .done = done,
	                             .row = {node, node, node},
	                             .bytes = pool->pages.node[node].pages};
	(void)work_do(&job);
}

bool late_give(struct pool *pool)
{
	bool all = true;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		if (backing_is_late(&pool->backing, node))
			begin(pool, node, give);
		all &= !backing_is_late(&pool->backing, node);
	}
	return all;
}

void late_settle(struct pool *pool)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (pool->backing.node[node].resident_pages !=
		            pool->pages.node[node].pages &&
		    !work_is_taken(pool, node))
			begin(pool, node, settle);
}
