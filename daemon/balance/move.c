/* SPDX-License-Identifier: MIT */
#include "daemon/balance/move.h"

#include <errno.h>
#include <string.h>

#include "daemon/balance/own.h"
#include "daemon/base/log.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"

#define LOOKS_MAX 256u      /* at a node's slabs, for those with most free */
#define RECLAIM_LOOKS 4096u /* at slabs that are in use, in one call */
#define RUNS_LOOKS 16384u   /* at runs of units, in one call */
#define LOOK_OBJS 512u      /* that are read in the time of a look */
#define VAIN_MAX 1024u      /* words of a list, of which a client says too much */
#define PICK_MAX 32u        /* of them at one time */

/* ---- lend and return ---------------------------------------------------- */

struct pick {
	uint32_t head;
	uint32_t free;
};

/* Keeps the n best in descending order; the last one falls out. */
static void keep_best(struct pick *best, uint32_t n, struct pick one)
{
	for (uint32_t i = 0; i < n; i++) {
		struct pick was = best[i];
		if (one.free <= was.free)
			continue;
		best[i] = one;
		one = was;
	}
}

/* The listed slabs of a cache at home on a node with most free, into best,
 * which is empty. How many. */
static uint32_t pick_partial(const struct pool *pool, uint32_t cache,
                             uint32_t node, uint32_t n, struct pick *best)
{
	const struct view *view = &pool->view;
	struct partial list = partial_of(view, cache, node);
	uint32_t vain = VAIN_MAX;
	uint32_t unit = partial_next_few(&list, 0, &vain);
	uint32_t left = LOOKS_MAX + pool->loans.n;
	uint32_t looks = 0;
	uint32_t found = 0;
	/* Borrowed slabs are passed over, and may be all that comes first; so
	 * are those that a client holds, perhaps for ever. */
	for (; looks < LOOKS_MAX && left > 0; left--) {
		struct pick one = {.head = unit};
		if (unit >= view->geo.n_units)
			break;
		if (view->words[unit] == WORD_MAKE(cache, node, 0, node) &&
		    atom_load(&view->leases[unit]) == 0) {
			one.free = balance_count_free(pool, unit);
			keep_best(best, n, one);
			looks++;
		}
		unit = partial_next_few(&list, unit + 1, &vain);
	}
	while (found < n && best[found].free > 0)
		found++;
	return found;
}

uint32_t move_lend(struct pool *pool, uint32_t cache, uint32_t from,
                   uint32_t to, uint32_t n, int *error)
{
	uint32_t done = 0;
	*error = 0;
	while (done < n) {
		struct pick best[PICK_MAX] = {{0, 0}};
		uint32_t want = n - done < PICK_MAX ? n - done : PICK_MAX;
		uint32_t found = pick_partial(pool, cache, from, want, best);
		uint32_t before = done;
		for (uint32_t i = 0; i < found; i++)
			done += slabs_lend(pool, best[i].head, to) == 0;
		if (done == before) {
			*error = found > 0 ? -EBUSY : -ENOENT;
			break;
		}
	}
	return done;
}

uint32_t move_carve(struct pool *pool, uint32_t cache, uint32_t home,
                    uint32_t list, uint32_t n, int *error)
{
	uint32_t done = 0;
	uint32_t head;
	*error = 0;
	while (done < n &&
	       (*error = slabs_carve(pool, cache, home, list, &head)) == 0)
		done++;
	return done;
}

/* Which loans are returned. */
struct which {
	uint32_t free; /* with at least so many objects free */
	bool unused;   /* and that no client takes from */
};

/* Returns up to n, from where the pass is on. False: there was no time for all of
 * the pass. */
static bool return_some(struct pool *pool, const struct move_of *of, uint32_t n,
                        const struct which *which, struct balance_back *back,
                        int64_t until_ns, uint32_t *done)
{
	int64_t now = clock_ns();
	uint32_t i = back->at < pool->loans.n ? back->at : pool->loans.n;
	while (i-- > 0 && *done < n) {
		const struct loan *loan = &pool->loans.loan[i];
		uint32_t head = loan->head;
		uint64_t word = pool->view.words[head];
		back->at = i;
		if (WORD_CACHE(word) != of->cache ||
		    WORD_HOME(word) != of->home ||
		    (of->list != PLAN_NONE && WORD_LIST(word) != of->list) ||
		    (which->unused && !loans_is_unused(loan, now)))
			continue;
		if (balance_count_free(pool, head) >= which->free) {
			/* The last takes its place: it was looked at before. */
			if (slabs_return(pool, head) < 0)
				back->busy = true;
			else
				*done += 1;
		}
		if (clock_ns() >= until_ns)
			return false;
	}
	return true;
}

/* Slabs that are empty come first, then those with free objects that no client
 * takes, then those with free objects, then the rest. */
uint32_t move_return_some(struct pool *pool, const struct move_of *of,
                          uint32_t n, struct balance_back *back, int64_t until_ns,
                          int *error)
{
	const struct which which[BACK_PASSES] = {
		{.free = balance_row(pool, of->cache)->n_objs},
		{.free = 1, .unused = true},
		{.free = 1},
		{.free = 0},
	};
	uint32_t done = 0;
	*error = 0;
	if (!back->began)
		*back = (struct balance_back){.began = true,
		                           .at = pool->loans.n};
	while (back->pass < BACK_PASSES && done < n) {
		if (!return_some(pool, of, n, &which[back->pass], back,
		                 until_ns, &done))
			return done;
		back->at = pool->loans.n;
		back->pass += done < n;
	}
	back->pass = BACK_PASSES;
	if (done < n)
		*error = back->busy ? -EBUSY : -ENOENT;
	return done;
}

uint32_t move_return(struct pool *pool, uint32_t cache, uint32_t home,
                     uint32_t list, uint32_t n, int *error)
{
	const struct move_of of = {cache, home, list};
	struct balance_back back = {.began = false};
	return move_return_some(pool, &of, n, &back, INT64_MAX, error);
}

/* ---- slabs emptied ------------------------------------------------------ */

/* Highest first, from where the last look saw one. Slabs that are in use are
 * passed over, so many of them in one call. */
uint32_t move_reclaim(struct pool *pool, uint32_t cache, uint32_t node,
                      uint32_t n, int64_t idle_ns, int *error)
{
	struct partial list = partial_of(&pool->view, cache, node);
	uint32_t n_objs = balance_row(pool, cache)->n_objs;
	uint32_t end =
		pool->balance->held[balance_cell(pool, cache, node)].empty_end;
	/* A client may have set bits beyond the last unit. */
	uint32_t unit = end > 0 ? end : (uint32_t)pool->view.geo.n_units;
	uint32_t done = 0;
	uint32_t vain = 0;
	while (done < n && vain < RECLAIM_LOOKS) {
		uint64_t page;
		unit = partial_prev(&list, unit);
		if (unit == PARTIAL_NONE)
			break;
		if (pool->view.words[unit] != WORD_MAKE(cache, node, 0, node) ||
		    !balance_seems_empty(pool, unit, n_objs) ||
		    slabs_reclaim(pool, unit) != 0) {
			vain += 1 + n_objs / LOOK_OBJS;
			continue;
		}
		done++;
		page = unit / pool->pages.page_units;
		if (pool->pages.used[page] == 0)
			pages_age(&pool->pages, page, idle_ns);
	}
	*error = done < n ? -ENOENT : 0;
	return done;
}

/* Whether every unit of a run is free, or of an empty slab of another cache
 * that ends within it. Adds what it costs to read slabs. */
static bool may_clear(const struct pool *pool, uint32_t first, uint32_t n_units,
                      uint32_t cache, uint32_t *looks)
{
	for (uint32_t unit = first; unit < first + n_units;) {
		uint64_t word = pool->view.words[unit];
		const struct layout_cache *row;
		if (word == 0) {
			unit++;
			continue;
		}
		row = balance_row(pool, WORD_CACHE(word));
		if (WORD_BACK(word) != 0 || WORD_CACHE(word) == cache ||
		    unit + (1u << row->order) > first + n_units ||
		    !balance_seems_empty(pool, unit, row->n_objs))
			return false;
		*looks += row->n_objs / LOOK_OBJS;
		if (balance_count_free(pool, unit) != row->n_objs)
			return false;
		unit += 1u << row->order;
	}
	return true;
}

/* False when a client took a slab of the run before that. */
static bool clear_run(struct pool *pool, uint32_t first, uint32_t n_units)
{
	bool all = true;
	for (uint32_t unit = first; unit < first + n_units; unit++)
		if (pool->view.words[unit] != 0)
			all &= slabs_reclaim(pool, unit) == 0;
	return all;
}

bool move_clear_run(struct pool *pool, uint32_t cache, uint32_t first,
                    uint32_t n_units)
{
	uint32_t looks = 0;
	return may_clear(pool, first, n_units, cache, &looks) &&
	       clear_run(pool, first, n_units);
}

uint32_t move_clear_runs(struct pool *pool, uint32_t cache, uint32_t node,
                         uint32_t n_units, uint32_t n, int *error)
{
	uint32_t done = 0;
	uint64_t page = pool->pages.n_pages;
	for (uint32_t looks = 0; done < n && looks < RUNS_LOOKS;) {
		uint32_t first, unit;
		page = pages_prev_used(&pool->pages, node, page);
		if (page == PAGES_NONE)
			break;
		first = (uint32_t)(page * pool->pages.page_units);
		unit = first + pool->pages.page_units;
		while (unit > first && done < n) {
			unit -= n_units;
			looks++;
			done += may_clear(pool, unit, n_units, cache, &looks) &&
			        clear_run(pool, unit, n_units);
		}
	}
	*error = done < n ? -ENOENT : 0;
	return done;
}

/* ---- pages -------------------------------------------------------------- */

static bool are_free(struct pool *pool, uint32_t a, uint32_t b)
{
	bool is = work_is_free(pool, a);
	return work_is_free(pool, b) && is;
}

bool move_may(struct pool *pool, uint64_t page, uint32_t to)
{
	uint32_t from = pages_node_of(&pool->pages, page);
	bool may = are_free(pool, pages_file(&pool->pages, page), to);
	return (from == NODE_NONE || work_is_free(pool, from)) && may;
}

static void run_move(struct work_job *job)
{
	job->error = backing_move(job->books, job->row[0], work_page(job, 0),
	                          job->row[1], job->row[2], &job->how);
}

static void moved(struct work_job *job)
{
	if (job->error == 0)
		slabs_rehome(job->pool, job->range[0].first, job->row[2]);
	/* NULL: the pool is being closed. */
	if (job->pool->balance != NULL)
		job->then(job);
}

bool move_migrate(struct pool *pool, uint64_t page, uint32_t to,
                  void (*then)(const struct work_job *job))
{
	uint32_t from = pages_node_of(&pool->pages, page);
	struct work_job job = {.pool = pool,
	                       .run = run_move,
	                       .done = moved,
	                       .then = then,
	                       .row = {pages_file(&pool->pages, page), from, to},
	                       .range = {{page, 1}}};
	return from != NODE_NONE && from != to && work_do(&job) != -EAGAIN;
}

/* How many idle pages of the same file lie in a row, downwards from a page. */
static uint32_t idle_run(const struct pool *pool, uint32_t node, uint64_t page,
                         uint32_t n, int64_t idle_ns)
{
	uint64_t first =
		pages_first(&pool->pages, pages_file(&pool->pages, page));
	uint32_t run = 1;
	while (run < n && page - run + 1 > first &&
	       pages_idle(&pool->pages, node, page - run + 1, idle_ns) ==
	               page - run)
		run++;
	return run;
}

static void run_shrink(struct work_job *job)
{
	job->error = backing_shrink(job->books, job->row[0], work_page(job, 0),
	                            job->range[0].n, job->row[1]);
}

/* Pages that could not be taken away are in no book: a look at the holes does it
 * (pool/holes.h), later each time that it fails. */
static void shrunk(struct work_job *job)
{
	struct pool *pool = job->pool;
	if (job->error < 0)
		log_warn("pool %s: %llu page%s of node %u can't be given back "
		         "now: %s; it is tried again",
		         pool->name, (unsigned long long)job->range[0].n,
		         job->range[0].n == 1 ? "" : "s",
		         pool->view.nodes[job->row[1]].os_id,
		         strerrordesc_np(-job->error));
}

/* A run of pages, of up to n; how many, or -errno. */
static int shrink_run(struct pool *pool, uint32_t node, uint32_t n,
                      int64_t idle_ns)
{
	uint64_t page = pages_idle(&pool->pages, node, UINT64_MAX,
	                           idle_ns);
	struct work_job job = {.pool = pool,
	                       .run = run_shrink,
	                       .done = shrunk,
	                       .row = {0, node, node}};
	uint32_t run;
	if (page == PAGES_NONE)
		return -ENOENT;
	job.row[0] = pages_file(&pool->pages, page);
	if (!are_free(pool, job.row[0], node))
		return -EAGAIN;
	run = idle_run(pool, node, page, n, idle_ns);
	job.coming = run;
	job.range[0] = (struct work_range){page - run + 1, run};
	for (uint64_t i = page - run + 1; i <= page; i++)
		pages_drop(&pool->pages, i);
	(void)work_do(&job);
	return (int)run;
}

uint32_t move_shrink(struct pool *pool, uint32_t node, uint32_t n,
                     int64_t idle_ns, int *error)
{
	uint32_t done = 0;
	int r = 0;
	while (done < n && r >= 0) {
		r = shrink_run(pool, node, n - done, idle_ns);
		done += r > 0 ? (uint32_t)r : 0;
	}
	*error = r < 0 && (done == 0 || r != -EAGAIN) ? r : 0;
	return done;
}

bool move_is_shrinking(const struct pool *pool, uint32_t node)
{
	const struct work_job *job = work_at(pool, node);
	return job != NULL && job->run == run_shrink;
}
