/* SPDX-License-Identifier: MIT */
/*
 * What the kernel may take long for, done by a crew beside the loop: pages are
 * faulted in, punched, asked for or moved, and hugepages come and go.
 *
 *   work_do  the books of some nodes are lent to a job: rows of numa/backing.h, of
 *            the node whose file it is, and of those whose memory comes or goes
 *   run      a thread works on a copy of these rows, and writes the journal
 *   done     the loop has the rows again, and enters what came of it
 *
 * Only one job at a time has a row. While it is lent the loop reads it as it was
 * before, and what would change it is put off: whoever asks for the row with
 * work_is_free, or work_do, has no growth begin there until work_take_put_off says
 * that it is time to try again. The shared file has a row of its own. Should slabd
 * die meanwhile, the next one finds the journal, and compares what the files hold
 * with the books (holes.h, adopt.c).
 *
 * A pool without a crew does all of that in the call. The loop's thread calls
 * all of this, but for run.
 */
#ifndef DAEMON_POOL_WORK_H
#define DAEMON_POOL_WORK_H

#include "daemon/base/spread.h"
#include "daemon/pool/crew.h"
#include "daemon/pool/pool.h"

#define WORK_E_COMING 1 /* it is on its way */
#define WORK_ROWS 3u    /* that a job may have */
#define WORK_RANGES 16u
#define WORK_AT 64u /* pages of which one job asks where they are */
#define WORK_SHARED NODES_MAX /* the row of the shared file */

struct work_range {
	uint64_t first; /* page of the pool, or hole of the shared file (meta.h) */
	uint64_t n;
};

/* What is to be done, and what came of it. */
struct work_job {
	struct crew_job job; /* first: a job of the crew's is its work_job */
	struct pool *pool;
	/* The books that it works on: of done, the pool's own. */
	struct backing *books;
	struct backing *copy; /* of work.c; NULL: none was needed yet */
	/* The file's row first, then that of the node whose thread does it; of the
	 * rest any again. */
	uint32_t row[WORK_ROWS];
	uint64_t coming; /* pages of the file that may be there or not meanwhile */
	struct work_range range[WORK_RANGES];
	uint32_t n_ranges;
	uint64_t bytes; /* of the caller's */
	uint64_t got;   /* of run's */
	uint8_t at[WORK_AT]; /* nodes where pages lie */
	int64_t took_ns;
	int error;
	struct backing_moved how;
	/* run by whatever thread, done by the loop's. */
	void (*run)(struct work_job *job);
	void (*done)(struct work_job *job);
	void (*then)(const struct work_job *job); /* of the caller's */
};

/* Has a crew do it from now on, until the pool is closed, which waits for what is
 * under way. 0 or -ENOMEM. */
int work_open(struct pool *pool, struct crew *crew);

/* Does a copy of that job: 0, it is done; WORK_E_COMING, done is called later;
 * -EAGAIN, a row is lent, so nothing was begun. */
int work_do(const struct work_job *job);

/* The page of a range of a job's in its file. */
static inline uint64_t work_page(const struct work_job *job, uint32_t range)
{
	return job->range[range].first -
	       pages_first(&job->pool->pages, job->row[0]);
}

/* How long jobs beside the loop took; NULL: the pool has no crew. */
const struct spread *work_times(const struct pool *pool);

/* The job that has a row; NULL: none has. */
const struct work_job *work_at(const struct pool *pool, uint32_t row);

/* For run: does what is to be done to each part of the ranges, for some ms. got is
 * how much that was. */
void work_go_through(struct work_job *job, uint64_t part,
                     int (*with)(struct work_job *job, uint64_t first,
                                 uint64_t n));

/* And for done: where it came to, the first page of the ranges that was not done. */
uint64_t work_end_of(const struct work_job *job);

/* Pages that are on their way into a file or out of it, of which any part may be
 * there. */
uint64_t work_pages(const struct pool *pool, uint32_t file);

/* Whether a row is lent, or others have asked for it. */
bool work_is_taken(const struct pool *pool, uint32_t row);

/* Whether the loop may change a row. If not, it is to be tried again later. */
bool work_is_free(struct pool *pool, uint32_t row);

/* Whether any row is lent. */
bool work_is_under_way(const struct pool *pool);

/* Waits until a row is free: for tests. */
void work_settle(struct pool *pool, uint32_t row);

/* The same until some time; whether it is free. */
bool work_wait(struct pool *pool, uint32_t row, int64_t until_ns);

/* The same for all rows, where a pool ends. False: one was not by that time, as a
 * client's call holds a file. */
bool work_settle_all(struct pool *pool, int64_t until_ns);

/* Whether something ended since the last time. */
bool work_has_come(struct pool *pool);

/* Whether some of what was put off may be tried again. */
bool work_take_put_off(struct pool *pool);

#endif
