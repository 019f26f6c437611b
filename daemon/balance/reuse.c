/* SPDX-License-Identifier: MIT */
#include "daemon/balance/reuse.h"

#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"

#define CACHES_LOOKS 256u /* lists in one call */
#define SLABS_LOOKS 512u  /* slabs in one call that have objects in use */
#define LIST_LOOKS 128u   /* of these on one list */
#define TAKE_MAX 1024u    /* slabs of a list in one call */
#define PAUSE_NS (10 * CLOCK_MS)
#define HOT_NS (100 * CLOCK_MS)
#define IN_USE_NS (10 * CLOCK_S)

/* One call. */
struct reuse {
	uint32_t cache; /* that the room is for; 0: any */
	uint32_t node;
	uint32_t n_units; /* of its slabs */
	uint64_t left;    /* units that are yet to be freed */
	uint32_t looks;
	int64_t now_ns;
};

/* Slabs that stay on a list: none if nobody rang for it lately; its low mark if
 * somebody did; and more if it may be growing just now. */
static uint32_t leave(const struct pool *pool, const struct reuse *reuse,
                      uint32_t cache)
{
	const struct balance_held *held =
		&pool->balance->held[balance_cell(pool, cache, reuse->node)];
	uint32_t low = view_mark(&pool->view, cache, reuse->node)->low_slabs;
	int64_t ago = reuse->now_ns - held->wanted_ns;
	if (!held->wanted || ago >= IN_USE_NS)
		return 0;
	return ago >= HOT_NS
	               ? low
	               : low + pool_standing(pool, cache, reuse->node) / 8;
}

/* How many slabs of a list may be taken. */
static uint32_t spare(const struct pool *pool, const struct reuse *reuse,
                      uint32_t cache)
{
	uint32_t slabs = *pool_slabs(pool, cache, reuse->node);
	uint32_t keep = pool->balance->config.keep_slabs;
	uint32_t stay = leave(pool, reuse, cache);
	struct partial list;
	uint32_t listed;
	if (slabs <= keep)
		return 0;
	list = partial_of(&pool->view, cache, reuse->node);
	listed = partial_count_few(&list, stay + TAKE_MAX);
	slabs -= keep;
	listed = listed > stay ? listed - stay : 0;
	return listed < slabs ? listed : slabs;
}

/* Takes a slab apart; where it is smaller than what the room is for, all slabs
 * of the run in which it lies, or none. Units that were freed. */
static uint32_t take_slab(struct pool *pool, const struct reuse *reuse,
                          uint32_t head, uint32_t n_units)
{
	uint32_t first = head / reuse->n_units * reuse->n_units;
	if (n_units >= reuse->n_units)
		return slabs_reclaim(pool, head) == 0 ? n_units : 0;
	return move_clear_run(pool, reuse->cache, first, reuse->n_units)
	               ? reuse->n_units
	               : 0;
}

/* Goes on in a cache's list where the last look ended. */
static void take_from(struct pool *pool, struct reuse *reuse, uint32_t cache)
{
	const struct layout_cache *row = balance_row(pool, cache);
	struct partial list = partial_of(&pool->view, cache, reuse->node);
	uint32_t *at =
		&pool->balance->held[balance_cell(pool, cache, reuse->node)]
			 .reuse_at;
	uint32_t most = spare(pool, reuse, cache);
	uint32_t lies = PARTIAL_VAIN_MAX;
	uint32_t vain = 0;
	bool wrapped = *at == 0;
	while (most > 0 && reuse->left > 0 && vain < LIST_LOOKS) {
		uint32_t unit = partial_next_few(&list, *at, &lies);
		uint32_t freed = 0;
		if (unit >= pool->view.geo.n_units && wrapped)
			break;
		*at = unit < pool->view.geo.n_units ? unit + 1 : 0;
		wrapped |= *at == 0;
		if (*at == 0)
			continue;
		if (pool->view.words[unit] ==
		            WORD_MAKE(cache, reuse->node, 0, reuse->node) &&
		    balance_seems_empty(pool, unit, row->n_objs))
			freed = take_slab(pool, reuse, unit, 1u << row->order);
		vain += freed == 0;
		most -= freed > 0;
		reuse->left -= freed < reuse->left ? freed : reuse->left;
	}
	reuse->looks += vain;
}

static void note(struct pool *pool, const struct reuse *reuse, uint32_t donor,
                 uint64_t units)
{
	struct history *history = &pool->balance->history;
	const struct layout_cache *row = balance_row(pool, donor);
	uint32_t to = reuse->cache != 0 ? reuse->cache - 1 : donor - 1;
	struct balance_event event = {
		.cause = BALANCE_SHORT,
		.step = plan_step_of(PLAN_REASSIGN, PLAN_SHORT, to, reuse->node,
	                             reuse->node, units / reuse->n_units),
	};
	event.step.donor_ix = donor - 1;
	event.step.n_given = (uint32_t)(units >> row->order);
	event.step.distance = 10;
	event.done = event.step.n;
	history->counts.steps[PLAN_REASSIGN]++;
	history->counts.done[PLAN_REASSIGN] += event.done;
	history_note(history, &event);
}

uint64_t reuse_empties(struct pool *pool, uint32_t cache, uint32_t node,
                       uint64_t n)
{
	struct balance *b = pool->balance;
	struct reuse reuse = {
		.cache = cache,
		.node = node,
		.n_units =
			cache != 0 ? 1u << balance_row(pool, cache)->order : 1,
		.left = n,
		.now_ns = clock_ns(),
	};
	uint32_t looks =
		pool->n_caches < CACHES_LOOKS ? pool->n_caches : CACHES_LOOKS;
	if (reuse.now_ns < b->reuse_ns[node])
		return 0;
	for (; looks > 0 && reuse.left > 0 && reuse.looks < SLABS_LOOKS;
	     looks--) {
		uint32_t donor = b->reuse_cache[node] % pool->n_caches + 1;
		uint64_t before = reuse.left;
		if (donor != cache)
			take_from(pool, &reuse, donor);
		if (reuse.left < before)
			note(pool, &reuse, donor, before - reuse.left);
		/* One that had enough is the first that is asked again. */
		if (reuse.left > 0)
			b->reuse_cache[node] = donor;
	}
	if (reuse.left == n)
		b->reuse_ns[node] = reuse.now_ns + PAUSE_NS;
	return n - reuse.left;
}
