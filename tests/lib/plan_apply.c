/* SPDX-License-Identifier: MIT */
/* A plan carried out on a model, with a check of each step. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/plan_model.h"

#define WHAT(step)                                                             \
	"%s, %s", plan_kind_name((step)->kind), plan_reason_name((step)->reason)

/* ---- what there is ------------------------------------------------------ */

static int64_t hold_of(const struct model *model, uint32_t reversals)
{
	const struct plan_config *config = &model->world.d.config;
	int64_t ms = (int64_t)config->hold_ms
	             << (reversals < 20 ? reversals : 20);
	return ms < config->hold_max_ms ? ms : config->hold_max_ms;
}

static int64_t ms_since(const struct model *model, uint64_t ns)
{
	if (ns == NEVER)
		return INT64_MAX;
	return (int64_t)((model->world.m.now_ns - ns) / NS_MS);
}

static const struct cell *cell_at(const struct model *model, uint32_t cache_ix,
                                  uint32_t node)
{
	return &model->world.m.cell[cache_ix][node];
}

/* As the plan saw it. */
static const struct snapshot_cell *seen_at(const struct model *model,
                                           uint32_t cache_ix, uint32_t node)
{
	return &model->snap->cells[cache_ix * model->world.m.n_nodes + node];
}

/* Slabs with something free that are at home on a node and stand there. */
static uint32_t own_listed(const struct model *model, uint32_t cache_ix,
                           uint32_t node)
{
	const struct cell *cell = cell_at(model, cache_ix, node);
	uint32_t n = cell->listed;
	for (uint32_t home = 0; home < model->world.m.n_nodes; home++) {
		const struct loan *loan =
			&model->world.m.loan[cache_ix][home][node];
		n -= loan->slabs - loan->bare;
	}
	return n;
}

/* Slabs for which a node has units free or pages to come, side by side or
 * not. */
static uint64_t could_carve(const struct model *model, uint32_t cache_ix,
                            uint32_t ix)
{
	const struct machine *m = &model->world.m;
	const struct node *node = &m->node[ix];
	uint64_t room = node->max_pages - node->pages;
	if (room > node->room_pages)
		room = node->room_pages;
	return (node->free_units + (room << m->page_order)) >>
	       m->cache[cache_ix].order;
}

static void check_room(const struct model *model, uint32_t ix)
{
	const struct node *node = &model->world.m.node[ix];
	cr_assert_leq(node->pages, node->max_pages);
	cr_assert(!node->draining);
}

/* A cache gave empty slabs: what it keeps. */
static void check_kept(const struct model *model, const struct plan_step *step)
{
	const struct cell *cell = cell_at(model, step->donor_ix, step->from);
	uint32_t leave = seen_at(model, step->donor_ix, step->from)->low;
	if (step->reason == PLAN_DRAINED)
		return;
	/* Who has nothing at all gets one. */
	if (step->reason == PLAN_SHORT && step->n == 1 &&
	    seen_at(model, step->cache_ix, step->to)->listed == 0)
		leave = leave > 0;
	if (step->reason == PLAN_IDLE)
		leave = 2 * leave + 1;
	cr_assert_geq(cell->slabs, model->world.d.config.keep_slabs);
	cr_assert_geq(cell->listed, leave, WHAT(step));
}

static void relieve(struct model *model, const struct plan_step *step)
{
	struct model_cell *cell = &model->cells[step->cache_ix][step->to];
	cell->extra = cell->extra > step->n ? cell->extra - step->n : 0;
}

/* ---- slabs -------------------------------------------------------------- */

static void carve(struct model *model, const struct plan_step *step)
{
	cr_assert_eq(step->from, step->to);
	cr_assert(apply_step(&model->world, step) || model->scattered,
	          "no room for what was planned");
	check_room(model, step->from);
	relieve(model, step);
}

static void reassign(struct model *model, const struct plan_step *step)
{
	const struct machine *m = &model->world.m;
	const struct cell *donor = cell_at(model, step->donor_ix, step->from);
	const struct cell *cell = cell_at(model, step->cache_ix, step->to);
	bool larger = m->cache[step->donor_ix].order >=
	              m->cache[step->cache_ix].order;
	uint32_t had = donor->slabs;
	bool made;
	cr_assert_eq(step->from, step->to);
	cr_assert_geq(donor->empty, step->n_given, "no empty slab to give");
	made = apply_step(&model->world, step);
	cr_assert_eq(had - donor->slabs, step->n_given);
	check_kept(model, step);
	if (cell == donor)
		return;
	cr_assert_eq(step->reason, PLAN_SHORT);
	cr_assert(!m->node[step->to].draining);
	/* Small slabs need not lie side by side: what came of them, or others
	 * count on, may be missing. */
	cr_assert(made || !larger || model->scattered);
	model->scattered |= !larger;
	model->cells[step->donor_ix][step->from].failed |= !made;
	relieve(model, step);
}

static void lend(struct model *model, const struct plan_step *step)
{
	const struct machine *m = &model->world.m;
	const struct plan_config *config = &model->world.d.config;
	struct cell from = *cell_at(model, step->cache_ix, step->from);
	uint32_t keep = 2 * seen_at(model, step->cache_ix, step->from)->low;
	bool done = apply_step(&model->world, step);
	cr_assert_neq(step->from, step->to);
	cr_assert((m->cache[step->cache_ix].flags & CACHE_STRICT) == 0);
	cr_assert_leq(step->n, config->lend_slabs_max);
	relieve(model, step);
	if (step->fresh) {
		cr_assert(done || model->scattered,
		          "no room for what was planned");
		check_room(model, step->from);
		return;
	}
	cr_assert(done, WHAT(step));
	cr_assert(!from.gained || ms_since(model, from.moved_ns) >=
	                                  hold_of(model, from.reversals),
	          "a list gives too soon after it took");
	if (keep < config->lend_keep_slabs)
		keep = config->lend_keep_slabs;
	cr_assert_geq(own_listed(model, step->cache_ix, step->from), keep);
}

/* Of either cell, before this plan. */
static uint32_t reversals_of(const struct model *model,
                             const struct plan_step *step)
{
	uint32_t a = seen_at(model, step->cache_ix, step->from)->reversals;
	uint32_t b = seen_at(model, step->cache_ix, step->to)->reversals;
	return a > b ? a : b;
}

static void give_back(struct model *model, const struct plan_step *step)
{
	const struct machine *m = &model->world.m;
	const struct loan *loan =
		&m->loan[step->cache_ix][step->to][step->from];
	const struct loan before = *loan;
	const struct cell *list = cell_at(model, step->cache_ix, step->from);
	uint32_t reversals = reversals_of(model, step);
	uint32_t low = seen_at(model, step->cache_ix, step->from)->low;
	int64_t age = ms_since(model, before.newest_ns);
	cr_assert(apply_step(&model->world, step), WHAT(step));
	if (step->reason == PLAN_LENDER_SHORT) {
		cr_assert(reversals == 0 || age >= hold_of(model, reversals));
		cr_assert_eq(loan->bare, before.bare);
		relieve(model, step);
	} else if (step->reason == PLAN_DRAINED) {
		cr_assert(m->node[step->to].draining);
		cr_assert_eq(before.empty - loan->empty, step->n);
	} else {
		cr_assert_eq(step->reason, PLAN_LOAN_OVER);
		cr_assert_geq(age, hold_of(model, reversals));
		cr_assert(step->n == before.slabs ||
		          before.empty - loan->empty == step->n);
		cr_assert_geq(list->listed + could_carve(model, step->cache_ix,
		                                         step->from),
		              2 * low + 1);
	}
}

/* ---- pages -------------------------------------------------------------- */

static void move(struct model *model, const struct plan_step *step)
{
	const struct machine *m = &model->world.m;
	const struct daemon *d = &model->world.d;
	const struct page *page = &m->pages[step->page];
	cr_assert(d->config.may_migrate && !page->stuck);
	cr_assert_eq(page->lies, step->from);
	cr_assert_eq(step->bytes, machine_page_bytes(m));
	cr_assert_leq(step->bytes, d->migrate_bytes);
	cr_assert(step->kind == PLAN_DRAIN || !is_reversal(m, page->moved_ms));
	cr_assert_eq(m->node[step->from].draining, step->kind == PLAN_DRAIN);
	cr_assert(apply_step(&model->world, step), WHAT(step));
	check_room(model, step->to);
}

static void shrink(struct model *model, const struct plan_step *step)
{
	const struct node *node = &model->world.m.node[step->to];
	cr_assert(apply_step(&model->world, step) || model->scattered,
	          "fewer empty pages than planned");
	if (step->reason != PLAN_DRAINED)
		cr_assert_geq(node->pages, node->floor_pages);
}

/* Clients give up some of what they hold there. */
static void trim(struct model *model, const struct plan_step *step)
{
	cr_assert(!model->trimmed[step->to]);
	model->trimmed[step->to] = true;
	cr_assert(apply_step(&model->world, step));
	model_trim(model, step->to);
}

/* ---- all ---------------------------------------------------------------- */

static void (*const by_kind[PLAN_KINDS])(struct model *model,
                                         const struct plan_step *step) = {
	[PLAN_CARVE] = carve,  [PLAN_REASSIGN] = reassign,
	[PLAN_LEND] = lend,    [PLAN_RETURN] = give_back,
	[PLAN_TRIM] = trim,    [PLAN_SHRINK] = shrink,
	[PLAN_MIGRATE] = move, [PLAN_DRAIN] = move,
};

void model_apply(struct model *model, const struct plan *plan)
{
	model->scattered = false;
	for (uint32_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *step = &plan->steps[i];
		cr_assert_lt(step->kind, PLAN_KINDS, "a step of no kind");
		cr_assert(step->kind == PLAN_TRIM || step->n > 0);
		if (step->from != PLAN_NONE && step->distance != 0)
			cr_assert_eq(step->distance,
			             model->world.m.node[step->from]
			                     .distance[step->to]);
		by_kind[step->kind](model, step);
	}
	verify_all(&model->world);
	cr_assert(model->world.bad[0] == 0, "%s", model->world.bad);
}
