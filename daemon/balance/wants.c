/* SPDX-License-Identifier: MIT */
#include "daemon/balance/wants.h"

#include <errno.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "daemon/balance/denied.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/sweep.h"
#include "shm/partial.h"

#define CARVE_BYTES_MAX (UINT64_C(1) << 20) /* at once; the rest in slices */
#define LOOKS_MAX 512u /* at slabs of a list, of which many may be held */

/* ---- slabs -------------------------------------------------------------- */

/* Slabs of a list that can be claimed from, up to limit; own: those at home on
 * the node, as callers that refuse lent slabs can use no other. One whose
 * lease is held does not count: clients pass it over, and its holder may stand
 * still. */
static uint32_t count_idle(const struct pool *pool, uint32_t cache,
                           uint32_t node, bool own, uint32_t limit)
{
	const struct view *view = &pool->view;
	struct partial list = partial_of(view, cache, node);
	uint32_t unit = partial_next(&list, 0);
	uint32_t idle = 0;
	for (uint32_t looks = 0; looks < LOOKS_MAX && idle < limit; looks++) {
		if (unit >= view->geo.n_units)
			break;
		idle += atom_load(&view->leases[unit]) == 0 &&
		        (!own ||
		         WORD_HOME(atom_load(&view->words[unit])) == node);
		unit = partial_next(&list, unit + 1);
	}
	return idle;
}

/* How many slabs a list lacks: none unless it is below its low mark, else what
 * it ought to have ahead, or an eighth of what stands there; one at least. */
static uint32_t lack(const struct pool *pool, uint32_t cache, uint32_t node)
{
	uint64_t slab_bytes = UNIT_BYTES << pool->view.caches[cache - 1].order;
	uint32_t most = (uint32_t)(CARVE_BYTES_MAX / slab_bytes);
	uint32_t have = pool_standing(pool, cache, node) / 8;
	uint32_t low = view_mark(&pool->view, cache, node)->low_slabs;
	uint32_t ahead = ahead_slabs(pool, cache, node);
	uint32_t idle = count_idle(pool, cache, node, false, low);
	if (idle >= low)
		return 0;
	have = ahead > idle + have ? ahead - idle : have;
	have = have < most ? have : most;
	return have > 1 ? have : 1;
}

static void set_low(struct pool *pool, uint32_t cache, uint32_t node)
{
	marks_set_low(pool, cache, node, ahead_slabs(pool, cache, node));
}

/* Does what a plan would do first, without a snapshot. True if nothing is
 * lacking then. */
static bool carve_some(struct pool *pool, uint32_t cache, uint32_t node,
                       struct unmet *unmet)
{
	uint32_t want = lack(pool, cache, node);
	bool lacks_own =
		want == 0 && count_idle(pool, cache, node, true, 1) == 0;
	uint32_t made;
	balance_rung(pool, cache, node);
	made = ahead_make(pool, cache, node, lacks_own ? 1 : want, true);
	if (lacks_own && made == 0 && !sweep_is_due(pool))
		marks_deny(pool, cache, node, MARK_NO_OWN);
	set_low(pool, cache, node);
	if (made > 0)
		denied_clear(pool, cache, node);
	if (made > 0 || want == 0)
		return true;
	unmet_add(unmet, cache, node, want);
	return false;
}

int wants_relieve(struct pool *pool, uint32_t cache, uint32_t node)
{
	struct unmet unmet;
	unmet.n = 0;
	if (!carve_some(pool, cache, node, &unmet))
		balance_short(pool, &unmet);
	set_low(pool, cache, node);
	/* Something is still free on a list that is only low. */
	return lack(pool, cache, node) == 0 ||
	                       count_idle(pool, cache, node, false, 1) > 0
	               ? 0
	               : -ENOSPC;
}

/* ---- wants -------------------------------------------------------------- */

/* Carves for the wants of a word, which any client may have written to. Those
 * that this does not relieve are added to unmet. */
static enum wants_outcome carve_word(struct pool *pool, uint64_t word,
                                     uint64_t bits, struct unmet *unmet)
{
	enum wants_outcome outcome = WANTS_NOTHING;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	for (; bits != 0; bits &= bits - 1) {
		uint64_t ix = word * 64 + (uint64_t)__builtin_ctzll(bits);
		uint32_t cache = (uint32_t)(ix / n_nodes) + 1;
		uint32_t node = (uint32_t)(ix % n_nodes);
		if (!pool_has_cache(pool, cache))
			continue;
		if (lack(pool, cache, node) > 0)
			ahead_rung(pool, cache, node);
		if (!carve_some(pool, cache, node, unmet))
			outcome = WANTS_DENIED;
		else if (outcome == WANTS_NOTHING)
			outcome = WANTS_DONE;
	}
	return outcome;
}

/* Denies the lists that still have nothing. True if there is any. */
static bool deny_unmet(struct pool *pool, const struct unmet *unmet)
{
	bool any = false;
	for (uint32_t i = 0; i < unmet->n; i++) {
		uint32_t cache = unmet->want[i].cache;
		uint32_t node = unmet->want[i].node;
		set_low(pool, cache, node);
		if (count_idle(pool, cache, node, true, 1) == 0)
			marks_deny(pool, cache, node, MARK_NO_OWN);
		if (count_idle(pool, cache, node, false, 1) > 0)
			continue;
		marks_deny(pool, cache, node,
		           MARK_DENIED | MARK_WHY_BITS(denied_note(
						 pool, &unmet->want[i])));
		pool->counts.denied++;
		any = true;
	}
	return any;
}

enum wants_outcome wants_serve(struct pool *pool, struct unmet *unmet)
{
	enum wants_outcome all = WANTS_NOTHING;
	unmet->n = 0;
	for (uint64_t w = 0; w < pool->view.geo.want_words; w++) {
		uint64_t *want = &pool->view.wants[w];
		enum wants_outcome one;
		if (atom_load(want) == 0)
			continue;
		/* pairs: view_want_any; a want that comes later rings anew. */
		one = carve_word(pool, w, atom_swap(want, UINT64_C(0)), unmet);
		all = one > all ? one : all;
	}
	/* What the dead had is on its way: who waits asks again. */
	if (all == WANTS_DENIED && sweep_is_due(pool)) {
		all = WANTS_DONE;
	} else if (all == WANTS_DENIED) {
		bool trim = balance_short(pool, unmet);
		all = deny_unmet(pool, unmet) || trim ? WANTS_DENIED
		                                      : WANTS_EVENED;
	}
	if (all != WANTS_NOTHING)
		marks_announce(pool);
	return all;
}
