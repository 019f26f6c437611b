/* SPDX-License-Identifier: MIT */
#include "daemon/balance/hand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/own.h"

#define SLICE_NS CLOCK_MS /* for slabs or pages, at one time */
#define WAITS_MAX 10000u  /* for pages that are on their way */

static unsigned id_of(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].os_id;
}

static const char *name_of(const struct pool *pool, uint32_t cache)
{
	return pool->view.caches[cache - 1].name;
}

/* cache 0: none. from PLAN_NONE: any. */
static struct plan_step step_of(const struct pool *pool, enum plan_kind kind,
                                enum plan_reason reason, uint32_t cache,
                                uint32_t from, uint32_t to, uint64_t n)
{
	uint32_t cache_ix = cache != 0 ? cache - 1 : PLAN_NONE;
	struct plan_step step =
		plan_step_of(kind, reason, cache_ix, from, to, n);
	step.distance =
		from != PLAN_NONE ? pool->topo->node[to].distance[from] : 10;
	return step;
}

static int refuse_drained(const struct pool *pool, uint32_t node,
                          struct remedy *why)
{
	char todo[64];
	snprintf(todo, sizeof(todo), "slabctl drain %u --undo ends that",
	         id_of(pool, node));
	return remedy_set(why, -EBUSY, todo, "node %u is being drained",
	                  id_of(pool, node));
}

/* ---- lend, return ------------------------------------------------------- */

static int none_lent(const struct pool *pool, const struct balance_lending *l,
                     struct remedy *why)
{
	return remedy_set(why, -ENOENT, "see slabctl caches",
	                  "node %u has lent no slabs of %s",
	                  id_of(pool, l->from), name_of(pool, l->cache));
}

static int check_lend(const struct pool *pool, const struct balance_lending *l,
                      struct remedy *why)
{
	if (l->from == l->to)
		return 0;
	if (pool->view.caches[l->cache - 1].flags & CACHE_STRICT)
		return remedy_set(why, -EPERM, "",
		                  "cache %s is strict: it takes the local node "
		                  "or none, so nothing is lent",
		                  name_of(pool, l->cache));
	if (pool->view.nodes[l->to].drain != 0)
		return refuse_drained(pool, l->to, why);
	return 0;
}

static void begin_lend(const struct pool *pool, struct balance_lending *l)
{
	l->began = true;
	l->step = l->from == l->to
	                  ? step_of(pool, PLAN_RETURN, PLAN_LOAN_OVER, l->cache,
	                            PLAN_NONE, l->to, l->n)
	                  : step_of(pool, PLAN_LEND, PLAN_SHORT, l->cache,
	                            l->from, l->to, l->n);
}

int balance_lend_some(struct pool *pool, struct balance_lending *l,
                      struct remedy *why)
{
	int64_t until_ns = clock_ns() + SLICE_NS;
	int r = check_lend(pool, l, why);
	if (r < 0)
		return r;
	if (!l->began)
		begin_lend(pool, l);
	/* Its cache may have ended since. */
	while (l->step.n > 0 && pool_has_cache(pool, l->cache)) {
		uint32_t before = pool->loans.n;
		l->done += balance_step_some(pool, BALANCE_HAND, &l->step,
		                             &l->back, until_ns);
		if (l->from != l->to)
			loans_by_hand(&pool->loans, before);
		if (l->step.n > 0 && clock_ns() >= until_ns)
			return 1;
	}
	if (l->done > 0)
		return 0;
	if (l->from == l->to)
		return none_lent(pool, l, why);
	return remedy_set(why, -ENOENT, "see slabctl slabs",
	                  "node %u has no slab of %s with anything free that "
	                  "could be lent",
	                  id_of(pool, l->from), name_of(pool, l->cache));
}

int balance_lend(struct pool *pool, uint32_t cache, uint32_t from, uint32_t to,
                 uint32_t n, uint64_t *done, struct remedy *why)
{
	struct balance_lending lending = {
		.cache = cache, .from = from, .to = to, .n = n};
	int r;
	do
		r = balance_lend_some(pool, &lending, why);
	while (r > 0);
	*done = lending.done;
	return r;
}

/* ---- migrate ------------------------------------------------------------ */

static bool has_slab_of(const struct pool *pool, uint64_t page, uint32_t cache)
{
	uint64_t unit = page * pool->pages.page_units;
	for (uint64_t end = unit + pool->pages.page_units; unit < end; unit++)
		if (WORD_CACHE(pool->view.words[unit]) == cache)
			return true;
	return false;
}

static int check_move(const struct pool *pool, uint32_t from, uint32_t to,
                      struct remedy *why)
{
	char reason[200];
	char remedy[200];
	if (from == to)
		return remedy_set(
			why, -EINVAL, "",
			"from and to are both node %u: name two nodes",
			id_of(pool, from));
	if (pool->view.nodes[to].drain != 0)
		return refuse_drained(pool, to, why);
	if (pool->pages.node[to].pages >= pages_max(&pool->pages, to))
		return remedy_set(why, -ENOSPC,
		                  "raise max in its section of slabd.conf",
		                  "node %u has all the pages that pool %s may "
		                  "have there",
		                  id_of(pool, to), pool->name);
	if (!pool->topo->simulated &&
	    !backing_may_move(reason, sizeof(reason), remedy, sizeof(remedy)))
		return remedy_set(why, -EPERM, remedy, "%s", reason);
	return 0;
}

/* What keeps one page from being moved there keeps all of them. It is not tried
 * again, as the kernel takes long to find that it has no memory. */
static bool is_for_all(int error)
{
	return error == -ENOSPC || error == -ENOMEM || error == -EPERM;
}

/* The next page that is meant; PAGES_NONE: there is none. */
static uint64_t next_page(const struct pool *pool,
                          const struct balance_moving *moving)
{
	return moving->cache != 0
	               ? pages_next_used(&pool->pages, moving->from,
	                                 moving->page)
	               : pages_next(&pool->pages, moving->from, moving->page);
}

/* What was noted last of a page's move; NULL: it is long ago. */
static const struct balance_event *event_of(const struct pool *pool,
                                            uint64_t page)
{
	const struct balance_event *event;
	uint32_t i = 0;
	while ((event = history_event(&pool->balance->history, i++)) != NULL)
		if (event->step.kind == PLAN_MIGRATE && !event->refused &&
		    event->step.page == page)
			return event;
	return NULL;
}

/* After a page was tried. False if no other page needs to be. */
static bool note_one(struct pool *pool, struct balance_moving *moving)
{
	const struct balance_event *event;
	uint64_t page = moving->page++;
	if (pages_node_of(&pool->pages, page) == moving->to) {
		moving->done++;
		return true;
	}
	event = event_of(pool, page);
	if (event == NULL)
		return true;
	memcpy(moving->cause, event->text, sizeof(moving->cause));
	return !is_for_all(event->error);
}

/* False if no other page needs to be tried. */
static bool move_one(struct pool *pool, struct balance_moving *moving)
{
	struct plan_step step =
		step_of(pool, PLAN_MIGRATE, PLAN_USED_THERE, moving->cache,
	                moving->from, moving->to, 1);
	step.page = moving->page;
	step.bytes = UINT64_C(1) << pool->view.geo.page_shift;
	(void)balance_step(pool, BALANCE_HAND, &step);
	moving->leaves = balance_is_leaving(pool, moving->page);
	moving->waits = moving->leaves || pool->balance->put_off;
	if (!moving->waits)
		return note_one(pool, moving);
	if (!moving->leaves && moving->n_waits++ > WAITS_MAX) {
		snprintf(moving->cause, sizeof(moving->cause),
		         "other pages of these nodes are on their way: try "
		         "again");
		return false;
	}
	return true;
}

/* Goes on with the one that is on its way, or the next that is meant. False: no
 * other is to be tried. */
static bool move_next(struct pool *pool, struct balance_moving *moving)
{
	uint64_t page;
	if (moving->leaves) {
		moving->leaves = balance_is_leaving(pool, moving->page);
		moving->waits = moving->leaves;
		return moving->waits || note_one(pool, moving);
	}
	page = next_page(pool, moving);
	if (page == PAGES_NONE)
		return false;
	moving->page = page;
	if (moving->cache == 0 || has_slab_of(pool, page, moving->cache))
		return move_one(pool, moving);
	moving->page++;
	return true;
}

int balance_migrate(struct pool *pool, struct balance_moving *moving,
                    struct remedy *why)
{
	int64_t until_ns = clock_ns() + SLICE_NS;
	int r = moving->began
	                ? 0
	                : check_move(pool, moving->from, moving->to, why);
	if (r < 0)
		return r;
	moving->began = true;
	while (moving->done < moving->n && move_next(pool, moving))
		if (moving->waits || clock_ns() >= until_ns)
			return 1;
	if (moving->done > 0)
		return 0;
	return remedy_set(why, -EBUSY, "", "no page of node %u was moved: %s",
	                  id_of(pool, moving->from),
	                  moving->cause[0] != '\0'
	                          ? moving->cause
	                          : "no page there has what was asked for");
}

/* ---- drain -------------------------------------------------------------- */

/* Whether another node may take what one has. */
static bool has_other(const struct pool *pool, uint32_t node)
{
	for (uint32_t i = 0; i < pool->view.geo.n_nodes; i++)
		if (i != node && pool->view.nodes[i].drain == 0)
			return true;
	return false;
}

int balance_drain(struct pool *pool, uint32_t node, bool drain,
                  struct remedy *why)
{
	if (drain && !has_other(pool, node))
		return remedy_set(why, -EBUSY, "",
		                  "node %u is the last that is not drained: "
		                  "its memory has nowhere to go",
		                  id_of(pool, node));
	pool_set_drain(pool, node, drain);
	pool->balance->idle_rounds = 0;
	return 0;
}
