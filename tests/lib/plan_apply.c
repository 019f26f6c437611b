/* SPDX-License-Identifier: MIT */
/* A plan carried out on a model, with a check of each step. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/plan_model.h"

/* ---- what must hold ----------------------------------------------------- */

static int64_t hold_of(const struct model *model, uint32_t reversals)
{
	int64_t ms = (int64_t)model->config.hold_ms
	             << (reversals < 20 ? reversals : 20);
	return ms < model->config.hold_max_ms ? ms : model->config.hold_max_ms;
}

static struct model_cell *cell_of(struct model *model,
                                  const struct plan_step *step, uint32_t node)
{
	return &model->cells[step->cache_ix][node];
}

/* Slabs of a list: those with something free, at home on the node if asked. */
static uint32_t listed(const struct model *model, uint32_t cache, uint32_t node,
                       bool own)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < MODEL_SLABS; i++) {
		const struct model_slab *slab = &model->slabs[i];
		n += slab->live && slab->cache == cache && slab->list == node &&
		     model_used(model, slab) < MODEL_OBJS &&
		     (!own || model_home(model, slab) == node);
	}
	return n;
}

static uint32_t slabs_at(const struct model *model, uint32_t cache,
                         uint32_t node)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < MODEL_SLABS; i++)
		n += model->slabs[i].live && model->slabs[i].cache == cache &&
		     model_home(model, &model->slabs[i]) == node;
	return n;
}

static uint32_t low_of(const struct model *model, uint32_t cache, uint32_t node)
{
	return model->counted[cache * model->n_nodes + node].low;
}

static void check_room(const struct model *model, uint32_t node)
{
	cr_assert_leq(model_ready(model, node), model->nodes[node].cap);
	cr_assert_leq(model_ready(model, node), model->nodes[node].pages_max);
	cr_assert(!model->nodes[node].draining);
}

/* A cache gave empty slabs: what it keeps. */
static void check_kept(const struct model *model, const struct plan_step *step)
{
	uint32_t leave = low_of(model, step->donor_ix, step->from);
	if (step->reason == PLAN_DRAINED)
		return;
	/* Who has nothing at all gets one. */
	if (step->reason == PLAN_SHORT && step->n == 1 &&
	    model->counted[step->cache_ix * model->n_nodes + step->to].listed ==
	            0)
		leave = leave > 0;
	if (step->reason == PLAN_IDLE)
		leave = 2 * leave + 1;
	cr_assert_geq(slabs_at(model, step->donor_ix, step->from),
	              model->config.keep_slabs);
	cr_assert_geq(listed(model, step->donor_ix, step->from, false), leave,
	              "%s, %s: fewer left than %u", plan_kind_name(step->kind),
	              plan_reason_name(step->reason), leave);
}

/* ---- slabs -------------------------------------------------------------- */

static void note_move(struct model *model, struct model_cell *cell, bool gained)
{
	if (model->now - cell->moved_at >= model->config.hold_max_ms)
		cell->reversals = 0;
	else if (cell->gained != gained)
		cell->reversals++;
	cell->gained = gained;
	cell->moved_at = model->now;
}

static void relieve(struct model *model, const struct plan_step *step)
{
	struct model_cell *cell = cell_of(model, step, step->to);
	cell->extra = cell->extra > step->n ? cell->extra - step->n : 0;
}

static void carve(struct model *model, const struct plan_step *step)
{
	uint32_t home = step->from;
	for (uint32_t i = 0; i < step->n; i++)
		if (model_carve(model, step->cache_ix, home, step->to) ==
		    PLAN_NONE)
			cr_assert(model->scattered,
			          "no room for what was planned");
	check_room(model, home);
	relieve(model, step);
}

/* An empty slab that is at home on a node and stands on its list. */
static uint32_t find_empty(const struct model *model, uint32_t cache,
                           uint32_t home)
{
	for (uint32_t i = 0; i < MODEL_SLABS; i++) {
		const struct model_slab *slab = &model->slabs[i];
		if (slab->live && slab->cache == cache && slab->list == home &&
		    model_home(model, slab) == home &&
		    model_used(model, slab) == 0)
			return i;
	}
	return PLAN_NONE;
}

static void reassign(struct model *model, const struct plan_step *step)
{
	bool larger =
		model->order[step->donor_ix] >= model->order[step->cache_ix];
	uint32_t made = 0;
	cr_assert_eq(step->from, step->to);
	for (uint32_t i = 0; i < step->n_given; i++) {
		uint32_t ix = find_empty(model, step->donor_ix, step->from);
		cr_assert_neq(ix, PLAN_NONE, "no empty slab to give");
		model_reclaim(model, ix);
	}
	check_kept(model, step);
	if (step->donor_ix == step->cache_ix)
		return;
	cr_assert_eq(step->reason, PLAN_SHORT);
	cr_assert(!model->nodes[step->to].draining);
	while (made < step->n && model_carve(model, step->cache_ix, step->to,
	                                     step->to) != PLAN_NONE)
		made++;
	/* Small slabs need not lie side by side: what gained of them, or others
	 * count on, may be missing. */
	cr_assert(made == step->n || !larger || model->scattered);
	model->scattered |= !larger;
	if (made < step->n)
		model->cells[step->donor_ix][step->from].failed = true;
	relieve(model, step);
}

/* Moves n slabs from list to list; those that a predicate likes. */
static void relist(struct model *model, const struct plan_step *step,
                   uint32_t home, uint32_t most_used)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < MODEL_SLABS && n < step->n; i++) {
		struct model_slab *slab = &model->slabs[i];
		if (!slab->live || slab->cache != step->cache_ix ||
		    slab->list != step->from ||
		    model_home(model, slab) != home ||
		    model_used(model, slab) > most_used)
			continue;
		slab->list = step->to;
		n++;
	}
	cr_assert_eq(n, step->n, "%s, %s: %u slabs of %u",
	             plan_kind_name(step->kind), plan_reason_name(step->reason),
	             n, step->n);
}

static void lend(struct model *model, const struct plan_step *step)
{
	struct model_cell *from = cell_of(model, step, step->from);
	uint32_t keep = 2 * low_of(model, step->cache_ix, step->from);
	cr_assert_neq(step->from, step->to);
	cr_assert(!model->strict[step->cache_ix]);
	cr_assert_leq(step->n, model->config.lend_slabs_max);
	model->lent_at[step->cache_ix][step->from][step->to] = model->now;
	if (step->fresh) {
		carve(model, step);
		note_move(model, cell_of(model, step, step->to), true);
		return;
	}
	cr_assert(!from->gained || model->now - from->moved_at >=
	                                   hold_of(model, from->reversals),
	          "who took gives too early");
	relist(model, step, step->from, MODEL_OBJS - 1);
	if (keep < model->config.lend_keep_slabs)
		keep = model->config.lend_keep_slabs;
	cr_assert_geq(listed(model, step->cache_ix, step->from, true), keep);
	note_move(model, from, false);
	note_move(model, cell_of(model, step, step->to), true);
	relieve(model, step);
}

/* Of either cell, before this plan. */
static uint32_t flips_of(const struct model *model, uint32_t cache, uint32_t a,
                         uint32_t b)
{
	const struct snapshot_cell *rows =
		&model->counted[cache * model->n_nodes];
	return rows[a].reversals > rows[b].reversals ? rows[a].reversals
	                                             : rows[b].reversals;
}

/* Slabs for which the node that gives up loans has units free or pages to come,
 * side by side or not. */
static uint64_t could_carve(const struct model *model,
                            const struct plan_step *step)
{
	const struct model_node *node = &model->nodes[step->from];
	uint64_t pages =
		node->cap < node->pages_max ? node->cap : node->pages_max;
	uint64_t units = pages << model->page_order;
	for (uint32_t i = 0; i < MODEL_SLABS; i++)
		if (model->slabs[i].live &&
		    model_home(model, &model->slabs[i]) == step->from)
			units -= 1u << model->order[model->slabs[i].cache];
	return units >> model->order[step->cache_ix];
}

static void give_back(struct model *model, const struct plan_step *step)
{
	struct model_cell *home = cell_of(model, step, step->to);
	struct model_cell *list = cell_of(model, step, step->from);
	int64_t age = model->now -
	              model->lent_at[step->cache_ix][step->to][step->from];
	uint32_t reversals =
		flips_of(model, step->cache_ix, step->to, step->from);
	uint32_t loan = 0;
	for (uint32_t i = 0; i < model->snap.n_loans; i++)
		if (model->loans[i].cache_ix == step->cache_ix &&
		    model->loans[i].home == step->to &&
		    model->loans[i].list == step->from)
			loan = model->loans[i].slabs;
	if (step->reason == PLAN_LENDER_SHORT) {
		cr_assert(reversals == 0 || age >= hold_of(model, reversals));
		relist(model, step, step->to, MODEL_OBJS - 1);
		relieve(model, step);
	} else if (step->reason == PLAN_DRAINED) {
		cr_assert(model->nodes[step->to].draining);
		relist(model, step, step->to, 0);
	} else {
		cr_assert_eq(step->reason, PLAN_LOAN_OVER);
		cr_assert_geq(age, hold_of(model, reversals));
		relist(model, step, step->to, step->n == loan ? MODEL_OBJS : 0);
		cr_assert_geq(listed(model, step->cache_ix, step->from, false) +
		                      could_carve(model, step),
		              2 * low_of(model, step->cache_ix, step->from) +
		                      1);
	}
	note_move(model, list, false);
	note_move(model, home, true);
}

/* ---- pages -------------------------------------------------------------- */

static void move(struct model *model, const struct plan_step *step)
{
	struct model_page *page = &model->pages[step->page];
	uint64_t bytes = UINT64_C(65536) << model->page_order;
	cr_assert(model->config.may_migrate && !page->stuck);
	cr_assert_eq(page->lies, step->from);
	cr_assert_eq(step->bytes, bytes);
	cr_assert_leq(bytes, model->bucket);
	cr_assert(step->kind == PLAN_DRAIN ||
	          model->now - page->moved_at >= model->config.hold_ms);
	cr_assert_eq(model->nodes[step->from].draining,
	             step->kind == PLAN_DRAIN);
	model->bucket -= bytes;
	page->lies = step->to;
	page->moved_at = model->now;
	check_room(model, step->to);
	for (uint32_t u = 0; u < 1u << model->page_order; u++) {
		const struct model_slab *slab;
		if (page->slab[u] == PLAN_NONE)
			continue;
		slab = &model->slabs[page->slab[u]];
		if (slab->list != step->to)
			model->lent_at[slab->cache][step->to][slab->list] =
				model->now;
	}
}

static void shrink(struct model *model, const struct plan_step *step)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < MODEL_PAGES && n < step->n; i++) {
		struct model_page *page = &model->pages[i];
		if (page->lies != step->to || !model_is_bare(model, page))
			continue;
		page->lies = PLAN_NONE;
		n++;
	}
	cr_assert(n == step->n || model->scattered,
	          "fewer empty pages than planned");
	if (step->reason != PLAN_DRAINED)
		cr_assert_geq(model_ready(model, step->to),
		              model->nodes[step->to].floor);
}

/* Clients give up some of what they hold there. */
static void trim(struct model *model, const struct plan_step *step)
{
	cr_assert(!model->nodes[step->to].trimmed);
	model->nodes[step->to].trimmed = true;
	for (uint32_t i = 0; i < MODEL_SLABS; i++) {
		struct model_slab *slab = &model->slabs[i];
		uint32_t node = rng_below(&model->rng, model->n_nodes);
		if (!slab->live || model_home(model, slab) != step->to)
			continue;
		slab->used[node] = 0;
		if (model_used(model, slab) == 0)
			slab->empty_since = model->now;
	}
}

/* ---- all ---------------------------------------------------------------- */

static void apply_step(struct model *model, const struct plan_step *step)
{
	cr_assert(step->kind == PLAN_TRIM || step->n > 0);
	if (step->from != PLAN_NONE)
		cr_assert(step->distance == 0 ||
		          step->distance ==
		                  model->distance[step->from][step->to]);
	switch (step->kind) {
	case PLAN_CARVE:
		cr_assert_eq(step->from, step->to);
		carve(model, step);
		break;
	case PLAN_REASSIGN:
		reassign(model, step);
		break;
	case PLAN_LEND:
		lend(model, step);
		break;
	case PLAN_RETURN:
		give_back(model, step);
		break;
	case PLAN_TRIM:
		trim(model, step);
		break;
	case PLAN_SHRINK:
		shrink(model, step);
		break;
	case PLAN_MIGRATE:
	case PLAN_DRAIN:
		move(model, step);
		break;
	default:
		cr_assert_fail("a step of no kind");
	}
}

void model_apply(struct model *model, const struct plan *plan)
{
	model->scattered = false;
	for (uint32_t i = 0; i < plan->n_steps; i++)
		apply_step(model, &plan->steps[i]);
}
