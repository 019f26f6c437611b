/* SPDX-License-Identifier: MIT */
#include "daemon/pool/work.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/stop.h"
#include "numa/hugepool.h"

#define ROWS (NODES_MAX + 1u)
#define JOB_NS (4 * CLOCK_MS) /* while a row is lent */

struct work {
	struct crew *crew;
	bool came;
	struct spread times;
	struct work_job *by[ROWS]; /* by row: the job that has it */
	bool asked[ROWS];          /* by row: the loop is to have it */
	struct work_job slot[ROWS]; /* by the first row of a job that has it */
};

/* ---- done ---------------------------------------------------------------- */

static void run_timed(struct work_job *job)
{
	int64_t began_ns = clock_ns();
	job->run(job);
	job->took_ns = clock_ns() - began_ns;
}

static void run(struct crew_job *job)
{
	/* Another slabd in the way is not waited for: what is about to change is
	 * in the journal by then. */
	hugepool_hurry(true);
	run_timed((struct work_job *)job);
}

static void take_back(struct work_job *job, uint32_t row)
{
	struct pool *pool = job->pool;
	pool->work->by[row] = NULL;
	if (row < NODES_MAX)
		pool->backing.node[row] = job->copy->node[row];
}

static void done(struct crew_job *ended)
{
	struct work_job *job = (struct work_job *)ended;
	struct pool *pool = job->pool;
	for (unsigned i = 0; i < WORK_ROWS; i++)
		take_back(job, job->row[i]);
	pool->work->came = true;
	spread_add(&pool->work->times, job->took_ns);
	job->books = &pool->backing;
	job->done(job);
}

const struct spread *work_times(const struct pool *pool)
{
	return pool->work != NULL ? &pool->work->times : NULL;
}

/* ---- begun --------------------------------------------------------------- */

/* A place for the job, with a copy of the books, of which all but its rows, and what
 * a reload may change, stays as it is. NULL: there is no memory for it. */
static struct work_job *place_for(const struct work_job *what)
{
	struct pool *pool = what->pool;
	struct work_job *job = &pool->work->slot[what->row[0]];
	struct backing *copy = job->copy;
	if (copy == NULL) {
		copy = malloc(sizeof(*copy));
		if (copy == NULL)
			return NULL;
		*copy = pool->backing;
		copy->stopped = stop_is_due;
		copy->is_copy = true;
	}
	copy->max_percent = pool->backing.max_percent;
	*job = *what;
	job->copy = copy;
	job->books = copy;
	job->job.run = run;
	job->job.done = done;
	return job;
}

static void lend(struct work_job *job, uint32_t row)
{
	struct pool *pool = job->pool;
	pool->work->by[row] = job;
	if (row < NODES_MAX)
		job->copy->node[row] = pool->backing.node[row];
}

static int do_here(const struct work_job *what)
{
	struct work_job job = *what;
	job.books = &job.pool->backing;
	run_timed(&job);
	job.done(&job);
	return 0;
}

int work_do(const struct work_job *what)
{
	struct pool *pool = what->pool;
	struct work_job *job;
	bool are_free = true;
	for (unsigned i = 0; i < WORK_ROWS; i++)
		are_free &= work_is_free(pool, what->row[i]);
	if (!are_free)
		return -EAGAIN;
	job = pool->work != NULL ? place_for(what) : NULL;
	if (job == NULL)
		return do_here(what);
	for (unsigned i = 0; i < WORK_ROWS; i++)
		lend(job, job->row[i]);
	crew_submit(pool->work->crew, job->row[1], &job->job);
	return WORK_E_COMING;
}

/* ---- ranges -------------------------------------------------------------- */

uint64_t work_end_of(const struct work_job *job)
{
	uint64_t left = job->got;
	uint32_t i = 0;
	while (i + 1 < job->n_ranges && left >= job->range[i].n)
		left -= job->range[i++].n;
	return job->range[i].first + left;
}

void work_go_through(struct work_job *job, uint64_t part,
                     int (*with)(struct work_job *job, uint64_t first,
                                 uint64_t n))
{
	int64_t until_ns = clock_ns() + JOB_NS;
	for (uint32_t i = 0; i < job->n_ranges; i++) {
		uint64_t done = 0;
		while (done < job->range[i].n) {
			uint64_t left = job->range[i].n - done;
			left = left < part ? left : part;
			job->error = with(job, job->range[i].first + done,
			                  left);
			if (job->error < 0)
				return;
			done += left;
			job->got += left;
			if (clock_ns() >= until_ns)
				return;
		}
	}
}

/* ---- asked --------------------------------------------------------------- */

bool work_is_taken(const struct pool *pool, uint32_t row)
{
	const struct work *work = pool->work;
	return work != NULL && (work->by[row] != NULL || work->asked[row]);
}

const struct work_job *work_at(const struct pool *pool, uint32_t row)
{
	return pool->work != NULL ? pool->work->by[row] : NULL;
}

uint64_t work_pages(const struct pool *pool, uint32_t file)
{
	const struct work_job *job = work_at(pool, file);
	return job != NULL && job->row[0] == file ? job->coming : 0;
}

bool work_is_free(struct pool *pool, uint32_t row)
{
	struct work *work = pool->work;
	if (work == NULL || work->by[row] == NULL)
		return true;
	work->asked[row] = true;
	return false;
}

bool work_is_under_way(const struct pool *pool)
{
	for (uint32_t i = 0; pool->work != NULL && i < ROWS; i++)
		if (pool->work->by[i] != NULL)
			return true;
	return false;
}

bool work_wait(struct pool *pool, uint32_t row, int64_t until_ns)
{
	struct work *work = pool->work;
	bool good = true;
	while (good && work != NULL && work->by[row] != NULL)
		good = crew_wait(work->crew, &work->by[row]->job, until_ns);
	return good;
}

void work_settle(struct pool *pool, uint32_t row)
{
	(void)work_wait(pool, row, INT64_MAX);
}

bool work_settle_all(struct pool *pool, int64_t until_ns)
{
	bool good = true;
	for (uint32_t i = 0; good && i < ROWS; i++)
		good = work_wait(pool, i, until_ns);
	return good;
}

bool work_has_come(struct pool *pool)
{
	bool came = pool->work != NULL && pool->work->came;
	if (came)
		pool->work->came = false;
	return came;
}

bool work_take_put_off(struct pool *pool)
{
	struct work *work = pool->work;
	bool any = false;
	for (uint32_t i = 0; work != NULL && i < ROWS; i++) {
		if (work->by[i] != NULL || !work->asked[i])
			continue;
		work->asked[i] = false;
		any = true;
	}
	return any;
}

/* ---- opened and closed --------------------------------------------------- */

/* Waits for what is under way. */
static void close_work(struct pool *pool)
{
	(void)work_settle_all(pool, INT64_MAX);
	for (uint32_t i = 0; i < ROWS; i++)
		free(pool->work->slot[i].copy);
	free(pool->work);
	pool->work = NULL;
	pool->work_done = NULL;
}

int work_open(struct pool *pool, struct crew *crew)
{
	pool->work = calloc(1, sizeof(*pool->work));
	if (pool->work == NULL)
		return -ENOMEM;
	pool->work->crew = crew;
	pool->work_done = close_work;
	return 0;
}
