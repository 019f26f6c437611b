/* SPDX-License-Identifier: MIT */
#include "daemon/pool/grow.h"

#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/pool/work.h"
#include "shm/probe.h"

#define GROW_BYTES_MAX (UINT64_C(8) << 20) /* faulted in at one time */
#define GROW_NS_MAX (2 * CLOCK_MS)         /* that it should take */
#define VAIN_NS (40 * CLOCK_MS) /* until denied lists are asked for anew */

/* ---- how much ------------------------------------------------------------ */

/* At least one page, even if that is larger than the bound; an eighth of what
 * there is at the most, and no more than the kernel gives in a moment. */
static uint64_t step_pages(const struct pool *pool, uint32_t node)
{
	uint64_t most = GROW_BYTES_MAX >> pool->view.geo.page_shift;
	uint64_t n = pool->pages.node[node].pages / 8;
	most = most < pool->run_pages[node] ? most : pool->run_pages[node];
	n = n < most ? n : most;
	return n > 1 ? n : 1;
}

/* Runs double as long as nobody waits long for them. */
static void fit_run(struct pool *pool, uint32_t node, uint64_t got,
                    int64_t took_ns)
{
	uint64_t *run = &pool->run_pages[node];
	if (took_ns > GROW_NS_MAX)
		*run = *run > 1 ? *run / 2 : 1;
	else if (took_ns < GROW_NS_MAX / 2 && got >= *run)
		*run = *run > 0 ? *run * 2 : 2;
}

/* ---- done ---------------------------------------------------------------- */

static void grow(struct work_job *job)
{
	job->error = backing_grow(job->books, job->row[0], work_page(job, 0),
	                          job->range[0].n, job->row[1], &job->got);
}

static void grow_spare(struct work_job *job)
{
	job->error = backing_grow_spare(job->books, job->row[0],
	                                work_page(job, 0), job->range[0].n,
	                                job->row[1], &job->got);
}

/* What the run gave comes into the pool's books. */
static void grown(struct work_job *job)
{
	struct pool *pool = job->pool;
	uint32_t node = job->row[1];
	pool->busy[node] = job->error == -EAGAIN && job->got == 0;
	if (job->error == 0)
		pool->said[node] = BACKING_LACK_NONE;
	else if (job->error != -ECANCELED && !pool->busy[node] &&
	         job->run == grow)
		pool_say_lack(pool, node);
	pool->grow_again = true;
	fit_run(pool, node, job->got, job->took_ns);
	if (job->got > 0)
		pages_add(&pool->pages, job->range[0].first, job->got, node);
	probe_grow(pool->name, node, job->got, job->took_ns);
	pool->vain_ns[node] =
		job->got > 0 || pool->busy[node] ? 0 : clock_ns();
}

/* ---- begun --------------------------------------------------------------- */

/* A pool without a crew asks the kernel each time. */
static bool was_vain(const struct pool *pool, uint32_t node)
{
	int64_t at_ns = pool->work == NULL ? 0 : pool->vain_ns[node];
	return at_ns != 0 && clock_ns() - at_ns < VAIN_NS;
}

/* By how many pages a node may grow at the most. Where the kernel is very short of
 * memory, those are hugepages that it has set aside: it can't use them itself. */
static uint64_t may_grow(const struct pool *pool, uint32_t node)
{
	if (pool->view.nodes[node].drain != 0 || pool->offline[node] ||
	    was_vain(pool, node))
		return 0;
	return pool->pressed[node] ? backing_spare_pages(&pool->backing, node)
	                           : UINT64_MAX;
}

static bool is_put_off(struct pool *pool, uint32_t row)
{
	bool is = work_is_taken(pool, row);
	pool->grow_again |= is;
	return is;
}

static int begin(struct pool *pool, uint32_t node,
                 const struct work_range *range)
{
	uint32_t file = pages_file(&pool->pages, range->first);
	uint64_t before = pool->pages.node[node].pages;
	struct work_job job = {.pool = pool,
	                       .run = pool->pressed[node] ? grow_spare : grow,
	                       .done = grown,
	                       .row = {file, node, node},
	                       .coming = range->n,
	                       .range = {*range}};
	int r;
	if (is_put_off(pool, file))
		return WORK_E_COMING;
	r = work_do(&job);
	if (r != 0)
		return r;
	if (pool->busy[node])
		return -EAGAIN;
	return pool->pages.node[node].pages > before ? 0 : -ENOSPC;
}

int grow_pages(struct pool *pool, uint32_t node)
{
	struct work_range range = {.n = step_pages(pool, node)};
	uint64_t most = may_grow(pool, node);
	if (most == 0)
		return -ENOSPC;
	range.n = range.n < most ? range.n : most;
	if (is_put_off(pool, node))
		return WORK_E_COMING;
	if (pool->work != NULL && pool->busy[node])
		return -EAGAIN;
	range.first = pages_hole(&pool->pages, node, &range.n);
	return range.first == PAGES_NONE ? -ENOSPC : begin(pool, node, &range);
}

bool grow_is_coming(struct pool *pool, uint32_t node)
{
	uint64_t n = 1;
	uint64_t page;
	if (may_grow(pool, node) == 0)
		return false;
	if (work_is_taken(pool, node) || work_is_taken(pool, WORK_SHARED))
		return true;
	page = pages_hole(&pool->pages, node, &n);
	return page != PAGES_NONE &&
	       work_is_taken(pool, pages_file(&pool->pages, page));
}

bool grow_take_again(struct pool *pool)
{
	bool again = pool->grow_again;
	pool->grow_again = false;
	return again;
}
