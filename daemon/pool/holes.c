/* SPDX-License-Identifier: MIT */
#include "daemon/pool/holes.h"

#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/blame.h"
#include "daemon/pool/late.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/mend.h"
#include "daemon/pool/meta.h"
#include "numa/memfile.h"

#define REFILL_PAGES 16u /* looked at in one go; of 2 MiB, some ms */
#define REFILL_SAID UINT64_MAX /* refill_page: from the first one on */
#define PURGE_PAGES 32u    /* punched in one go */
#define SMALL_PAGES 4096u  /* the same, of the shared file */
#define REST_MIN_NS CLOCK_S   /* after one that failed */
#define REST_MAX_NS (64 * CLOCK_S)

/* ---- counted ------------------------------------------------------------- */

int holes_count(const struct pool *pool, unsigned file, struct holes_count *out)
{
	if (blame_is_shared(pool, file)) {
		out->due_bytes = meta_due(pool) + lists_due(pool);
		return memfile_held(pool->shared_fd, &out->held_bytes);
	}
	out->due_bytes = pool->pages.node[file].in_file
	                 << pool->view.geo.page_shift;
	return backing_held(&pool->backing, file, &out->held_bytes);
}

/* Of pages that are on their way any part may be there. */
static uint64_t coming_bytes(const struct pool *pool, unsigned file)
{
	return blame_is_shared(pool, file)
	               ? 0
	               : work_pages(pool, file) << pool->view.geo.page_shift;
}

void holes_audit(const struct pool *pool, struct audit *audit)
{
	struct holes_count count;
	for (unsigned file = 0; file < holes_files(pool); file++)
		if (holes_count(pool, file, &count) == 0 &&
		    (count.held_bytes < count.due_bytes ||
		     count.held_bytes - count.due_bytes >
		             coming_bytes(pool, file)))
			audit_fault(audit, AUDIT_FILE_HELD, file,
			            count.held_bytes, count.due_bytes);
}

bool holes_is_mending(const struct pool *pool)
{
	return pool->holes_failed == 0 &&
	       (pool->purge_said || pool->refill_page != 0 || pool->holes_more);
}

/* ---- jobs ---------------------------------------------------------------- */

/* Does one; where that was at once, whether there is more. What was put off is
 * tried again by itself. */
static bool begin(struct pool *pool, const struct work_job *job)
{
	pool->holes_more = false;
	return work_do(job) == 0 && holes_take_more(pool);
}

/* After a job: the file is looked at again if there is more to do, but for one that
 * failed, which is left alone for twice as long each time. */
static void note_end(struct pool *pool, int error, bool more)
{
	int64_t rest_ns = REST_MIN_NS;
	pool->holes_more |= more && error >= 0;
	if (error >= 0) {
		pool->holes_failed = 0;
		return;
	}
	for (unsigned i = 0; i < pool->holes_failed && rest_ns < REST_MAX_NS; i++)
		rest_ns *= 2;
	pool->holes_failed++;
	pool->holes_rest_ns = clock_ns() + rest_ns;
	log_warn("pool %s: memory of its files that is in no book can't be given "
	         "back: %s; tried again in %lld s",
	         pool->name, strerrordesc_np(-error),
	         (long long)(rest_ns / CLOCK_S));
}

/* ---- too much ------------------------------------------------------------ */

/* Where a walk through a file's pages goes on that ended at one. */
static uint64_t from_in(const struct pool *pool, uint32_t file, uint64_t page)
{
	uint64_t first = pages_first(&pool->pages, file);
	uint64_t n = pages_size(&pool->pages, file);
	return page > first && page < first + n ? page : first;
}

static void say_added(struct pool *pool, unsigned file, uint64_t bytes)
{
	blame_say(pool, file, bytes,
	          "were faulted in that the pool has not, and are given back");
}

/* As the first job begins, where it is known how much it is. */
static void say_first(struct pool *pool, unsigned file,
                      const struct holes_count *count)
{
	if (count->held_bytes <= count->due_bytes || pool->purge_said)
		return;
	say_added(pool, file, count->held_bytes - count->due_bytes);
	pool->purge_said = true;
}

/* What a job took away counts, and is said once. Whether the file lacks memory
 * now. */
static bool note_purged(struct work_job *job, bool more)
{
	struct pool *pool = job->pool;
	uint32_t row = job->row[0];
	unsigned file = row == WORK_SHARED ? pool->view.geo.n_nodes : row;
	struct holes_count count;
	if (holes_count(pool, file, &count) < 0)
		return false;
	if (count.held_bytes < job->bytes) {
		uint64_t bytes = job->bytes - count.held_bytes;
		pool->counts.given_back_bytes += bytes;
		pool->purged_bytes += bytes;
	}
	if (more || job->error < 0)
		return false;
	/* Somebody may have added to what had been done. */
	pool->holes_more |= pool->purged_bytes > 0 &&
	                    count.held_bytes > count.due_bytes;
	if (pool->purged_bytes > 0 && !pool->purge_said)
		say_added(pool, file, pool->purged_bytes);
	pool->purged_bytes = 0;
	pool->purge_said = false;
	return count.held_bytes < count.due_bytes;
}

static int punch_data(struct work_job *job, uint64_t first, uint64_t n)
{
	return backing_purge(job->books, job->row[0],
	                     first - pages_first(&job->pool->pages, job->row[0]),
	                     n);
}

static void run_purge(struct work_job *job)
{
	work_go_through(job, PURGE_PAGES, punch_data);
}

static bool refill(struct pool *pool, uint32_t file);

static void purged(struct work_job *job)
{
	struct pool *pool = job->pool;
	uint32_t file = job->row[0];
	uint64_t end = pages_first(&pool->pages, file) +
	               pages_size(&pool->pages, file);
	uint64_t at = work_end_of(job);
	bool more = pages_next_hole(&pool->pages, file, at) < end;
	bool lacks;
	pool->purge_page = more && job->error >= 0 ? at : 0;
	note_end(pool, job->error, more);
	lacks = note_purged(job, more);
	if (lacks)
		pool->holes_more |= refill(pool, file);
}

/* All that is no page, from where the last job ended. Whether there is more. */
static bool purge(struct pool *pool, uint32_t file,
                  const struct holes_count *count)
{
	struct work_job job = {.pool = pool,
	                       .run = run_purge,
	                       .done = purged,
	                       .row = {file, file, file},
	                       .bytes = count->held_bytes};
	uint64_t end = pages_first(&pool->pages, file) +
	               pages_size(&pool->pages, file);
	uint64_t at = from_in(pool, file, pool->purge_page);
	while (job.n_ranges < WORK_RANGES &&
	       (at = pages_next_hole(&pool->pages, file, at)) < end) {
		uint64_t to = pages_next_ready(&pool->pages, at);
		to = to < end ? to : end;
		job.range[job.n_ranges++] = (struct work_range){at, to - at};
		at = to;
	}
	if (job.n_ranges > 0) {
		say_first(pool, file, count);
		return begin(pool, &job);
	}
	pool->purge_page = 0;
	return count->held_bytes < count->due_bytes && refill(pool, file);
}

/* Who maps a file as others map theirs has all of it promised by the kernel,
 * and the promise outlives it: only a page that comes and goes takes its own
 * along. bytes: as many promises as there were before. */
static int unpromise(struct work_job *job, uint64_t first, uint64_t n)
{
	uint32_t file = job->row[0];
	(void)n;
	if (backing_promised(job->books, file) > job->bytes)
		backing_unpromise(job->books, file,
		                  first - pages_first(&job->pool->pages, file));
	return 0;
}

static void run_unpromise(struct work_job *job)
{
	work_go_through(job, 1, unpromise);
}

static void unpromised(struct work_job *job)
{
	struct pool *pool = job->pool;
	uint32_t file = job->row[0];
	uint64_t now = backing_promised(&pool->backing, file);
	uint64_t at = work_end_of(job);
	bool more = now > job->bytes &&
	            pages_next_hole(&pool->pages, file, at) != PAGES_NONE;
	pool->promise_page = more ? at : 0;
	if (!more)
		pool->promised[file] = now;
	note_end(pool, 0, true);
}

/* False: there is none to be taken back. */
static bool take_promises(struct pool *pool, uint32_t file, bool *more)
{
	uint64_t now = backing_promised(&pool->backing, file);
	struct work_job job = {.pool = pool,
	                       .run = run_unpromise,
	                       .done = unpromised,
	                       .row = {file, file, file},
	                       .bytes = pool->promised[file]};
	uint64_t at = from_in(pool, file, pool->promise_page);
	while (now > job.bytes && job.n_ranges < WORK_RANGES &&
	       (at = pages_next_hole(&pool->pages, file, at)) != PAGES_NONE)
		job.range[job.n_ranges++] = (struct work_range){at++, 1};
	if (job.n_ranges == 0) {
		pool->promised[file] = now;
		return false;
	}
	*more = begin(pool, &job);
	return true;
}

/* ---- too much of the shared file ----------------------------------------- */

static int punch_shared(struct work_job *job, uint64_t first, uint64_t n)
{
	const struct memfile file = {.fd = job->pool->shared_fd,
	                             .kind = BACKING_4K,
	                             .page_shift = META_PUNCH_SHIFT};
	return memfile_punch(&file, first, n);
}

static void run_shared(struct work_job *job)
{
	work_go_through(job, SMALL_PAGES, punch_shared);
}

static bool set_aside(struct pool *pool, const struct holes_count *count);

static void shared_purged(struct work_job *job)
{
	struct pool *pool = job->pool;
	const struct work_range *last = &job->range[job->n_ranges - 1];
	uint64_t at = work_end_of(job);
	bool more = at < last->first + last->n || job->n_ranges == WORK_RANGES;
	struct holes_count count;
	pool->purge_small = more && job->error >= 0 ? at : 0;
	note_end(pool, job->error, more);
	if (note_purged(job, more) &&
	    holes_count(pool, pool->view.geo.n_nodes, &count) == 0 &&
	    count.held_bytes < count.due_bytes)
		pool->holes_more |= set_aside(pool, &count);
}

/* What of a range is not below a page goes into the job. */
static void add_range(struct work_job *job, struct work_range range,
                      uint64_t from)
{
	uint64_t end = range.first + range.n;
	if (end <= from || job->n_ranges == WORK_RANGES)
		return;
	range.first = range.first > from ? range.first : from;
	range.n = end - range.first;
	if (range.n > 0)
		job->range[job->n_ranges++] = range;
}

/* All that has no use yet, as it lies in the file, from where the last job
 * ended. Whether there is more. */
static bool purge_shared(struct pool *pool, const struct holes_count *count)
{
	struct work_job job = {.pool = pool,
	                       .run = run_shared,
	                       .done = shared_purged,
	                       .row = {WORK_SHARED, WORK_SHARED, WORK_SHARED},
	                       .bytes = count->held_bytes};
	uint64_t from = pool->purge_small;
	for (enum meta_part part = META_FIXED; part < META_TAGS; part++)
		add_range(&job, meta_excess(pool, part), from);
	job.n_ranges += lists_excess(pool, from, job.range + job.n_ranges,
	                             WORK_RANGES - job.n_ranges);
	for (enum meta_part part = META_TAGS; part < META_PARTS; part++)
		add_range(&job, meta_excess(pool, part), from);
	if (job.n_ranges > 0) {
		say_first(pool, pool->view.geo.n_nodes, count);
		return begin(pool, &job);
	}
	pool->purge_small = 0;
	return from > 0;
}

/* ---- too little ---------------------------------------------------------- */

/* Pages in a row from one on that lie on its node, of one file. */
static uint64_t run_of(const struct pool *pool, uint64_t page, uint64_t end)
{
	uint32_t node = pages_node_of(&pool->pages, page);
	uint64_t n = 1;
	while (n < REFILL_PAGES && page + n < end &&
	       pages_node_of(&pool->pages, page + n) == node)
		n++;
	return n;
}

/* bytes: those that the file lacks. */
static void run_refill(struct work_job *job)
{
	job->error = backing_refill(job->books, job->row[0], work_page(job, 0),
	                            job->range[0].n, job->row[1], job->bytes);
}

static void refilled(struct work_job *job)
{
	struct pool *pool = job->pool;
	uint32_t file = job->row[0];
	uint64_t end = pages_first(&pool->pages, file) +
	               pages_size(&pool->pages, file);
	uint64_t at = job->range[0].first + job->range[0].n;
	struct holes_count count;
	bool more;
	if (job->error < 0)
		log_error("pool %s: node %u has no memory for pages that were "
		          "taken away: clients that touch them end by SIGBUS; "
		          "free hugepages or memory there",
		          pool->name, pool->view.nodes[file].os_id);
	pool->refill_page = 0;
	if (holes_count(pool, file, &count) < 0)
		return;
	pool->counts.refilled_bytes +=
		job->bytes - count.due_bytes + count.held_bytes;
	more = count.held_bytes < count.due_bytes && at < end;
	pool->refill_page = more ? at : 0;
	pool->holes_more |= more;
}

/* Goes on through a file's pages until all is there. Whether there is more; what
 * has to wait for pages that are on their way is tried again by itself. */
static bool refill(struct pool *pool, uint32_t file)
{
	uint64_t first = pages_first(&pool->pages, file);
	uint64_t end = first + pages_size(&pool->pages, file);
	uint64_t at = from_in(pool, file, pool->refill_page);
	struct work_job job = {.pool = pool,
	                       .run = run_refill,
	                       .done = refilled,
	                       .row = {file},
	                       .n_ranges = 1};
	struct holes_count count;
	if (holes_count(pool, file, &count) < 0 ||
	    count.held_bytes >= count.due_bytes)
		return false;
	job.bytes = count.due_bytes - count.held_bytes;
	if (at == first && pool->refill_page != REFILL_SAID)
		blame_say(pool, file, job.bytes,
		          "of its pages were taken away: what objects there "
		          "held is lost, and memory comes there again");
	at = pages_next_ready(&pool->pages, at);
	pool->refill_page = 0;
	if (at >= end)
		return false;
	job.row[1] = job.row[2] = pages_node_of(&pool->pages, at);
	job.range[0] = (struct work_range){at, run_of(pool, at, end)};
	/* As long as it is put off. */
	pool->refill_page = at > first ? at : REFILL_SAID;
	return begin(pool, &job);
}

/* First of all nobody new comes in. Whether there is more. */
static bool set_aside(struct pool *pool, const struct holes_count *count)
{
	if (!pool->mending)
		blame_say(pool, pool->view.geo.n_nodes,
		          count->due_bytes - count->held_bytes,
		          "of its owner tags and lists were taken away");
	if (pool->head->aside == 0) {
		pool->head->aside = 1;
		log_error("pool %s: it is set aside, as nobody knows any "
		          "longer which objects are in use: its clients go "
		          "on, and no other may open it; end them, and it is "
		          "as new",
		          pool->name);
	}
	return mend_some(pool);
}

/* ---- a look -------------------------------------------------------------- */

/* What a client adds meanwhile does not hide it. */
static bool lacks_tags(const struct pool *pool, const struct holes_count *count)
{
	return pool->mending || count->held_bytes < count->due_bytes;
}

static bool look_at_shared(struct pool *pool)
{
	struct holes_count count;
	if (holes_count(pool, pool->view.geo.n_nodes, &count) < 0)
		return false;
	if (lacks_tags(pool, &count))
		return set_aside(pool, &count);
	return count.held_bytes > count.due_bytes &&
	       work_is_free(pool, WORK_SHARED) && purge_shared(pool, &count);
}

static bool look_at(struct pool *pool, unsigned file)
{
	struct holes_count count;
	bool more;
	if (blame_is_shared(pool, file))
		return look_at_shared(pool);
	/* Pages that are on their way are no holes, and no pages yet. */
	if (!work_is_free(pool, file))
		return false;
	if (take_promises(pool, file, &more) &&
	    (more || work_is_taken(pool, file)))
		return more;
	if (holes_count(pool, file, &count) < 0 ||
	    count.held_bytes == count.due_bytes)
		return false;
	if (count.held_bytes < count.due_bytes &&
	    from_in(pool, file, pool->refill_page) >
	            pages_first(&pool->pages, file))
		return refill(pool, file);
	return purge(pool, file, &count);
}

bool holes_guard(struct pool *pool)
{
	struct holes_count count;
	if (holes_count(pool, pool->view.geo.n_nodes, &count) < 0 ||
	    !lacks_tags(pool, &count))
		return true;
	(void)set_aside(pool, &count);
	return !pool->mending;
}

bool holes_take_more(struct pool *pool)
{
	bool more = pool->holes_more;
	pool->holes_more = false;
	return more;
}

bool holes_differ(const struct pool *pool)
{
	struct holes_count count;
	bool differ = false;
	for (unsigned file = 0; !differ && file < holes_files(pool); file++)
		differ = holes_count(pool, file, &count) == 0 &&
		         count.held_bytes != count.due_bytes;
	return differ;
}

bool holes_look(struct pool *pool)
{
	bool more = false;
	bool rests = clock_ns() < pool->holes_rest_ns;
	for (unsigned file = 0; !rests && !more && file < holes_files(pool);
	     file++)
		more = look_at(pool, file);
	late_settle(pool);
	if (!more)
		blame_note(pool);
	return more;
}
