/* SPDX-License-Identifier: MIT */
#include "daemon/pool/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/stop.h"
#include "daemon/pool/crew.h"
#include "daemon/pool/pool.h"
#include "numa/hugepool.h"

#define GROW_BYTES_MAX (UINT64_C(8) << 20) /* faulted in at one time */
#define GROW_NS_MAX (2 * CLOCK_MS)         /* that it should take */
#define VAIN_NS (40 * CLOCK_MS) /* until denied lists are asked for anew */

/* A run of pages on its way. */
struct growth {
	struct crew_job job; /* first: a job is its growth */
	struct pool *pool;
	struct backing *books; /* those that it works on */
	struct backing *copy;  /* of a job beside the loop; NULL: none was */
	uint32_t node;
	uint32_t file;
	uint64_t page; /* of the pool */
	uint64_t n;
	uint64_t got;
	int64_t took_ns;
	int error;
};

struct work {
	struct crew *crew;
	bool came;
	struct growth *by[NODES_MAX]; /* by node: the job that has its row */
	bool asked[NODES_MAX];        /* by node: the loop is to have its row */
	int64_t vain_ns[NODES_MAX];   /* when there was nothing; 0: never */
	struct growth growth[NODES_MAX];
};

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

static void run(struct crew_job *job)
{
	struct growth *g = (struct growth *)job;
	int64_t began_ns = clock_ns();
	/* Another slabd in the way is not waited for: what is about to change is
	 * in the journal by then. */
	if (g->books->is_copy)
		hugepool_hurry(true);
	g->error = backing_grow(g->books, g->file,
	                        g->page - pages_first(&g->pool->pages, g->file),
	                        g->n, g->node, &g->got);
	g->took_ns = clock_ns() - began_ns;
}

/* What the run gave comes into the pool's books. */
static void note(const struct growth *g)
{
	struct pool *pool = g->pool;
	pool->busy[g->node] = g->error == -EAGAIN && g->got == 0;
	if (g->error == 0)
		pool->said[g->node] = BACKING_LACK_NONE;
	else if (g->error != -ECANCELED && !pool->busy[g->node])
		pool_say_lack(pool, g->node);
	fit_run(pool, g->node, g->got, g->took_ns);
	if (g->got > 0)
		pages_add(&pool->pages, g->page, g->got, g->node);
}

static void done(struct crew_job *job)
{
	struct growth *g = (struct growth *)job;
	struct pool *pool = g->pool;
	struct work *work = pool->work;
	pool->backing.node[g->node] = g->copy->node[g->node];
	pool->backing.node[g->file] = g->copy->node[g->file];
	work->by[g->node] = work->by[g->file] = NULL;
	work->came = true;
	note(g);
	work->vain_ns[g->node] =
		g->got > 0 || pool->busy[g->node] ? 0 : clock_ns();
}

/* ---- begun --------------------------------------------------------------- */

/* Copies what the job works on, all but two rows of which stays as it is. */
static int lend(struct growth *g)
{
	struct pool *pool = g->pool;
	struct work *work = pool->work;
	if (g->copy == NULL) {
		g->copy = malloc(sizeof(*g->copy));
		if (g->copy == NULL)
			return -ENOMEM;
		*g->copy = pool->backing;
		g->copy->stopped = stop_is_due;
		g->copy->is_copy = true;
	}
	g->books = g->copy;
	g->copy->node[g->node] = pool->backing.node[g->node];
	g->copy->node[g->file] = pool->backing.node[g->file];
	work->by[g->node] = work->by[g->file] = g;
	return 0;
}

static bool was_vain(const struct pool *pool, uint32_t node)
{
	int64_t at_ns = pool->work == NULL ? 0 : pool->work->vain_ns[node];
	return at_ns != 0 && clock_ns() - at_ns < VAIN_NS;
}

static int begin(const struct growth *what)
{
	struct work *work = what->pool->work;
	struct growth *g = &work->growth[what->node];
	struct backing *copy = g->copy;
	int r;
	*g = *what;
	g->copy = copy;
	r = lend(g);
	if (r < 0)
		return r;
	crew_submit(work->crew, g->node, &g->job);
	return WORK_E_COMING;
}

/* Whether no job may begin that needs a node's row. */
static bool is_taken(const struct pool *pool, uint32_t node)
{
	const struct work *work = pool->work;
	return work != NULL && (work->by[node] != NULL || work->asked[node]);
}

static bool may_grow(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].drain == 0 && !pool->offline[node] &&
	       !pool->pressed[node] && !was_vain(pool, node);
}

int work_grow(struct pool *pool, uint32_t node)
{
	struct growth g = {.job = {.run = run, .done = done},
	                   .pool = pool,
	                   .books = &pool->backing,
	                   .node = node,
	                   .n = step_pages(pool, node)};
	if (!may_grow(pool, node))
		return -ENOSPC;
	if (is_taken(pool, node))
		return WORK_E_COMING;
	if (pool->work != NULL && pool->busy[node])
		return -EAGAIN;
	g.page = pages_hole(&pool->pages, node, &g.n);
	if (g.page == PAGES_NONE)
		return -ENOSPC;
	g.file = pages_file(&pool->pages, g.page);
	if (is_taken(pool, g.file))
		return WORK_E_COMING;
	if (pool->work != NULL)
		return begin(&g);
	run(&g.job);
	note(&g);
	if (pool->busy[node])
		return -EAGAIN;
	return g.got > 0 ? 0 : -ENOSPC;
}

/* ---- asked --------------------------------------------------------------- */

bool work_is_coming(struct pool *pool, uint32_t node)
{
	uint64_t n = 1;
	uint64_t page;
	if (!may_grow(pool, node))
		return false;
	if (is_taken(pool, node))
		return true;
	page = pages_hole(&pool->pages, node, &n);
	return page != PAGES_NONE &&
	       is_taken(pool, pages_file(&pool->pages, page));
}

uint64_t work_pages(const struct pool *pool, uint32_t file)
{
	const struct work *work = pool->work;
	const struct growth *g = work != NULL ? work->by[file] : NULL;
	return g != NULL && g->file == file ? g->n : 0;
}

bool work_is_free(struct pool *pool, uint32_t node)
{
	struct work *work = pool->work;
	if (work == NULL || work->by[node] == NULL)
		return true;
	work->asked[node] = true;
	return false;
}

void work_settle(struct pool *pool, uint32_t node)
{
	struct work *work = pool->work;
	while (work != NULL && work->by[node] != NULL)
		crew_wait(work->crew, &work->by[node]->job);
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
	for (uint32_t i = 0; work != NULL && i < NODES_MAX; i++) {
		if (work->asked[i] && work->by[i] != NULL)
			return false;
		any |= work->asked[i];
	}
	if (any)
		memset(work->asked, 0, sizeof(work->asked));
	return any;
}

/* ---- opened and closed --------------------------------------------------- */

/* Waits for what is under way. */
static void close_work(struct pool *pool)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		work_settle(pool, i);
		free(pool->work->growth[i].copy);
	}
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
