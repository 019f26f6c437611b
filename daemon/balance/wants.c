/* SPDX-License-Identifier: MIT */
#include "daemon/balance/wants.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "shm/partial.h"
#include "shm/slab.h"

#define CARVE_BYTES_MAX (UINT64_C(8) << 20) /* at one time for one list */
#define GROW_BYTES_MAX (UINT64_C(16) << 20) /* faulted in at one time */
#define LOW_SLABS_MAX 16u
#define LOOKS_MAX 256u /* at slabs of a list, of which many may be held */

void wants_announce(struct pool *pool)
{
	uint32_t *seq = &pool->head->grow_seq;
	/* pairs: alloc_from; who sees the count sees the slabs. */
	atom_store_release(seq, atom_load(seq) + 1);
	syscall(SYS_futex, seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* At least low, even where high is below it. */
static uint32_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	if (value > high)
		value = high;
	return (uint32_t)(value < low ? low : value);
}

/* ---- pages -------------------------------------------------------------- */

/* Says why a node does not grow. */
static void say_lack(const struct pool *pool, uint32_t node)
{
	const struct backing_node *row = &pool->backing.node[node];
	uint64_t bytes = pool->pages.node[node].pages
	                 << pool->view.geo.page_shift;
	log_warn("pool %s: node %u does not grow beyond %llu MiB: %s%s%s",
	         pool->name, pool->view.nodes[node].os_id,
	         (unsigned long long)(bytes >> 20), row->reason,
	         row->remedy[0] ? "; to repair it: " : "", row->remedy);
}

/* Faults in an eighth more than there is, within bounds. */
static int add_pages(struct pool *pool, uint32_t node)
{
	uint64_t most = GROW_BYTES_MAX >> pool->view.geo.page_shift;
	uint64_t n = clamp(pool->pages.node[node].pages / 8, 1, most);
	uint64_t page = pages_hole(pool, node, &n);
	uint64_t got = 0;
	uint32_t file;
	if (page == PAGES_NONE || pool->view.nodes[node].drain != 0 ||
	    balance_offline(pool, node))
		return -ENOSPC;
	file = pages_file(pool, page);
	if (backing_grow(&pool->backing, file,
	                 page - pages_first(pool, file), n, node, &got) < 0)
		say_lack(pool, node);
	if (got > 0)
		pages_add(pool, page, got, node);
	return got > 0 ? 0 : -ENOSPC;
}

bool wants_ahead(struct pool *pool)
{
	bool more = false;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t ready = pool_ready_units(pool, node);
		uint64_t want = ready / 16 > pool->pages.page_units
		                        ? ready / 16
		                        : pool->pages.page_units;
		if (balance_pressure(pool, node) == PLAN_CALM &&
		    pages_free_units(pool, node) < want)
			more |= add_pages(pool, node) == 0;
	}
	return more;
}

/* ---- slabs -------------------------------------------------------------- */

static int take_units(struct pool *pool, uint32_t node, uint32_t n_units,
                      uint64_t *unit)
{
	if (pool->view.nodes[node].drain != 0)
		return -ENOSPC;
	while (pages_take(pool, node, n_units, unit) < 0)
		if (add_pages(pool, node) < 0)
			return -ENOSPC;
	return 0;
}

int wants_carve(struct pool *pool, uint32_t cache, uint32_t home,
                 uint32_t list, uint32_t *head)
{
	const struct layout_cache *row = &pool->view.caches[cache - 1];
	uint64_t unit;
	uint64_t line;
	int r = take_units(pool, home, 1u << row->order, &unit);
	if (r < 0)
		return r;
	/* There are lines enough for every unit at the smallest objects, but
	 * they may be scattered when large and small runs alternate. */
	r = extent_take(&pool->lines, 0, pool->lines.n, slab_lines(row), 1,
	                &line);
	if (r < 0) {
		pages_give(pool, unit, 1u << row->order);
		return r;
	}
	slab_carve_srv(&pool->view, (uint32_t)unit, cache, home, list,
	               (uint32_t)line);
	pool_count(pool, pool->view.words[unit], 1);
	pool->counts.grown_slabs++;
	*head = (uint32_t)unit;
	return 0;
}

static void set_low_mark(struct pool *pool, uint32_t cache, uint32_t node)
{
	uint32_t slabs = pool_standing(pool, cache, node);
	atom_store(&pool_mark(pool, cache, node)->low_slabs,
	          clamp(slabs / 8, 1, LOW_SLABS_MAX));
}

/* Slabs of a list that can be claimed from, up to limit. One whose lease is
 * held does not count: clients pass it over, and its holder may stand still. */
static uint32_t count_idle(const struct view *view, const struct partial *list,
                           uint32_t limit)
{
	uint32_t unit = partial_next(list, 0);
	uint32_t idle = 0;
	for (uint32_t looks = 0; looks < LOOKS_MAX && idle < limit; looks++) {
		if (unit >= view->geo.n_units)
			break;
		idle += atom_load(&view->leases[unit]) == 0;
		unit = partial_next(list, unit + 1);
	}
	return idle;
}

/* How many slabs a list that is below its mark is to get: an eighth more than
 * there are. 0 when it is not. */
static uint32_t lack(const struct pool *pool, uint32_t cache, uint32_t node)
{
	uint64_t slab_bytes = UNIT_BYTES << pool->view.caches[cache - 1].order;
	struct partial list = partial_of(&pool->view, cache, node);
	uint32_t have = pool_standing(pool, cache, node);
	uint32_t low = view_mark(&pool->view, cache, node)->low_slabs;
	if (count_idle(&pool->view, &list, low) >= low)
		return 0;
	return clamp(have / 8, 1, CARVE_BYTES_MAX / slab_bytes);
}

/* Something is idle that is at home on the node: of the rest of its list who
 * takes nothing that is lent has no use. */
static bool has_own(const struct pool *pool, uint32_t cache, uint32_t node)
{
	const struct view *view = &pool->view;
	struct partial list = partial_of(view, cache, node);
	uint32_t unit = partial_next(&list, 0);
	for (uint32_t looks = 0; looks < LOOKS_MAX; looks++) {
		if (unit >= view->geo.n_units)
			break;
		if (WORD_HOME(atom_load(&view->words[unit])) == node &&
		    atom_load(&view->leases[unit]) == 0)
			return true;
		unit = partial_next(&list, unit + 1);
	}
	return false;
}

static void mark_denied(struct pool *pool, uint32_t cache, uint32_t node,
                        uint32_t bits)
{
	uint32_t *denied = &pool_mark(pool, cache, node)->denied;
	atom_store(denied, atom_load(denied) | bits);
	pool->denied_any = true;
}

/* What the policy would do first: no look at anything else is needed for it.
 * True if nothing is lacking then. */
static bool carve_some(struct pool *pool, uint32_t cache, uint32_t node)
{
	uint32_t want = lack(pool, cache, node);
	uint32_t made = 0;
	uint32_t head;
	balance_rung(pool, cache, node);
	while (made < want && wants_carve(pool, cache, node, node, &head) == 0)
		made++;
	if (want == 0 && !has_own(pool, cache, node)) {
		if (wants_carve(pool, cache, node, node, &head) == 0)
			made++;
		else
			mark_denied(pool, cache, node, MARK_NO_OWN);
	}
	set_low_mark(pool, cache, node);
	if (made > 0 || want == 0)
		return true;
	balance_want(pool, cache, node, want);
	return false;
}

/* Something is still free on a list that is only low. */
static bool has_some(const struct pool *pool, uint32_t cache, uint32_t node)
{
	struct partial list = partial_of(&pool->view, cache, node);
	return count_idle(&pool->view, &list, 1) > 0;
}

int wants_relieve(struct pool *pool, uint32_t cache, uint32_t node)
{
	if (!carve_some(pool, cache, node))
		balance_short(pool);
	set_low_mark(pool, cache, node);
	return lack(pool, cache, node) == 0 || has_some(pool, cache, node)
	               ? 0
	               : -ENOSPC;
}

/* ---- wants -------------------------------------------------------------- */

static void deny(struct pool *pool, uint32_t cache, uint32_t node)
{
	mark_denied(pool, cache, node, MARK_DENIED);
	pool->counts.denied++;
}

void wants_retry(struct pool *pool)
{
	if (!pool->denied_any)
		return;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
			atom_store(&pool_mark(pool, cache, node)->denied, 0u);
	pool->denied_any = false;
}

void wants_adopt(struct pool *pool)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
			set_low_mark(pool, cache, node);
	pool->denied_any = true;
	wants_retry(pool);
	wants_announce(pool);
}

/* Carves for the wants of a word, which any client may have written to. What
 * that does not relieve is noted for the balance. */
static enum wants_outcome carve_word(struct pool *pool, uint64_t word,
                                      uint64_t bits)
{
	enum wants_outcome outcome = WANTS_NOTHING;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	for (; bits != 0; bits &= bits - 1) {
		uint64_t ix = word * 64 + (uint64_t)__builtin_ctzll(bits);
		uint32_t cache = (uint32_t)(ix / n_nodes) + 1;
		if (cache > pool->n_caches)
			continue;
		if (!carve_some(pool, cache, (uint32_t)(ix % n_nodes)))
			outcome = WANTS_DENIED;
		else if (outcome == WANTS_NOTHING)
			outcome = WANTS_DONE;
	}
	return outcome;
}

/* Marks what nothing helped. True if there is any. */
static bool deny_unmet(struct pool *pool)
{
	uint32_t cache;
	uint32_t node;
	bool any = false;
	for (uint32_t i = 0; balance_wanted(pool, i, &cache, &node); i++) {
		set_low_mark(pool, cache, node);
		if (!has_own(pool, cache, node))
			mark_denied(pool, cache, node, MARK_NO_OWN);
		if (has_some(pool, cache, node))
			continue;
		deny(pool, cache, node);
		any = true;
	}
	return any;
}

enum wants_outcome wants_serve(struct pool *pool)
{
	enum wants_outcome all = WANTS_NOTHING;
	for (uint64_t w = 0; w < pool->view.geo.want_words; w++) {
		uint64_t *want = &pool->view.wants[w];
		enum wants_outcome one;
		if (atom_load(want) == 0)
			continue;
		/* pairs: view_want_any; a want that comes later rings anew. */
		one = carve_word(pool, w, atom_swap(want, UINT64_C(0)));
		all = one > all ? one : all;
	}
	if (all == WANTS_DENIED) {
		bool trim = balance_short(pool);
		all = deny_unmet(pool) || trim ? WANTS_DENIED : WANTS_EVENED;
	}
	if (all != WANTS_NOTHING)
		wants_announce(pool);
	return all;
}
