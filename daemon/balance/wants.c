/* SPDX-License-Identifier: MIT */
#include "daemon/balance/wants.h"

#include <errno.h>

#include "daemon/balance/ahead.h"
#include "daemon/balance/balance.h"
#include "daemon/balance/denied.h"
#include "daemon/balance/own.h"
#include "daemon/balance/waits.h"
#include "daemon/pool/grow.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/sweep.h"
#include "shm/partial.h"

#define CARVE_BYTES_MAX (UINT64_C(1) << 20) /* at once; the rest in slices */
#define LOOKS_MAX 512u /* at slabs of a list, of which many may be held */
#define VAIN_MAX 256u  /* at words of a list, of which a client says too much */

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
	uint32_t vain = VAIN_MAX;
	uint32_t unit = partial_next_few(&list, 0, &vain);
	uint32_t idle = 0;
	for (uint32_t looks = 0; looks < LOOKS_MAX && idle < limit; looks++) {
		if (unit >= view->geo.n_units)
			break;
		idle += atom_load(&view->leases[unit]) == 0 &&
		        (!own ||
		         WORD_HOME(atom_load(&view->words[unit])) == node);
		unit = partial_next_few(&list, unit + 1, &vain);
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

/* Does what a plan would do first, without a snapshot. How many slabs that made;
 * what is lacking then is unmet, unless pages are on their way, or another slabd
 * is in the way: then the want waits until they are there or are known not to
 * come, or stands until it is not. */
static uint32_t carve_some(struct pool *pool, uint32_t cache, uint32_t node,
                           struct unmet *unmet)
{
	uint32_t want = lack(pool, cache, node);
	bool lacks_own =
		want == 0 && count_idle(pool, cache, node, true, 1) == 0;
	bool waits;
	uint32_t made;
	balance_rung(pool, cache, node);
	made = ahead_make(pool, cache, node, lacks_own ? 1 : want, true);
	waits = made == 0 && (want > 0 || lacks_own) &&
	        grow_is_coming(pool, node);
	balance_set_waits(pool, balance_cell(pool, cache, node), waits);
	if (made == 0 && !waits && pool->busy[node]) {
		(void)view_want_any(&pool->view, cache, node);
		return 0;
	}
	if (lacks_own && made == 0 && !waits && !sweep_is_due(pool))
		marks_deny(pool, cache, node, MARK_NO_OWN);
	set_low(pool, cache, node);
	if (made > 0)
		denied_clear(pool, cache, node);
	else if (waits)
		marks_set_growing(pool, cache, node, true);
	else if (want > 0)
		unmet_add(unmet, cache, node, want);
	return made;
}

int wants_relieve_some(struct pool *pool, uint32_t cache, uint32_t node,
                       int64_t until_ns)
{
	struct unmet unmet;
	unmet.n = 0;
	carve_some(pool, cache, node, &unmet);
	if (unmet.n > 0) {
		bool trim = false;
		balance_short(pool, &unmet);
		balance_short_steps(pool, until_ns, &trim);
	}
	set_low(pool, cache, node);
	/* Something is still free on a list that is only low. */
	return lack(pool, cache, node) == 0 ||
	                       count_idle(pool, cache, node, false, 1) > 0
	               ? 0
	               : -ENOSPC;
}

int wants_relieve(struct pool *pool, uint32_t cache, uint32_t node)
{
	return wants_relieve_some(pool, cache, node, INT64_MAX);
}

/* ---- a round over all wants ---------------------------------------------- */

/* Takes the next want from the cursor on; false: there is none. */
static bool take_want(struct pool *pool, uint64_t *cell)
{
	uint64_t *at = &pool->balance->round.at;
	for (; *at / 64 < pool->view.geo.want_words;
	     *at = (*at / 64 + 1) * 64) {
		uint64_t *word = &pool->view.wants[*at / 64];
		uint64_t bits = atom_load(word) & UINT64_MAX << *at % 64;
		if (bits == 0)
			continue;
		*cell = *at / 64 * 64 + (uint64_t)__builtin_ctzll(bits);
		*at = *cell + 1;
		/* pairs: view_want_any; a want that comes later rings anew. */
		atom_clear(word, bits & ~(bits - 1));
		return true;
	}
	return false;
}

static void note_outcome(struct wants_round *round, enum wants_outcome one)
{
	round->told = true;
	if (one > round->outcome)
		round->outcome = one;
}

/* Any client may have raised any want. */
static void serve_want(struct pool *pool, uint64_t cell)
{
	struct wants_round *round = &pool->balance->round;
	uint32_t n_nodes = pool->view.geo.n_nodes;
	uint32_t cache = (uint32_t)(cell / n_nodes) + 1;
	uint32_t node = (uint32_t)(cell % n_nodes);
	bool waited = balance_waits(pool, (uint32_t)cell);
	balance_set_waits(pool, (uint32_t)cell, false);
	if (!pool_has_cache(pool, cache))
		return;
	/* A want that stood is no other ring. */
	if (!waited && lack(pool, cache, node) > 0)
		ahead_rung(pool, cache, node);
	if (carve_some(pool, cache, node, &round->unmet) > 0 ||
	    (!pool->busy[node] && !balance_waits(pool, (uint32_t)cell)))
		note_outcome(round, WANTS_DONE);
}

/* One want after the other, until all were seen or as many are unmet as a plan
 * takes. False: there was no time for that. */
static bool carve_wants(struct pool *pool, int64_t until_ns)
{
	uint64_t cell;
	while (pool->balance->round.unmet.n < UNMET_MAX &&
	       take_want(pool, &cell)) {
		serve_want(pool, cell);
		if (clock_ns() >= until_ns)
			return false;
	}
	return true;
}

/* Denies a list that still has nothing, and for which no pages are on their way.
 * True if there is one. */
static bool deny(struct pool *pool, const struct unmet_want *want)
{
	uint32_t cache = want->cache;
	uint32_t node = want->node;
	set_low(pool, cache, node);
	if (count_idle(pool, cache, node, true, 1) == 0)
		marks_deny(pool, cache, node, MARK_NO_OWN);
	if (count_idle(pool, cache, node, false, 1) > 0)
		return false;
	if (balance_waits(pool, balance_cell(pool, cache, node))) {
		marks_set_growing(pool, cache, node, true);
		return false;
	}
	marks_deny(pool, cache, node,
	           MARK_DENIED | MARK_WHY_BITS(denied_note(pool, want)));
	pool->counts.denied++;
	return true;
}

/* False: there was no time for all of them. */
static bool deny_unmet(struct pool *pool, int64_t until_ns)
{
	struct wants_round *round = &pool->balance->round;
	note_outcome(round, WANTS_EVENED);
	while (round->deny_at < round->unmet.n) {
		const struct unmet_want *want =
			&round->unmet.want[round->deny_at++];
		/* The cache may have ended since. */
		if (pool_has_cache(pool, want->cache) && deny(pool, want))
			note_outcome(round, WANTS_DENIED);
		if (clock_ns() >= until_ns)
			return false;
	}
	return true;
}

/* Where carving did not do, a plan is made. Not while a sweep is due: what the
 * dead had is on its way, and who waits asks again. */
static enum wants_stage after_carving(struct pool *pool)
{
	struct wants_round *round = &pool->balance->round;
	if (round->unmet.n == 0 || sweep_is_due(pool))
		return WANTS_REST;
	balance_short(pool, &round->unmet);
	denied_judge(pool, &round->unmet);
	round->deny_at = 0;
	return WANTS_PLAN;
}

/* False: there was no time for the whole stage. */
static bool go_on(struct pool *pool, int64_t until_ns)
{
	struct wants_round *round = &pool->balance->round;
	bool trim = false;
	bool all = true;
	switch (round->stage) {
	case WANTS_REST:
		break;
	case WANTS_CARVE:
		all = carve_wants(pool, until_ns);
		if (all)
			round->stage = after_carving(pool);
		break;
	case WANTS_PLAN:
		all = balance_short_steps(pool, until_ns, &trim);
		if (trim)
			note_outcome(round, WANTS_DENIED);
		if (all)
			round->stage = WANTS_DENY;
		break;
	case WANTS_DENY:
		all = deny_unmet(pool, until_ns);
		if (all)
			round->stage = WANTS_REST;
		break;
	}
	return all;
}

/* False: nobody rang since the last round began. */
static bool begin(struct wants_round *round)
{
	if (round->at == 0 && !round->due)
		return false;
	/* What is rung for from here on may be behind the cursor. */
	if (round->at == 0)
		round->due = false;
	round->stage = WANTS_CARVE;
	round->outcome = WANTS_NOTHING;
	round->unmet.n = 0;
	return true;
}

void wants_rung(struct pool *pool)
{
	pool->balance->round.due = true;
}

void wants_came(struct pool *pool)
{
	struct balance *b = pool->balance;
	bool any = false;
	for (uint64_t w = 0; b->any_coming && w < pool->view.geo.want_words;
	     w++) {
		if (b->coming[w] == 0)
			continue;
		any = true;
		/* pairs: take_want; as if its client had raised it. */
		(void)atom_set(&pool->view.wants[w], b->coming[w]);
	}
	b->any_coming = any;
	b->round.due |= any;
}

enum wants_outcome wants_serve(struct pool *pool, int64_t until_ns, bool *more)
{
	struct wants_round *round = &pool->balance->round;
	bool all = round->stage != WANTS_REST || begin(round);
	round->told = false;
	while (all && round->stage != WANTS_REST)
		all = go_on(pool, until_ns);
	if (round->told)
		marks_announce(pool);
	if (round->stage == WANTS_REST &&
	    round->at / 64 >= pool->view.geo.want_words)
		round->at = 0;
	*more = round->stage != WANTS_REST || round->at > 0 || round->due;
	return all && round->stage == WANTS_REST ? round->outcome
	                                         : WANTS_NOTHING;
}

const struct unmet *wants_unmet(const struct pool *pool)
{
	return &pool->balance->round.unmet;
}
