/* SPDX-License-Identifier: MIT */
#include "daemon/pool/sweep.h"

#include "daemon/base/clock.h"
#include "daemon/pool/holes.h"
#include "shm/heir.h"
#include "shm/probe.h"

#define LAP_LOOKS 4096u /* at granules that may be in use, in a step */

/* ---- what is due --------------------------------------------------------- */

/* Words of a touched record, from the first to before the end. */
struct span {
	uint64_t at;
	uint64_t end;
};

/* The words in which the ready units of the nodes from *node on have bits, and
 * that no span before had; begin with zeros. The others would take memory if
 * they were read. False after the last. */
static bool next_span(const struct pool *pool, uint32_t *node,
                      struct span *span)
{
	uint64_t had = span->end;
	while (*node < pool->view.geo.n_nodes) {
		uint64_t first = pool->view.nodes[*node].first_unit;
		uint64_t end = pool_end_unit(pool, (*node)++);
		if (end <= first)
			continue;
		span->at = first >> GRANULE_SHIFT >> 6;
		span->at = span->at > had ? span->at : had;
		span->end = ((end - 1) >> GRANULE_SHIFT >> 6) + 1;
		if (span->at < span->end)
			return true;
		span->end = had;
	}
	return false;
}

uint64_t sweep_join(struct pool *pool, uint32_t id)
{
	const uint64_t *touched = view_touched(&pool->view, id);
	struct span span = {0, 0};
	for (uint32_t node = 0; next_span(pool, &node, &span);) {
		for (; span.at < span.end; span.at++) {
			/* pairs: view_touch_any; what is noted later is the
			 * second sweep's. */
			uint64_t bits = atom_load_acquire(&touched[span.at]);
			due_add(&pool->due, span.at, bits);
		}
	}
	return due_until(&pool->due);
}

bool sweep_has_touched(const struct pool *pool, uint32_t id)
{
	const uint64_t *touched = view_touched(&pool->view, id);
	struct span span = {0, 0};
	bool any = false;
	for (uint32_t node = 0; next_span(pool, &node, &span);)
		for (; span.at < span.end; span.at++)
			any |= atom_load(&touched[span.at]) != 0;
	return any;
}

void sweep_forget(struct pool *pool, uint32_t id)
{
	uint64_t *touched = view_touched(&pool->view, id);
	struct span span = {0, 0};
	for (uint32_t node = 0; next_span(pool, &node, &span);)
		for (; span.at < span.end; span.at++)
			if (atom_load(&touched[span.at]) != 0)
				atom_store(&touched[span.at], UINT64_C(0));
	for (uint32_t i = 0; i < GIFTS_WORDS; i++)
		atom_store(view_gifts_at(&pool->view, id, i), UINT64_C(0));
}

void sweep_prepare(struct pool *pool, uint32_t id)
{
	uint64_t *touched = view_touched(&pool->view, id);
	uint64_t n = pool->view.geo.touched_words;
	for (uint32_t i = 0; i < GIFTS_WORDS; i++)
		atom_store(view_gifts_at(&pool->view, id, i), UINT64_C(0));
	/* Each small page of it. */
	for (uint64_t at = 0; at < n; at++)
		if (at == 0 || ((uintptr_t)&touched[at] & 4095) == 0)
			atom_add(&touched[at], UINT64_C(0));
}

/* ---- what the dead were giving -------------------------------------------- */

static void settle_granule(struct pool *pool, const struct heir *heir,
                           uint64_t granule)
{
	uint64_t first = granule << GRANULE_SHIFT;
	uint64_t end = first + (UINT64_C(1) << GRANULE_SHIFT);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t from = pool->view.nodes[node].first_unit;
		uint64_t to = pool_end_unit(pool, node);
		from = from > first ? from : first;
		to = to < end ? to : end;
		if (from < to)
			heir_settle_srv(&pool->view, heir, (uint32_t)from,
			                (uint32_t)to);
	}
}

void sweep_settle(struct pool *pool, uint32_t id)
{
	const uint64_t *touched = view_touched(&pool->view, id);
	struct span span = {0, 0};
	struct heir heir;
	if (!heir_find(&pool->view, id, &heir))
		return;
	for (uint32_t node = 0; next_span(pool, &node, &span);)
		for (; span.at < span.end; span.at++)
			for (uint64_t bits = atom_load(&touched[span.at]);
			     bits != 0; bits &= bits - 1)
				settle_granule(pool, &heir,
				               span.at * 64 +
				                       (uint64_t)__builtin_ctzll(
							       bits));
	heir_settle_lead_srv(&pool->view, &heir);
}

/* ---- a look -------------------------------------------------------------- */

static void look_at(struct pool *pool, uint64_t granule)
{
	uint64_t first = granule << GRANULE_SHIFT;
	uint64_t end = first + (UINT64_C(1) << GRANULE_SHIFT);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t from = pool->view.nodes[node].first_unit;
		uint64_t to = pool_end_unit(pool, node);
		from = from > first ? from : first;
		to = to < end ? to : end;
		if (from < to)
			slab_sweep_srv(&pool->view, (uint32_t)from,
			               (uint32_t)to, &pool->due.living,
			               &pool->due.swept);
	}
}

/* Cut short, it leaves tags that are slabd's own. */
static void look_and_count(struct pool *pool, uint64_t granule)
{
	pool->head->sweeping = (uint32_t)granule + 1;
	look_at(pool, granule);
	pool->head->sweeping = 0;
	pool->counts.swept_granules++;
}

static void count_slice(struct pool *pool)
{
	const struct slab_swept *swept = &pool->due.swept;
	probe_sweep(pool->name, swept->objects - pool->counts.swept_objects,
	            swept->leases - pool->counts.swept_leases,
	            swept->bits - pool->counts.repaired_bits);
	pool->counts.sweep_slices++;
	pool->counts.swept_objects = swept->objects;
	pool->counts.swept_leases = swept->leases;
	pool->counts.repaired_bits = swept->bits;
}

void sweep_slice(struct pool *pool, int64_t until_ns)
{
	const struct slab_swept *swept = &pool->due.swept;
	uint64_t end = swept->looks + SWEEP_SLICE_LOOKS;
	uint64_t others = 0;
	if (!sweep_is_due(pool) || !holes_guard(pool))
		return;
	while (sweep_is_due(pool) && swept->looks + others < end) {
		look_and_count(pool, due_take(&pool->due));
		others += SWEEP_GRANULE_LOOKS;
		if (clock_ns() >= until_ns)
			break;
	}
	count_slice(pool);
}

void sweep_adopt(struct pool *pool)
{
	uint32_t granule = pool->head->sweeping - 1;
	holes_guard(pool);
	if (granule < pool->due.n_granules)
		look_and_count(pool, granule);
	pool->head->sweeping = 0;
}

/* Adds the granules of a word to a list. How many it has, or more than there is
 * room for. */
static uint32_t list_word(uint64_t bits, uint64_t word, uint32_t n,
                          uint64_t few[SWEEP_FEW_GRANULES])
{
	for (; bits != 0 && n <= SWEEP_FEW_GRANULES; bits &= bits - 1, n++)
		if (n < SWEEP_FEW_GRANULES)
			few[n] = word * 64 + (uint64_t)__builtin_ctzll(bits);
	return n;
}

/* Those that an id has touched; how many, or more than a few. */
static uint32_t list_few(const struct pool *pool, uint32_t id,
                         uint64_t few[SWEEP_FEW_GRANULES])
{
	const uint64_t *touched = view_touched(&pool->view, id);
	struct span span = {0, 0};
	uint32_t n = 0;
	for (uint32_t node = 0; next_span(pool, &node, &span);)
		for (; span.at < span.end; span.at++)
			n = list_word(atom_load(&touched[span.at]), span.at, n,
			              few);
	return n;
}

bool sweep_few(struct pool *pool, uint32_t id)
{
	uint64_t few[SWEEP_FEW_GRANULES];
	uint32_t n = list_few(pool, id, few);
	if (n > SWEEP_FEW_GRANULES || !holes_guard(pool))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (few[i] >= pool->due.n_granules)
			continue;
		due_drop(&pool->due, few[i]);
		look_and_count(pool, few[i]);
	}
	count_slice(pool);
	return true;
}

void sweep_rest(struct pool *pool)
{
	while (sweep_is_due(pool))
		sweep_slice(pool, INT64_MAX);
}

/* ---- the lap ------------------------------------------------------------- */

static bool is_ready(const struct pool *pool, uint64_t granule)
{
	uint64_t first = granule << GRANULE_SHIFT;
	uint64_t end = first + (UINT64_C(1) << GRANULE_SHIFT);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (first < pool_end_unit(pool, node) &&
		    end > pool->view.nodes[node].first_unit)
			return true;
	return false;
}

bool sweep_lap(struct pool *pool)
{
	struct due *due = &pool->due;
	uint32_t made = 0;
	if (due->lap == due->n_granules && due->lap_asked) {
		due->lap_asked = false;
		due->lap = 0;
	}
	for (uint32_t looks = 0;
	     looks < LAP_LOOKS && made < SWEEP_LAP_GRANULES &&
	     due->lap < due->n_granules;
	     looks++, due->lap++) {
		if (!is_ready(pool, due->lap))
			continue;
		due_add(due, due->lap / 64, UINT64_C(1) << (due->lap % 64));
		made++;
	}
	return due->lap < due->n_granules;
}
